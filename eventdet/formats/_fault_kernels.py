"""The one kernel that every decoder calls when a record needs a repair."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._state import FAULT_KIND, FAULT_RECORD

__all__ = ["count_faults"]


@njit(cache=True, nogil=True)
def count_faults(state: NDArray[np.int64], kind: int, record: int, number: int) -> None:
    """Count repairs of a kind, and keep the record where the first one of this call happened."""
    state[kind] += number
    if state[FAULT_RECORD] < 0:
        state[FAULT_RECORD] = record
        state[FAULT_KIND] = kind
