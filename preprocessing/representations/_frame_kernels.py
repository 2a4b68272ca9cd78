"""Events of one time bin into frames, compiled by Numba.

Every kernel takes columns of equal length whose pixels lie inside the frame, as `place_events` gives them, and adds to
what the frame holds. An unsigned coordinate is an index as it is; a polarity above zero is ON.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "add_clipped",
    "add_signed_clipped",
    "clip_cells",
    "count_in_bins",
    "mark_newest_polarity",
    "mark_newest_stamp",
    "set_digit",
    "share_in_cube",
    "sum_signs_in_bins",
]


@njit(cache=True, nogil=True)
def mark_newest_polarity(
    x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], out: NDArray[np.uint8], on: int, off: int
) -> None:
    """Write `on` or `off` into `out` (H, W); the last event of a pixel stays."""
    for i in range(len(x)):
        out[y[i], x[i]] = on if p[i] else off


@njit(cache=True, nogil=True)
def set_digit(
    x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], digit: np.uint8, out: NDArray[np.uint8]
) -> None:
    """Set `digit`, a power of two, in `out` (2, H, W)."""
    for i in range(len(x)):
        out[1 if p[i] else 0, y[i], x[i]] |= digit


@njit(cache=True, nogil=True)
def mark_newest_stamp(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], out: NDArray[np.int64]
) -> None:
    """Write the stamps into `out` (2, H, W); the last event of a pixel and polarity stays."""
    for i in range(len(t)):
        out[1 if p[i] else 0, y[i], x[i]] = t[i]


@njit(cache=True, nogil=True)
def count_in_bins(
    bins: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], out: NDArray[Any]
) -> None:
    """Add one per event to `out` (2, bins, H, W), in the width of its integers: a full counter wraps."""
    for i in range(len(x)):
        out[1 if p[i] else 0, bins[i], y[i], x[i]] += 1


@njit(cache=True, nogil=True)
def sum_signs_in_bins(
    bins: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], out: NDArray[np.int8]
) -> None:
    """Add the sign of each event to `out` (bins, H, W), in eight bits: a full counter wraps."""
    for i in range(len(x)):
        out[bins[i], y[i], x[i]] += 1 if p[i] else -1


@njit(cache=True, nogil=True)
def clip_cells(bounds: NDArray[Any], out: NDArray[Any]) -> None:
    """Hold all of `out` within two bounds of its type: vector code, many times faster than ``np.clip``."""
    cells = out.reshape(-1)
    least, most = bounds[0], bounds[1]
    for i in range(len(cells)):
        cells[i] = min(max(cells[i], least), most)


@njit(cache=True, nogil=True)
def add_clipped(
    x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    increment: np.float32, limit: np.float32, out: NDArray[np.float32],
) -> None:  # fmt: skip
    """Add `increment` per event to `out` (2, H, W), never beyond `limit`, in float32 and in their order."""
    for i in range(len(x)):
        polarity = 1 if p[i] else 0
        out[polarity, y[i], x[i]] = min(limit, out[polarity, y[i], x[i]] + increment)


@njit(cache=True, nogil=True)
def add_signed_clipped(
    x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    increment: np.float32, limit: np.float32, out: NDArray[np.float32],
) -> None:  # fmt: skip
    """Add `increment` with the sign of each event to `out` (H, W), never beyond `limit` on either side."""
    for i in range(len(x)):
        signed = increment if p[i] else -increment
        out[y[i], x[i]] = max(-limit, min(limit, out[y[i], x[i]] + signed))


@njit(cache=True, nogil=True)
def share_in_cube(
    offsets: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    bins_per_us: np.float32, weight: np.float32, limit: np.float32, out: NDArray[np.float32],
) -> None:  # fmt: skip
    """Share each event between two bins of `out` (bins, 1 or 2, H, W) by OpenEB's float32 arithmetic.

    `offsets` are microseconds from the start of the window.
    """
    bins, channels = out.shape[:2]
    one, zero, half = np.float32(1.0), np.float32(0.0), np.float32(0.5)
    for i in range(len(x)):
        position = np.float32(offsets[i]) * bins_per_us - half
        left = int(np.floor(position))
        left_share = max(zero, one - abs(np.float32(left) - position))
        channel = 1 if p[i] and channels == 2 else 0
        sign = -one if channels == 1 and not p[i] else one
        for index, share in ((left, left_share), (left + 1, one - left_share)):
            if 0 <= index < bins:
                total = out[index, channel, y[i], x[i]] + share * sign * weight
                out[index, channel, y[i], x[i]] = max(-limit, min(limit, total))
