"""Events shared between two time bins, compiled by Numba: by blocks where it goes, else one by one.

See `_pixel_kernels`.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._pixel_kernels import (
    BLOCK,
    SHORTEST_RUN,
    Integer,
    bin_and_edges,
    bin_in_force,
    clear_up_to,
    end_of_records,
    end_of_run,
    is_on,
    keeps_places,
    locate_columns,
    locate_records,
    pixel_steps,
    stamp_of,
    unpack_records,
)
from ._prefetch_kernels import STRIDE, prefetch_columns, prefetch_records

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
def _share_some(
    cells: NDArray[np.float32], step: int,
    located: NDArray[np.uint32], here: NDArray[np.float32], there: NDArray[np.float32],
) -> None:  # fmt: skip
    """Add to some cells of a block what falls to its bin, and to those `step` cells on what falls to the next."""
    for i in range(len(located)):
        cell = np.uint64(located[i])
        cells[cell] += here[i]
        if step:
            cells[cell + np.uint64(step)] += there[i]


@njit(cache=True, nogil=True)
def _weigh_columns(
    t: NDArray[np.int64], p: NDArray[np.uint8], t0: int, intervals: int, done: int, length: int, off_sign: float,
    here: NDArray[np.float32], there: NDArray[np.float32],
) -> None:  # fmt: skip
    """Fill what each event of a block adds to its bin and to the next; `done` is `length` times the bin's number."""
    for i in range(len(t)):
        fraction = ((t[i] - t0) * intervals - done) / length
        sign = 1.0 if p[i] else off_sign
        here[i], there[i] = np.float32(sign * (1.0 - fraction)), np.float32(sign * fraction)


@njit(cache=True, nogil=True)
def _weigh_records(
    records: NDArray[np.uint64], t0: int, intervals: int, done: int, length: int, off_sign: float,
    here: NDArray[np.float32], there: NDArray[np.float32],
) -> None:  # fmt: skip
    """Do as `_weigh_columns` for DAT records."""
    for i in range(len(records)):
        fraction = ((stamp_of(records[i]) - t0) * intervals - done) / length
        sign = 1.0 if is_on(records[i]) else off_sign
        here[i], there[i] = np.float32(sign * (1.0 - fraction)), np.float32(sign * fraction)


@njit(cache=True, nogil=True)
def _share_singly(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    current: tuple[int, int, int], window: tuple[int, int, int], signs: tuple[int, float],
    x_steps: NDArray[np.int64], y_steps: NDArray[np.int64], step: int, cells: NDArray[np.float32],
) -> tuple[int, tuple[int, int, int]]:  # fmt: skip
    """Add events in any order at any place; return how many were added, and the bin of the last."""
    x_beyond, y_beyond = np.uint32(len(x_steps) - 1), np.uint32(len(y_steps) - 1)
    t0, t1, intervals = window
    index, lower, upper = current
    on_step, off_sign = signs
    added, length = 0, t1 - t0
    for i in range(len(t)):
        stamp, pixel = t[i], x_steps[min(np.uint32(x[i]), x_beyond)] + y_steps[min(np.uint32(y[i]), y_beyond)]
        if stamp < lower or stamp >= upper:
            if stamp < t0 or stamp >= t1:
                continue
            index, lower, upper = bin_and_edges(stamp, t0, length, intervals)
        if pixel >= 0:
            fraction = ((stamp - t0) * intervals - index * length) / length
            cell = index * step + pixel + (on_step if p[i] else 0)
            _share_one(cells, cell, step, 1.0 if p[i] else off_sign, fraction)
            added += 1
    return added, (index, lower, upper)


