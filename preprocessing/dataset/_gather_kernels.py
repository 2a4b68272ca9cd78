"""Tensors moved to other pixels, compiled by Numba."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["gather_pixels"]


@njit(cache=True, nogil=True)
def gather_pixels(planes: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64], out: NDArray[Any]) -> None:
    """Move pixels into `out` (n, H, W): (r, c) of each plane is that at (rows[r], columns[c]), unless one is negative.

    Columns are negative at their ends alone, so that the pixels between are moved without asking.
    """
    first, last = 0, len(columns)
    while first < last and columns[first] < 0:
        first += 1
    while last > first and columns[last - 1] < 0:
        last -= 1
    inner = columns[first:last].astype(np.uint32)
    for plane in range(out.shape[0]):
        for r in range(out.shape[1]):
            if rows[r] >= 0:
                source, target = planes[plane, rows[r]], out[plane, r, first:last]
                for c in range(len(inner)):
                    target[c] = source[inner[c]]
