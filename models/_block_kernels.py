"""What a block does beside its convolutions and neurons, in one pass over the memory each.

Activations come as they lie, channels last; bfloat16 as the uint16 of its bits, as in ``_lif_kernels``. Memory is given
by its address, and `like` is a number of its type: arrays would first have to be made of tensors, which takes longer
than the arithmetic of a small layer. So callers check dtype, layout and shape.
"""

from typing import Any

import numpy as np
from numba import njit
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from ._lif_kernels import _narrow, _widen, pointer

__all__ = ["add_joined", "encode_counts", "max_pool"]


@njit(cache=True, nogil=True)
def max_pool(addresses: tuple[int, int], shape: tuple[int, int, int, int], like: Any) -> None:
    """Write the maxima over 2x2 of the first, (N, 2 H, 2 W, C), to the second, `shape` (N, H, W, C); NaN wins."""
    rows, columns = 2 * shape[1], 2 * shape[2]
    x = carray(pointer(addresses[0], like), (shape[0], rows, columns, shape[3]))
    out = carray(pointer(addresses[1], like), shape)
    for n in range(shape[0]):
        for i in range(shape[1]):
            for j in range(shape[2]):
                for c in range(shape[3]):
                    best = x[n, 2 * i, 2 * j, c]
                    for place in range(1, 4):
                        other = x[n, 2 * i + place // 2, 2 * j + place % 2, c]
                        is_number = _widen(best) == _widen(best)
                        best = other if is_number and not _widen(other) <= _widen(best) else best
                    out[n, i, j, c] = best


@njit(cache=True, nogil=True)
def add_joined(addresses: tuple[int, int, int, int], pixels: int, new_width: int, width: int, like: Any) -> None:
    """Write ``x + [new, kept]`` to `out`; widths `width`, `new_width`, their difference, and `width`."""
    x = carray(pointer(addresses[0], like), (pixels, width))
    new = carray(pointer(addresses[1], like), (pixels, new_width))
    kept = carray(pointer(addresses[2], like), (pixels, width - new_width))
    out = carray(pointer(addresses[3], like), (pixels, width))
    for n in range(pixels):
        for c in range(new_width):
            out[n, c] = _narrow(_widen(x[n, c]) + _widen(new[n, c]), out[n, c])
        for c in range(width - new_width):
            out[n, new_width + c] = _narrow(_widen(x[n, new_width + c]) + _widen(kept[n, c]), out[n, new_width + c])


@njit(cache=True, nogil=True)
def encode_counts(counts: NDArray[np.uint8], values: NDArray[Any], out: NDArray[Any]) -> None:
    """Write the value of each count, `counts` of shape (N, C, H, W), to `out`, shape (N, H, W, C); `values` has 256."""
    for n in range(out.shape[0]):
        for i in range(out.shape[1]):
            for c in range(out.shape[3]):
                row = counts[n, c, i]
                for j in range(row.shape[0]):
                    out[n, i, j, c] = values[row[j]]
