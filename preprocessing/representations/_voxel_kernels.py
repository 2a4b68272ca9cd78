"""Events shared between two time bins, compiled by Numba: by blocks where it goes, else one by one.

See `_pixel_kernels`. The loops over columns and over records are alike and yet written out: one function for an event,
that takes the bin in force and returns it, halves the speed.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._pixel_kernels import (
    BLOCK,
    COORDINATE,
    ON,
    ON_SHIFT,
    STAMP,
    X_SHIFT,
    Y_SHIFT,
    Integer,
    bin_and_edges,
    keeps_places,
    locate_columns,
    locate_records,
    pixel_steps,
)

__all__ = ["voxels_from_columns", "voxels_from_records"]


@njit(cache=True, nogil=True)
def _share_one(
    cells: NDArray[np.float32], cell: Integer | np.uint64, step: int, sign: float, fraction: float | np.float64
) -> None:
    """Share one event between a bin and the next, which lies `step` cells on; `step` 0 is no next one."""
    cells[np.uint64(cell)] += np.float32(sign * (1.0 - fraction))
    if step:
        cells[np.uint64(cell) + np.uint64(step)] += np.float32(sign * fraction)


@njit(cache=True, nogil=True)
def _share_block(
    cells: NDArray[np.float32], base: int, step: int,
    block: NDArray[np.uint64], here: NDArray[np.float32], there: NDArray[np.float32],
) -> None:  # fmt: skip
    """Add to the cells of a block what falls to its bin, and to those `step` cells on what falls to the next."""
    for i in range(len(block)):
        cell = np.uint64(base) + block[i]
        cells[cell] += here[i]
        if step:
            cells[cell + np.uint64(step)] += there[i]


@njit(cache=True, nogil=True)
def _weigh_columns(
    t: NDArray[np.int64], p: NDArray[np.uint8], t0: int, intervals: int, done: int, length: int, off_sign: float,
    here: NDArray[np.float32], there: NDArray[np.float32],
) -> None:  # fmt: skip
    """Fill what each event of a block adds to its bin and to the next; `done` is `length` times the bin's number."""
    for i in range(len(here)):
        fraction = ((t[i] - t0) * intervals - done) / length
        sign = 1.0 if p[i] else off_sign
        here[i], there[i] = np.float32(sign * (1.0 - fraction)), np.float32(sign * fraction)


@njit(cache=True, nogil=True)
def _weigh_records(
    records: NDArray[np.uint64], t0: int, intervals: int, done: int, length: int, off_sign: float,
    here: NDArray[np.float32], there: NDArray[np.float32],
) -> None:  # fmt: skip
    """Do as `_weigh_columns` for DAT records."""
    for i in range(len(here)):
        fraction = ((np.int64(records[i] & STAMP) - t0) * intervals - done) / length
        sign = 1.0 if (records[i] >> ON_SHIFT) & ON else off_sign
        here[i], there[i] = np.float32(sign * (1.0 - fraction)), np.float32(sign * fraction)


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
    plane, sensor, length = height * width, (len(rows), len(columns)), t1 - t0
    on_step, off_sign = (channels - 1) * plane, 1.0 if channels == 2 else -1.0
    # One bin has no neighbour to share with: it is one interval in which the fraction stays 0.
    intervals, step = bins - 1, channels * plane if bins > 1 else 0
    block, here, there = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    by_blocks = keeps_places(columns, width) and keeps_places(rows, height)
    index, lower, upper, added, singles, i = 0, t0, t0 if intervals else t1, 0, 0, 0
    while i < len(t):
        if by_blocks and singles == 0 and lower < upper and i + BLOCK <= len(t):
            part = slice(i, i + BLOCK)
            if locate_columns(t[part], x[part], y[part], p[part], lower, upper, sensor, width, on_step, block):
                _weigh_columns(t[part], p[part], t0, intervals, index * length, length, off_sign, here, there)
                _share_block(cells, index * step, step, block, here, there)
                added, i = added + BLOCK, i + BLOCK
                continue
            singles = BLOCK
        stamp, pixel = t[i], x_steps[min(np.uint32(x[i]), x_beyond)] + y_steps[min(np.uint32(y[i]), y_beyond)]
        is_on = p[i] != 0
        i, singles = i + 1, max(0, singles - 1)
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, length, intervals)
        if pixel >= 0:
            fraction = ((stamp - t0) * intervals - index * length) / length
            cell = index * step + pixel + (on_step if is_on else 0)
            _share_one(cells, cell, step, 1.0 if is_on else off_sign, fraction)
            added += 1
    return added


@njit(cache=True, nogil=True)
def voxels_from_records(
    records: NDArray[np.uint64],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Do as `voxels_from_columns` for DAT records."""
    bins, channels, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    x_beyond, y_beyond = np.uint64(len(columns)), np.uint64(len(rows))
    plane, sensor, length = height * width, (len(rows), len(columns)), t1 - t0
    on_step, off_sign = (channels - 1) * plane, 1.0 if channels == 2 else -1.0
    intervals, step = bins - 1, channels * plane if bins > 1 else 0
    block, here, there = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    by_blocks = keeps_places(columns, width) and keeps_places(rows, height)
    index, lower, upper, added, singles, i = 0, t0, t0 if intervals else t1, 0, 0, 0
    while i < len(records):
        # A bin that begins before zero holds no negative stamp, but has no unsigned edge either.
        if by_blocks and singles == 0 and 0 <= lower < upper and i + BLOCK <= len(records):
            part = records[i : i + BLOCK]
            if locate_records(part, lower, upper, sensor, width, on_step, block):
                _weigh_records(part, t0, intervals, index * length, length, off_sign, here, there)
                _share_block(cells, index * step, step, block, here, there)
                added, i = added + BLOCK, i + BLOCK
                continue
            singles = BLOCK
        record = records[i]
        i, singles = i + 1, max(0, singles - 1)
        stamp = np.int64(record & STAMP)
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, length, intervals)
        column, row = (record >> X_SHIFT) & COORDINATE, (record >> Y_SHIFT) & COORDINATE
        pixel = x_steps[min(column, x_beyond)] + y_steps[min(row, y_beyond)]
        if pixel >= 0:
            is_on = (record >> ON_SHIFT) & ON
            fraction = ((stamp - t0) * intervals - index * length) / length
            cell = index * step + pixel + (on_step if is_on else 0)
            _share_one(cells, cell, step, 1.0 if is_on else off_sign, fraction)
            added += 1
    return added
