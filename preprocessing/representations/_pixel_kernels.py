"""What the kernels that read raw events share: the bin of a stamp and the cell of a pixel.

There are two ways, side by side. One by one takes any order of events and any map of pixels. The bin: by comparing the
stamp with the two edges of the current bin; a division happens only when a stamp leaves it, so events in time order
cost one comparison, and events in any other order give the same tensor, save for the rounding of float32 sums. The
pixel: by two look-ups, whose tables end in an entry for every coordinate beyond the sensor; that costs no branch for
scaling, cropping or a stray coordinate, and no index leaves the tensor whatever the tables of a ``PixelMap`` say.

By blocks: where a whole block lies in the bin in force and on a sensor whose pixels keep their places, the cells of the
block are worked out first and used after. The first half of that has no branch and no look-up, so the compiler makes
vector code of it: 1.7 to 2 times the speed where it was tried. A block that does not qualify goes one by one.

A DAT record is one number here: the stamp in bits 0-31, then x in 14 bits, y in 14 bits, and the polarity.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "BLOCK",
    "COORDINATE",
    "ON",
    "ON_SHIFT",
    "STAMP",
    "X_SHIFT",
    "Y_SHIFT",
    "Integer",
    "bin_and_edges",
    "keeps_places",
    "land",
    "locate_columns",
    "locate_records",
    "pixel_steps",
]

Integer: TypeAlias = int | np.int64
"""A number inside a kernel; Numba reads no annotation, the type checker sees both forms."""

BLOCK = 256
"""Events of a block: their cells stay in the first-level cache between the two halves."""

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
def locate_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    lower: int, upper: int, sensor: tuple[int, int], width: int, on_step: int, block: NDArray[np.uint64],
) -> bool:  # fmt: skip
    """Fill `block` with the cells of its events; return whether all lie in ``[lower, upper)`` and on the sensor.

    A cell is a pixel, and `on_step` more for an ON event. What lies beyond makes one of the differences negative, and a
    negative number has its top bit set: no branch.
    """
    last = upper - 1
    x_last, y_last = np.int64(sensor[1] - 1), np.int64(sensor[0] - 1)
    beyond = np.int64(0)
    for i in range(len(block)):
        column, row = np.int64(x[i]), np.int64(y[i])
        beyond |= (t[i] - lower) | (last - t[i]) | (x_last - column) | (y_last - row)
        block[i] = np.uint64(np.int64(p[i] != 0) * on_step + row * width + column)
    return bool(beyond >= 0)


@njit(cache=True, nogil=True)
def locate_records(
    records: NDArray[np.uint64],
    lower: int, upper: int, sensor: tuple[int, int], width: int, on_step: int, block: NDArray[np.uint64],
) -> bool:  # fmt: skip
    """Do as `locate_columns` for DAT records, all in one width of integer, which is what makes it vector code."""
    first, last = np.uint64(lower), np.uint64(upper - 1)
    x_last, y_last = np.uint64(sensor[1] - 1), np.uint64(sensor[0] - 1)
    step, on = np.uint64(width), np.uint64(on_step)
    beyond = np.uint64(0)
    for i in range(len(block)):
        record = records[i]
        stamp = record & STAMP
        column, row = (record >> X_SHIFT) & COORDINATE, (record >> Y_SHIFT) & COORDINATE
        beyond |= (stamp - first) | (last - stamp) | (x_last - column) | (y_last - row)
        block[i] = ((record >> ON_SHIFT) & ON) * on + row * step + column
    return bool((beyond >> _SIGN_SHIFT) == np.uint64(0))


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
