"""Events into counters, compiled by Numba: by blocks where it goes, else one by one (see `_pixel_kernels`)."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._pixel_kernels import (
    BLOCK,
    SHORTEST_RUN,
    bin_and_edges,
    bin_in_force,
    clear_up_to,
    end_of_records,
    end_of_run,
    keeps_places,
    locate_columns,
    locate_records,
    pixel_steps,
    stamp_of,
    unpack_records,
)
from ._prefetch_kernels import STRIDE, prefetch_columns, prefetch_records

__all__ = ["histogram_from_columns", "histogram_from_records"]

_LARGEST_COUNT = np.uint8(255)


@njit(cache=True, nogil=True)
def _count_one(cells: NDArray[np.uint8], cell: np.uint64) -> None:
    """Add one to a counter that stays at 255; few ever are, so that the branch costs less than arithmetic would."""
    count = cells[cell]
    if count != _LARGEST_COUNT:
        cells[cell] = count + np.uint8(1)


@njit(cache=True, nogil=True)
def _count_some(cells: NDArray[np.uint8], located: NDArray[np.uint32]) -> None:
    """Count some cells of one bin."""
    for i in range(len(located)):
        _count_one(cells, np.uint64(located[i]))


@njit(cache=True, nogil=True)
def _count_singly(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    current: tuple[int, int, int], window: tuple[int, int, int],
    x_steps: NDArray[np.int64], y_steps: NDArray[np.int64], plane: int, cells: NDArray[np.uint8],
) -> tuple[int, tuple[int, int, int]]:  # fmt: skip
    """Count events in any order at any place; return how many were counted, and the bin of the last."""
    x_beyond, y_beyond = np.uint32(len(x_steps) - 1), np.uint32(len(y_steps) - 1)
    t0, t1, bins = window
    index, lower, upper = current
    base, counted = 2 * index * plane, 0
    for i in range(len(t)):
        stamp, pixel = t[i], x_steps[min(np.uint32(x[i]), x_beyond)] + y_steps[min(np.uint32(y[i]), y_beyond)]
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, t1 - t0, bins)
            base = 2 * index * plane
        if pixel >= 0:
            _count_one(cells, np.uint64(base + (plane if p[i] else 0) + pixel))
            counted += 1
    return counted, (index, lower, upper)


@njit(cache=True, nogil=True)
def histogram_from_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Clear `out` (bins, 2, H, W), count the events into it, return how many were counted."""
    bins, _, height, width = out.shape
    cells, plane, sensor = out.reshape(-1), height * width, (len(rows), len(columns))
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    by_blocks = keeps_places(columns, width) and keeps_places(rows, height)
    cells_of_block = np.empty(BLOCK, np.uint32)
    window, current = (t0, t1, bins), (0, t0, t0)
    counted, clear, i = 0, 0, 0
    while i < len(t):
        current = bin_in_force(t[i], current, window)
        index, lower, upper = current
        stop = i + end_of_run(t[i : i + BLOCK], upper)
        part, block = slice(i, stop), cells_of_block[: stop - i]
        if (
            by_blocks
            and len(block) >= SHORTEST_RUN
            and locate_columns(t[part], x[part], y[part], p[part], lower, upper, sensor, width, plane, block)
        ):
            base = 2 * index * plane
            clear = clear_up_to(cells, clear, base + 2 * plane)
            for begin in range(0, len(block), STRIDE):
                prefetch_columns(t, x, y, p, i + BLOCK + begin)
                _count_some(cells[base:], block[begin : begin + STRIDE])
            counted += len(block)
        else:
            clear = clear_up_to(cells, clear, len(cells))
            stop = max(stop, min(i + SHORTEST_RUN, len(t)))
            part = slice(i, stop)
            few, current = _count_singly(
                t[part], x[part], y[part], p[part], current, window, x_steps, y_steps, plane, cells
            )
            counted += few
        i = stop
    clear_up_to(cells, clear, len(cells))
    return counted


@njit(cache=True, nogil=True)
def histogram_from_records(
    records: NDArray[np.uint64],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Clear `out` (bins, 2, H, W), count the DAT records into it, return how many were counted."""
    bins, _, height, width = out.shape
    cells, plane, sensor = out.reshape(-1), height * width, (len(rows), len(columns))
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    by_blocks = keeps_places(columns, width) and keeps_places(rows, height)
    cells_of_block = np.empty(BLOCK, np.uint32)
    window, current = (t0, t1, bins), (0, t0, t0)
    counted, clear, i = 0, 0, 0
    while i < len(records):
        current = bin_in_force(stamp_of(records[i]), current, window)
        index, lower, upper = current
        stop = i + end_of_records(records[i : i + BLOCK], upper)
        block = cells_of_block[: stop - i]
        if (
            by_blocks
            and len(block) >= SHORTEST_RUN
            and locate_records(records[i:stop], lower, upper, sensor, width, plane, block)
        ):
            base = 2 * index * plane
            clear = clear_up_to(cells, clear, base + 2 * plane)
            for begin in range(0, len(block), STRIDE):
                prefetch_records(records, i + BLOCK + begin)
                _count_some(cells[base:], block[begin : begin + STRIDE])
            counted += len(block)
        else:
            clear = clear_up_to(cells, clear, len(cells))
            stop = max(stop, min(i + SHORTEST_RUN, len(records)))
            t, x, y, p = unpack_records(records[i:stop])
            few, current = _count_singly(t, x, y, p, current, window, x_steps, y_steps, plane, cells)
            counted += few
        i = stop
    clear_up_to(cells, clear, len(cells))
    return counted
