"""Events into counters, compiled by Numba.

Two ways of counting stand side by side. One by one: any order of events, any map of pixels, by the look-ups of
`_pixel_kernels`. By blocks: where a whole block lies in the bin in force and on a sensor whose pixels keep their
places, the cells of the block are worked out first and counted after. The first half of that has no branch and no
look-up, so the compiler makes vector code of it: about twice the speed where it was tried; the rest is the counting
itself. A block that does not qualify is counted one by one.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._pixel_kernels import bin_and_edges, pixel_steps

__all__ = ["histogram_from_columns", "histogram_from_words"]

_BLOCK = 256
"""Events of a block: their cells stay in the first-level cache between the two halves."""

_STAMP = np.uint64(0xFFFFFFFF)
_COORDINATE = np.uint64(0x3FFF)
_X_SHIFT = np.uint64(32)
_Y_SHIFT = np.uint64(32 + 14)
_ON_SHIFT = np.uint64(32 + 28)
_ON = np.uint64(1)
_SIGN_SHIFT = np.uint64(63)
_LARGEST_COUNT = np.uint8(255)


@njit(cache=True, nogil=True)
def _keeps_places(targets: NDArray[np.int32], limit: int) -> bool:
    """Return whether every coordinate is its own target, within `limit`."""
    for i in range(len(targets)):
        if targets[i] != i:
            return False
    return len(targets) <= limit


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
def _locate_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    lower: int, upper: int, sensor: tuple[int, int], width: int, plane: int, block: NDArray[np.uint64],
) -> bool:  # fmt: skip
    """Fill `block` with the cells of its events; return whether all lie in ``[lower, upper)`` and on the sensor.

    What lies beyond makes one of the differences negative, and a negative number has its top bit set: no branch.
    """
    last = upper - 1
    x_last, y_last = np.int64(sensor[1] - 1), np.int64(sensor[0] - 1)
    beyond = np.int64(0)
    for i in range(len(block)):
        column, row = np.int64(x[i]), np.int64(y[i])
        beyond |= (t[i] - lower) | (last - t[i]) | (x_last - column) | (y_last - row)
        block[i] = np.uint64(np.int64(p[i] != 0) * plane + row * width + column)
    return bool(beyond >= 0)


@njit(cache=True, nogil=True)
def _locate_words(
    records: NDArray[np.uint64],
    lower: int, upper: int, sensor: tuple[int, int], width: int, plane: int, block: NDArray[np.uint64],
) -> bool:  # fmt: skip
    """Do as `_locate_columns` for DAT records, all in one width of integer, which is what makes it vector code."""
    first, last = np.uint64(lower), np.uint64(upper - 1)
    x_last, y_last = np.uint64(sensor[1] - 1), np.uint64(sensor[0] - 1)
    step, on = np.uint64(width), np.uint64(plane)
    beyond = np.uint64(0)
    for i in range(len(block)):
        record = records[i]
        stamp = record & _STAMP
        column, row = (record >> _X_SHIFT) & _COORDINATE, (record >> _Y_SHIFT) & _COORDINATE
        beyond |= (stamp - first) | (last - stamp) | (x_last - column) | (y_last - row)
        block[i] = ((record >> _ON_SHIFT) & _ON) * on + row * step + column
    return bool((beyond >> _SIGN_SHIFT) == np.uint64(0))


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
    plane, sensor, block = height * width, (len(rows), len(columns)), np.empty(_BLOCK, np.uint64)
    keeps_places = _keeps_places(columns, width) and _keeps_places(rows, height)
    base, lower, upper, counted, singles, i = 0, t0, t0, 0, 0, 0
    while i < len(t):
        if keeps_places and singles == 0 and lower < upper and i + _BLOCK <= len(t):
            part = slice(i, i + _BLOCK)
            if _locate_columns(t[part], x[part], y[part], p[part], lower, upper, sensor, width, plane, block):
                _count_block(cells, base, block)
                counted, i = counted + _BLOCK, i + _BLOCK
                continue
            singles = _BLOCK
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
def histogram_from_words(
    records: NDArray[np.uint64],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Clear `out` (bins, 2, H, W), count the DAT records into it, return how many were counted."""
    bins, _, height, width = out.shape
    cells = out.reshape(-1)
    cells[:] = 0
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    x_beyond, y_beyond = np.uint64(len(columns)), np.uint64(len(rows))
    plane, sensor, block = height * width, (len(rows), len(columns)), np.empty(_BLOCK, np.uint64)
    keeps_places = _keeps_places(columns, width) and _keeps_places(rows, height)
    base, lower, upper, counted, singles, i = 0, t0, t0, 0, 0, 0
    while i < len(records):
        # A bin that begins before zero holds no negative stamp, but has no unsigned edge either.
        if keeps_places and singles == 0 and 0 <= lower < upper and i + _BLOCK <= len(records):
            if _locate_words(records[i : i + _BLOCK], lower, upper, sensor, width, plane, block):
                _count_block(cells, base, block)
                counted, i = counted + _BLOCK, i + _BLOCK
                continue
            singles = _BLOCK
        record = records[i]
        i, singles = i + 1, max(0, singles - 1)
        stamp = np.int64(record & _STAMP)
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, t1 - t0, bins)
            base = 2 * index * plane
        column, row = (record >> _X_SHIFT) & _COORDINATE, (record >> _Y_SHIFT) & _COORDINATE
        pixel = x_steps[min(column, x_beyond)] + y_steps[min(row, y_beyond)]
        if pixel >= 0:
            _count_one(cells, np.uint64(base + (plane if (record >> _ON_SHIFT) & _ON else 0) + pixel))
            counted += 1
    return counted
