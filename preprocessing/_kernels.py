"""Events into tensors, one pass each, compiled by Numba.

A tensor cell is found from integers alone: the bin by comparing the stamp with the two edges of the current bin (a
division happens only when a stamp leaves it, so events in time order cost one comparison), the pixel through the
lookup tables of a ``PixelMap``. Stamps in any order give the same tensor as sorted ones, save for the rounding of
float32 sums. Every index that comes from an event is checked before it is used.

Each tensor has two kernels: over the columns of ``Events``, and over DAT records (stamp, packed word), where decoding
and counting are fused, so that a window of a memory-mapped file is read once and copied never.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["histogram_from_columns", "histogram_from_words", "voxels_from_columns", "voxels_from_words"]

Integer: TypeAlias = int | np.int64
"""A number inside a kernel; Numba reads no annotation, the type checker sees both forms."""

_COORDINATE_MASK = np.uint32(0x3FFF)
_Y_SHIFT = np.uint32(14)
_POLARITY_SHIFT = np.uint32(28)
_LARGEST_COUNT = np.uint8(255)


@njit(cache=True, nogil=True)
def _bin_and_edges(stamp: Integer, t0: int, length: int, bins: int) -> tuple[int, int, int]:
    """Return the bin of `stamp`, the first stamp of that bin, and the first stamp after it."""
    index = int(stamp - t0) * bins // length
    lower = t0 - (-index * length // bins)
    upper = t0 - (-(index + 1) * length // bins)
    return index, lower, upper


@njit(cache=True, nogil=True)
def _pixel(
    x: Integer, y: Integer, columns: NDArray[np.int32], rows: NDArray[np.int32], height: int, width: int,
    is_identity: bool,
) -> Integer:  # fmt: skip
    """Return the flat index of the target pixel, or -1 for an event that is outside or cut away."""
    if x >= len(columns) or y >= len(rows):
        return -1
    if is_identity:
        return y * width + x
    column = np.int64(columns[x])
    row = np.int64(rows[y])
    if column < 0 or column >= width or row < 0 or row >= height:
        return -1
    return row * width + column


@njit(cache=True, nogil=True)
def _count_one(cells: NDArray[np.uint8], cell: Integer) -> None:
    """Add one to a counter that stays at 255."""
    count = cells[np.uint64(cell)]
    cells[np.uint64(cell)] = count + np.uint8(count != _LARGEST_COUNT)


@njit(cache=True, nogil=True)
def _split_one(
    cells: NDArray[np.float32], cell: Integer, plane: int, sign: Integer, fraction: float | np.float64
) -> None:
    """Share one event between a bin and the next."""
    cells[np.uint64(cell)] += np.float32(sign * (1.0 - fraction))
    if fraction > 0.0:
        cells[np.uint64(cell + plane)] += np.float32(sign * fraction)


@njit(cache=True, nogil=True)
def histogram_from_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], t0: int, t1: int,
    columns: NDArray[np.int32], rows: NDArray[np.int32], is_identity: bool, out: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Clear `out` (bins, 2, H, W), count the events into it, return how many were counted."""
    bins, _, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    index, lower, upper, counted = 0, t0, t0, 0
    for i in range(len(t)):
        stamp = t[i]
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = _bin_and_edges(stamp, t0, t1 - t0, bins)
        pixel = _pixel(np.int64(x[i]), np.int64(y[i]), columns, rows, height, width, is_identity)
        if pixel >= 0:
            _count_one(cells, (2 * index + (1 if p[i] else 0)) * height * width + pixel)
            counted += 1
    return counted


@njit(cache=True, nogil=True)
def histogram_from_words(
    t: NDArray[np.uint32], words: NDArray[np.uint32], t0: int, t1: int,
    columns: NDArray[np.int32], rows: NDArray[np.int32], is_identity: bool, out: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Clear `out` (bins, 2, H, W), count the DAT records into it, return how many were counted."""
    bins, _, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    index, lower, upper, counted = 0, t0, t0, 0
    for i in range(len(t)):
        stamp = np.int64(t[i])
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = _bin_and_edges(stamp, t0, t1 - t0, bins)
        word = words[i]
        x = np.int64(word & _COORDINATE_MASK)
        y = np.int64((word >> _Y_SHIFT) & _COORDINATE_MASK)
        pixel = _pixel(x, y, columns, rows, height, width, is_identity)
        if pixel >= 0:
            polarity = np.int64((word >> _POLARITY_SHIFT) & np.uint32(1))
            _count_one(cells, (2 * index + polarity) * height * width + pixel)
            counted += 1
    return counted


@njit(cache=True, nogil=True)
def voxels_from_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], t0: int, t1: int,
    columns: NDArray[np.int32], rows: NDArray[np.int32], is_identity: bool, out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Clear `out` (bins, H, W), add the events to it, return how many were added."""
    bins, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    # One bin has no neighbour to share with: it is one interval in which the fraction stays 0.
    intervals = bins - 1
    index, lower, upper, counted = 0, t0, t0 if intervals else t1, 0
    for i in range(len(t)):
        stamp = t[i]
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = _bin_and_edges(stamp, t0, t1 - t0, intervals)
        pixel = _pixel(np.int64(x[i]), np.int64(y[i]), columns, rows, height, width, is_identity)
        if pixel >= 0:
            fraction = ((stamp - t0) * intervals - index * (t1 - t0)) / (t1 - t0)
            _split_one(cells, index * height * width + pixel, height * width, 1 if p[i] else -1, fraction)
            counted += 1
    return counted


@njit(cache=True, nogil=True)
def voxels_from_words(
    t: NDArray[np.uint32], words: NDArray[np.uint32], t0: int, t1: int,
    columns: NDArray[np.int32], rows: NDArray[np.int32], is_identity: bool, out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Clear `out` (bins, H, W), add the DAT records to it, return how many were added."""
    bins, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    intervals = bins - 1
    index, lower, upper, counted = 0, t0, t0 if intervals else t1, 0
    for i in range(len(t)):
        stamp = np.int64(t[i])
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = _bin_and_edges(stamp, t0, t1 - t0, intervals)
        word = words[i]
        x = np.int64(word & _COORDINATE_MASK)
        y = np.int64((word >> _Y_SHIFT) & _COORDINATE_MASK)
        pixel = _pixel(x, y, columns, rows, height, width, is_identity)
        if pixel >= 0:
            sign = 2 * np.int64((word >> _POLARITY_SHIFT) & np.uint32(1)) - 1
            fraction = ((stamp - t0) * intervals - index * (t1 - t0)) / (t1 - t0)
            _split_one(cells, index * height * width + pixel, height * width, sign, fraction)
            counted += 1
    return counted
