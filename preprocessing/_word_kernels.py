"""Packed words into columns, compiled by Numba."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["unpack_columns"]

_COORDINATE = np.uint32(0x3FFF)
_Y_SHIFT = np.uint32(14)
_ON_SHIFT = np.uint32(28)
_ON = np.uint32(1)


@njit(cache=True, nogil=True)
def unpack_columns(
    words: NDArray[np.uint32], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8]
) -> None:
    """Fill x, y and p, all of the length of `words`."""
    for i in range(len(words)):
        word = words[i]
        x[i] = word & _COORDINATE
        y[i] = (word >> _Y_SHIFT) & _COORDINATE
        p[i] = (word >> _ON_SHIFT) & _ON
