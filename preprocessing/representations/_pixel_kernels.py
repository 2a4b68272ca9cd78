"""What the kernels that read raw events share: the bin of a stamp and the cell of a pixel.

There are two ways, side by side. One by one takes any order of events and any map of pixels. The bin: by comparing the
stamp with the two edges of the current bin; a division happens only when a stamp leaves it, so events in time order
cost one comparison, and events in any other order give the same tensor, save for the rounding of float32 sums. The
pixel: by two look-ups, whose tables end in an entry for every coordinate beyond the sensor; that costs no branch for
scaling, cropping or a stray coordinate, and no index leaves the tensor whatever the tables of a ``PixelMap`` say.

By blocks: the next events are cut where their bin ends, which a search finds. Where all of them lie in that bin and on
a sensor whose pixels keep their places, which is looked at and not believed, their cells are worked out first and used
after. The first half has no branch and no look-up, so the compiler makes vector code of it; while the second half
counts, the next block is fetched from memory, and a bin is cleared just before its first block. That is twice the speed
and more of one by one. A block that does not qualify goes one by one.

A DAT record is one number here: the stamp in bits 0-31, then x in 14 bits, y in 14 bits, and the polarity.
"""

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "BLOCK",
    "SHORTEST_RUN",
    "Integer",
    "bin_and_edges",
    "bin_in_force",
    "clear_up_to",
    "end_of_records",
    "end_of_run",
    "is_on",
    "keeps_places",
    "land",
    "locate_columns",
    "locate_records",
    "pixel_steps",
    "stamp_of",
    "unpack_records",
]

Integer: TypeAlias = int | np.int64
"""A number inside a kernel; Numba reads no annotation, the type checker sees both forms."""

BLOCK = 1024
"""Events of a block: their cells stay in the first-level cache between the two halves."""

SHORTEST_RUN = 32
"""Events of one bin in a row that are worth a block."""

STAMP = np.uint64(0xFFFFFFFF)
COORDINATE = np.uint64(0x3FFF)
X_SHIFT = np.uint64(32)
Y_SHIFT = np.uint64(32 + 14)
ON_SHIFT = np.uint64(32 + 28)
ON = np.uint64(1)

_SIGN_SHIFT = np.uint64(63)

_CUT = -(1 << 40)
"""Look-up entry of a column or row that is cut away: no sum with another entry is a pixel."""