@njit(cache=True, nogil=True)
def voxels_from_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Clear `out`, add the events to it, return how many were added.

    `out` is (bins, 1, H, W), where an OFF event counts as minus one, or (bins, 2, H, W), OFF before ON.
    """
    bins, channels, height, width = out.shape
    cells, plane, sensor, length = out.reshape(-1), height * width, (len(rows), len(columns)), t1 - t0
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    by_blocks = keeps_places(columns, width) and keeps_places(rows, height)
    on_step, off_sign = (channels - 1) * plane, 1.0 if channels == 2 else -1.0
    # One bin has no neighbour to share with: it is one interval in which the fraction stays 0.
    intervals, step = bins - 1, channels * plane if bins > 1 else 0
    cells_of_block, here, there = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    window, current = (t0, t1, intervals), (0, t0, t0 if intervals else t1)
    added, clear, i = 0, 0, 0
    while i < len(t):
        current = bin_in_force(t[i], current, window)
        index, lower, upper = current
        stop = i + end_of_run(t[i : i + BLOCK], upper)
        part, block = slice(i, stop), cells_of_block[: stop - i]
        if (
            by_blocks
            and len(block) >= SHORTEST_RUN
            and locate_columns(t[part], x[part], y[part], p[part], lower, upper, sensor, width, on_step, block)
        ):
            _weigh_columns(t[part], p[part], t0, intervals, index * length, length, off_sign, here, there)
            clear = clear_up_to(cells, clear, min((index + 2) * channels * plane, len(cells)))
            for begin in range(0, len(block), STRIDE):
                prefetch_columns(t, x, y, p, i + BLOCK + begin)
                some = slice(begin, begin + STRIDE)
                _share_some(cells[index * step :], step, block[some], here[some], there[some])
            added += len(block)
        else:
            clear = clear_up_to(cells, clear, len(cells))
            stop = max(stop, min(i + SHORTEST_RUN, len(t)))
            part = slice(i, stop)
            few, current = _share_singly(
                t[part], x[part], y[part], p[part], current, window, (on_step, off_sign), x_steps, y_steps, step, cells
            )
            added += few
        i = stop
    clear_up_to(cells, clear, len(cells))
    return added


@njit(cache=True, nogil=True)
def voxels_from_records(
    records: NDArray[np.uint64],
    t0: int, t1: int, columns: NDArray[np.int32], rows: NDArray[np.int32], out: NDArray[np.float32],
) -> int:  # fmt: skip
    """Do as `voxels_from_columns` for DAT records."""
    bins, channels, height, width = out.shape
    cells, plane, sensor, length = out.reshape(-1), height * width, (len(rows), len(columns)), t1 - t0
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, width)
    by_blocks = keeps_places(columns, width) and keeps_places(rows, height)
    on_step, off_sign = (channels - 1) * plane, 1.0 if channels == 2 else -1.0
    intervals, step = bins - 1, channels * plane if bins > 1 else 0
    cells_of_block, here, there = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    window, current = (t0, t1, intervals), (0, t0, t0 if intervals else t1)
    added, clear, i = 0, 0, 0
    while i < len(records):
        current = bin_in_force(stamp_of(records[i]), current, window)
        index, lower, upper = current
        stop = i + end_of_records(records[i : i + BLOCK], upper)
        block = cells_of_block[: stop - i]
        if (
            by_blocks
            and len(block) >= SHORTEST_RUN
            and locate_records(records[i:stop], lower, upper, sensor, width, on_step, block)
        ):
            _weigh_records(records[i:stop], t0, intervals, index * length, length, off_sign, here, there)
            clear = clear_up_to(cells, clear, min((index + 2) * channels * plane, len(cells)))
            for begin in range(0, len(block), STRIDE):
                prefetch_records(records, i + BLOCK + begin)
                some = slice(begin, begin + STRIDE)
                _share_some(cells[index * step :], step, block[some], here[some], there[some])
            added += len(block)
        else:
            clear = clear_up_to(cells, clear, len(cells))
            stop = max(stop, min(i + SHORTEST_RUN, len(records)))
            t, x, y, p = unpack_records(records[i:stop])
            few, current = _share_singly(
                t, x, y, p, current, window, (on_step, off_sign), x_steps, y_steps, step, cells
            )
            added += few
        i = stop
    clear_up_to(cells, clear, len(cells))
    return added
