"""Tensors moved to other pixels, compiled by Numba."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["gather_pixels"]


@njit(cache=True, nogil=True)
def gather_pixels(planes: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64], out: NDArray[Any]) -> None:
    """Fill `out` (n, H, W): pixel (r, c) of each plane is that at (rows[r], columns[c]), zero where one is negative."""
    for plane in range(out.shape[0]):
        for r in range(out.shape[1]):
            row = rows[r]
            for c in range(out.shape[2]):
                column = columns[c]
                out[plane, r, c] = planes[plane, row, column] if row >= 0 and column >= 0 else 0
