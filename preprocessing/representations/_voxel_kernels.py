"""Events shared between two time bins, one pass each, compiled by Numba.

There are two kernels: over the columns of ``Events``, and over DAT records (stamp, packed word), where decoding and
summing are fused, so that a window of a memory-mapped file is read once and copied never. Their loops are alike and
yet written out: one function for an event, that takes the bin in force and returns it, halves the speed.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._pixel_kernels import Integer, bin_and_edges, pixel_steps

__all__ = ["voxels_from_columns", "voxels_from_words"]

_COORDINATE = np.uint32(0x3FFF)
_Y_SHIFT = np.uint32(14)
_ON_BIT = np.uint32(1 << 28)


@njit(cache=True, nogil=True)
def _share_one(cells: NDArray[np.float32], cell: Integer, step: int, sign: float, fraction: float | np.float64) -> None:
    """Share one event between a bin and the next, which lies `step` cells on."""
    cells[np.uint64(cell)] += np.float32(sign * (1.0 - fraction))
    if fraction > 0.0:
        cells[np.uint64(cell + step)] += np.float32(sign * fraction)


@njit(cache=True, nogil=True)
def voxels_from_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Clear `out`, add the events to it, return how many were added.

    `out` is (bins, 1, H, W), where an OFF event counts as minus one, or (bins, 2, H, W), OFF before ON.
    """
    bins, channels, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    x_beyond, y_beyond = np.uint32(len(columns)), np.uint32(len(rows))
    plane, length = height * width, t1 - t0
    step, on_step, off_sign = channels * plane, (channels - 1) * plane, 1.0 if channels == 2 else -1.0
    # One bin has no neighbour to share with: it is one interval in which the fraction stays 0.
    intervals = bins - 1
    index, lower, upper, added = 0, t0, t0 if intervals else t1, 0
    for i in range(len(t)):
        stamp = t[i]
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, length, intervals)
        pixel = x_steps[min(np.uint32(x[i]), x_beyond)] + y_steps[min(np.uint32(y[i]), y_beyond)]
        if pixel >= 0:
            fraction = ((stamp - t0) * intervals - index * length) / length
            cell = index * step + pixel + (on_step if p[i] else 0)
            _share_one(cells, cell, step, 1.0 if p[i] else off_sign, fraction)
            added += 1
    return added


@njit(cache=True, nogil=True)
def voxels_from_words(
    t: NDArray[np.uint32], words: NDArray[np.uint32],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Do as `voxels_from_columns` for DAT records."""
    bins, channels, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    x_beyond, y_beyond = np.uint32(len(columns)), np.uint32(len(rows))
    plane, length = height * width, t1 - t0
    step, on_step, off_sign = channels * plane, (channels - 1) * plane, 1.0 if channels == 2 else -1.0
    intervals = bins - 1
    index, lower, upper, added = 0, t0, t0 if intervals else t1, 0
    for i in range(len(t)):
        stamp = np.int64(t[i])
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, length, intervals)
        word = words[i]
        pixel = x_steps[min(word & _COORDINATE, x_beyond)] + y_steps[min((word >> _Y_SHIFT) & _COORDINATE, y_beyond)]
        if pixel >= 0:
            fraction = ((stamp - t0) * intervals - index * length) / length
            cell = index * step + pixel + (on_step if word & _ON_BIT else 0)
            _share_one(cells, cell, step, 1.0 if word & _ON_BIT else off_sign, fraction)
            added += 1
    return added
