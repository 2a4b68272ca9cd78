"""Non-zero cells of a tensor, compiled by Numba."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["count_non_zero", "take_non_zero"]


@njit(cache=True, nogil=True)
def count_non_zero(cells: NDArray[Any]) -> int:
    """Return how many of `cells` (n,) are not zero."""
    count = 0
    for i in range(len(cells)):
        count += cells[i] != 0
    return count


@njit(cache=True, nogil=True)
def take_non_zero(cells: NDArray[Any], places: NDArray[np.int32], values: NDArray[Any]) -> None:
    """Write place and value of each non-zero cell of `cells` (n,) to `places` and `values`, which have room for all."""
    taken = 0
    for i in range(len(cells)):
        if cells[i] != 0:
            places[taken] = i
            values[taken] = cells[i]
            taken += 1