@njit(cache=True, nogil=True)
def bin_and_edges(stamp: Integer, t0: int, length: int, bins: int) -> tuple[int, int, int]:
    """Return the bin of `stamp`, the first stamp of that bin, and the first stamp after it."""
    index = int(stamp - t0) * bins // length
    lower = t0 - (-index * length // bins)
    upper = t0 - (-(index + 1) * length // bins)
    return index, lower, upper


@njit(cache=True, nogil=True)
def bin_in_force(stamp: Integer, current: tuple[int, int, int], window: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the bin of `stamp` with its edges, or the `current` one when that holds, or the window does not, `stamp`.

    `window` is its start, its end, and how many bins it has.
    """
    t0, t1, bins = window
    if current[1] <= stamp < current[2] or stamp < t0 or stamp >= t1:
        return current
    return bin_and_edges(stamp, t0, t1 - t0, bins)


@njit(cache=True, nogil=True)
def clear_up_to(cells: NDArray[Any], begin: int, end: int) -> int:
    """Clear the cells from `begin` to `end`, if any; return up to where all are clear."""
    if end > begin:
        cells[begin:end] = 0
    return max(begin, end)


@njit(cache=True, nogil=True)
def pixel_steps(targets: NDArray[np.int32], limit: int, step: int) -> NDArray[np.int64]:
    """Return what each coordinate adds to the flat index of a pixel; the last entry stands for all beyond."""
    added = np.full(len(targets) + 1, _CUT, np.int64)
    for i in range(len(targets)):
        if 0 <= targets[i] < limit:
            added[i] = targets[i] * step
    return added


@njit(cache=True, nogil=True)
def keeps_places(targets: NDArray[np.int32], limit: int) -> bool:
    """Return whether every coordinate is its own target, within `limit`."""
    for i in range(len(targets)):
        if targets[i] != i:
            return False
    return len(targets) <= limit


@njit(cache=True, nogil=True)
def end_of_run(stamps: NDArray[np.int64], upper: Integer) -> int:
    """Return the first place whose stamp is not below `upper`; of stamps in no order, any place."""
    return len(stamps) if stamps[-1] < upper else int(np.searchsorted(stamps, upper))


@njit(cache=True, nogil=True)
def stamp_of(record: np.uint64) -> np.int64:
    """Return the stamp of a DAT record."""
    return np.int64(record & STAMP)


@njit(cache=True, nogil=True)
def is_on(record: np.uint64) -> bool:
    """Return whether a DAT record is ON."""
    return bool((record >> ON_SHIFT) & ON)


@njit(cache=True, nogil=True)
def end_of_records(records: NDArray[np.uint64], upper: Integer) -> int:
    """Do as `end_of_run` for DAT records."""
    begin, end = 0, len(records)
    if stamp_of(records[-1]) < upper:
        return end
    while begin < end:
        middle = (begin + end) // 2
        if stamp_of(records[middle]) < upper:
            begin = middle + 1
        else:
            end = middle
    return begin


@njit(cache=True, nogil=True)
def locate_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    lower: int, upper: int, sensor: tuple[int, int], width: int, on_step: int, block: NDArray[np.uint32],
) -> bool:  # fmt: skip
    """Fill `block` with the cells of its events; return whether all lie in ``[lower, upper)`` and on the sensor.

    A cell is a pixel, and `on_step` more for an ON event. A stamp beyond makes one of the differences negative, and a
    negative number has its top bit set: no branch. One loop for each width of integer, so that a vector holds as many
    as go.
    """
    last, beyond = np.int64(upper - 1), np.int64(0)
    for i in range(len(block)):
        beyond |= (t[i] - lower) | (last - t[i])
    x_most, y_most = np.uint16(0), np.uint16(0)
    for i in range(len(block)):
        x_most, y_most = max(x_most, x[i]), max(y_most, y[i])
    step, on, off = np.uint32(width), np.uint32(on_step), np.uint32(0)
    for i in range(len(block)):
        block[i] = np.uint32(y[i]) * step + np.uint32(x[i]) + (on if p[i] else off)
    return bool(beyond >= 0 and x_most < sensor[1] and y_most < sensor[0])


@njit(cache=True, nogil=True)
def locate_records(
    records: NDArray[np.uint64],
    lower: int, upper: int, sensor: tuple[int, int], width: int, on_step: int, block: NDArray[np.uint32],
) -> bool:  # fmt: skip
    """Do as `locate_columns` for DAT records, all in one width of integer, which is what makes it vector code."""
    last = np.int64(upper - 1)
    x_last, y_last = np.int64(sensor[1] - 1), np.int64(sensor[0] - 1)
    step, on = np.int64(width), np.int64(on_step)
    beyond = np.int64(0)
    for i in range(len(block)):
        record = records[i]
        stamp = stamp_of(record)
        column, row = np.int64((record >> X_SHIFT) & COORDINATE), np.int64((record >> Y_SHIFT) & COORDINATE)
        beyond |= (stamp - lower) | (last - stamp) | (x_last - column) | (y_last - row)
        block[i] = np.uint32(np.int64((record >> ON_SHIFT) & ON) * on + row * step + column)
    return bool(beyond >= 0)


@njit(cache=True, nogil=True)
def unpack_records(
    records: NDArray[np.uint64],
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
    """Return DAT records as columns t, x, y, p."""
    t, p = np.empty(len(records), np.int64), np.empty(len(records), np.uint8)
    x, y = np.empty(len(records), np.uint16), np.empty(len(records), np.uint16)
    for i in range(len(records)):
        record = records[i]
        t[i], p[i] = stamp_of(record), np.uint8((record >> ON_SHIFT) & ON)
        x[i], y[i] = np.uint16((record >> X_SHIFT) & COORDINATE), np.uint16((record >> Y_SHIFT) & COORDINATE)
    return t, x, y, p


@njit(cache=True, nogil=True)
def land(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    columns: NDArray[np.int32], rows: NDArray[np.int32], width: int, height: int,
    out_t: NDArray[np.int64], out_x: NDArray[np.uint16], out_y: NDArray[np.uint16], out_p: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Write the events that land within (height, width), where they do, and return how many."""
    x_steps, y_steps = pixel_steps(columns, width, 1), pixel_steps(rows, height, 1)
    x_beyond, y_beyond = np.uint32(len(columns)), np.uint32(len(rows))
    landed = 0
    for i in range(len(t)):
        column, row = x_steps[min(np.uint32(x[i]), x_beyond)], y_steps[min(np.uint32(y[i]), y_beyond)]
        # Written in any case, and over again unless it landed: no branch.
        out_t[landed], out_x[landed], out_y[landed], out_p[landed] = t[i], column, row, p[i]
        landed += int(column >= 0) & int(row >= 0)
    return landed
