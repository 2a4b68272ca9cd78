"""Events into voxels, one pass each, compiled by Numba; with what the counters of `_histogram_kernels` share.

A tensor cell is found from integers alone. The bin: by comparing the stamp with the two edges of the current bin; a
division happens only when a stamp leaves it, so events in time order cost one comparison, and events in any other
order give the same tensor, save for the rounding of float32 sums. The pixel: by two look-ups, whose tables end in an
entry for every coordinate beyond the sensor; that costs no branch for scaling, cropping or a stray coordinate, and no
index leaves the tensor whatever the tables of a ``PixelMap`` say.

Each tensor has two kernels: over the columns of ``Events``, and over DAT records (stamp, packed word), where decoding
and counting are fused, so that a window of a memory-mapped file is read once and copied never. Their loops are alike
and yet written out: one function for an event, that takes the bin in force and returns it, halves the speed.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["voxels_from_columns", "voxels_from_words"]

Integer: TypeAlias = int | np.int64
"""A number inside a kernel; Numba reads no annotation, the type checker sees both forms."""

_COORDINATE = np.uint32(0x3FFF)
_Y_SHIFT = np.uint32(14)
_ON_BIT = np.uint32(1 << 28)

_CUT = -(1 << 40)
"""Look-up entry of a column or row that is cut away: no sum with another entry is a pixel."""


@njit(cache=True, nogil=True)
def _bin_and_edges(stamp: Integer, t0: int, length: int, bins: int) -> tuple[int, int, int]:
    """Return the bin of `stamp`, the first stamp of that bin, and the first stamp after it."""
    index = int(stamp - t0) * bins // length
    lower = t0 - (-index * length // bins)
    upper = t0 - (-(index + 1) * length // bins)
    return index, lower, upper


@njit(cache=True, nogil=True)
def _steps(targets: NDArray[np.int32], limit: int, step: int) -> NDArray[np.int64]:
    """Return what each coordinate adds to the flat index of a pixel; the last entry stands for all beyond."""
    added = np.full(len(targets) + 1, _CUT, np.int64)
    for i in range(len(targets)):
        if 0 <= targets[i] < limit:
            added[i] = targets[i] * step
    return added


@njit(cache=True, nogil=True)
def _share_one(
    cells: NDArray[np.float32], cell: Integer, plane: int, sign: float, fraction: float | np.float64
) -> None:
    """Share one event between a bin and the next."""
    cells[np.uint64(cell)] += np.float32(sign * (1.0 - fraction))
    if fraction > 0.0:
        cells[np.uint64(cell + plane)] += np.float32(sign * fraction)


@njit(cache=True, nogil=True)
def voxels_from_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Clear `out` (bins, H, W), add the events to it, return how many were added."""
    bins, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    x_steps, y_steps = _steps(columns, width, 1), _steps(rows, height, width)
    x_beyond, y_beyond = np.uint32(len(columns)), np.uint32(len(rows))
    plane, length = height * width, t1 - t0
    # One bin has no neighbour to share with: it is one interval in which the fraction stays 0.
    intervals = bins - 1
    index, lower, upper, added = 0, t0, t0 if intervals else t1, 0
    for i in range(len(t)):
        stamp = t[i]
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = _bin_and_edges(stamp, t0, length, intervals)
        pixel = x_steps[min(np.uint32(x[i]), x_beyond)] + y_steps[min(np.uint32(y[i]), y_beyond)]
        if pixel >= 0:
            fraction = ((stamp - t0) * intervals - index * length) / length
            _share_one(cells, index * plane + pixel, plane, 1.0 if p[i] else -1.0, fraction)
            added += 1
    return added


@njit(cache=True, nogil=True)
def voxels_from_words(
    t: NDArray[np.uint32], words: NDArray[np.uint32],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Clear `out` (bins, H, W), add the DAT records to it, return how many were added."""
    bins, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    x_steps, y_steps = _steps(columns, width, 1), _steps(rows, height, width)
    x_beyond, y_beyond = np.uint32(len(columns)), np.uint32(len(rows))
    plane, length = height * width, t1 - t0
    intervals = bins - 1
    index, lower, upper, added = 0, t0, t0 if intervals else t1, 0
    for i in range(len(t)):
        stamp = np.int64(t[i])
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = _bin_and_edges(stamp, t0, length, intervals)
        word = words[i]
        pixel = x_steps[min(word & _COORDINATE, x_beyond)] + y_steps[min((word >> _Y_SHIFT) & _COORDINATE, y_beyond)]
        if pixel >= 0:
            fraction = ((stamp - t0) * intervals - index * length) / length
            _share_one(cells, index * plane + pixel, plane, 1.0 if word & _ON_BIT else -1.0, fraction)
            added += 1
    return added
