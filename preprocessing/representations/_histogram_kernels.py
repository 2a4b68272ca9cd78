"""Events into counters, compiled by Numba: by blocks where it goes, else one by one (see `_pixel_kernels`)."""

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
    bin_and_edges,
    keeps_places,
    locate_columns,
    locate_records,
    pixel_steps,
)

__all__ = ["histogram_from_columns", "histogram_from_records"]

_LARGEST_COUNT = np.uint8(255)


@njit(cache=True, nogil=True)
def _count_one(cells: NDArray[np.uint8], cell: np.uint64) -> None:
    """Add one to a counter that stays at 255."""
    count = cells[cell]
    cells[cell] = count + np.uint8(count != _LARGEST_COUNT)


@njit(cache=True, nogil=True)
def _count_block(cells: NDArray[np.uint8], base: int, block: NDArray[np.uint64]) -> None:
    """Count the cells of a block of one bin."""
    for i in range(len(block)):
        _count_one(cells, np.uint64(base) + block[i])


@njit(cache=True, nogil=True)
def histogram_from_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Clear `out` (bins, 2, H, W), count the events into it, return how many were counted."""
    bins, _, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    x_beyond, y_beyond = np.uint32(len(columns)), np.uint32(len(rows))
    plane, sensor, block = height * width, (len(rows), len(columns)), np.empty(BLOCK, np.uint64)
    by_blocks = keeps_places(columns, width) and keeps_places(rows, height)
    base, lower, upper, counted, singles, i = 0, t0, t0, 0, 0, 0
    while i < len(t):
        if by_blocks and singles == 0 and lower < upper and i + BLOCK <= len(t):
            part = slice(i, i + BLOCK)
            if locate_columns(t[part], x[part], y[part], p[part], lower, upper, sensor, width, plane, block):
                _count_block(cells, base, block)
                counted, i = counted + BLOCK, i + BLOCK
                continue
            singles = BLOCK
        stamp, pixel = t[i], x_steps[min(np.uint32(x[i]), x_beyond)] + y_steps[min(np.uint32(y[i]), y_beyond)]
        polarity = plane if p[i] else 0
        i, singles = i + 1, max(0, singles - 1)
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, t1 - t0, bins)
            base = 2 * index * plane
        if pixel >= 0:
            _count_one(cells, np.uint64(base + polarity + pixel))
            counted += 1
    return counted


@njit(cache=True, nogil=True)
def histogram_from_records(
    records: NDArray[np.uint64],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Clear `out` (bins, 2, H, W), count the DAT records into it, return how many were counted."""
    bins, _, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    x_beyond, y_beyond = np.uint64(len(columns)), np.uint64(len(rows))
    plane, sensor, block = height * width, (len(rows), len(columns)), np.empty(BLOCK, np.uint64)
    by_blocks = keeps_places(columns, width) and keeps_places(rows, height)
    base, lower, upper, counted, singles, i = 0, t0, t0, 0, 0, 0
    while i < len(records):
        # A bin that begins before zero holds no negative stamp, but has no unsigned edge either.
        if by_blocks and singles == 0 and 0 <= lower < upper and i + BLOCK <= len(records):
            if locate_records(records[i : i + BLOCK], lower, upper, sensor, width, plane, block):
                _count_block(cells, base, block)
                counted, i = counted + BLOCK, i + BLOCK
                continue
            singles = BLOCK
        record = records[i]
        i, singles = i + 1, max(0, singles - 1)
        stamp = np.int64(record & STAMP)
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, t1 - t0, bins)
            base = 2 * index * plane
        column, row = (record >> X_SHIFT) & COORDINATE, (record >> Y_SHIFT) & COORDINATE
        pixel = x_steps[min(column, x_beyond)] + y_steps[min(row, y_beyond)]
        if pixel >= 0:
            _count_one(cells, np.uint64(base + (plane if (record >> ON_SHIFT) & ON else 0) + pixel))
            counted += 1
    return counted
