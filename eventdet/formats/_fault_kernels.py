"""The one kernel that every decoder calls when a record needs a repair."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._state import FAULT_KIND, FAULT_RECORD

__all__ = ["count_fault"]


@njit(cache=True, nogil=True)
def count_fault(state: NDArray[np.int64], kind: int, record: int) -> None:
    """Count a repair of a kind, and keep the record where the first one of this call happened."""
    state[kind] += 1
    if state[FAULT_RECORD] < 0:
        state[FAULT_RECORD] = record
        state[FAULT_KIND] = kind
