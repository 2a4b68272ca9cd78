"""Time surfaces, compiled by Numba; what is said of columns in `_frame_kernels` holds here too."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["NEVER", "average_surfaces", "fill_decayed", "fill_log_ages", "push_stamps"]

NEVER = -(1 << 62)
"""Stamp of a pixel that had no event; no stamp of a window is as small."""


@njit(cache=True, nogil=True)
def fill_decayed(
    newest: NDArray[np.int64], at_us: int, tau_us: float, is_linear: bool, out: NDArray[np.float32]
) -> None:
    """Fill `out` with what is left of each stamp of `newest` at `at_us`; both of one shape, taken flat."""
    stamps, cells = newest.reshape(-1), out.reshape(-1)
    for i in range(len(stamps)):
        if stamps[i] == NEVER:
            cells[i] = 0.0
            continue
        age = (at_us - stamps[i]) / tau_us
        cells[i] = max(0.0, 1.0 - age) if is_linear else math.exp(-age)


@njit(cache=True, nogil=True)
def push_stamps(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], out: NDArray[np.int64]
) -> None:
    """Put each stamp before those of its pixel and polarity in `out` (2, depth, H, W); the oldest drops out."""
    depth = out.shape[1]
    for i in range(len(t)):
        polarity = 1 if p[i] else 0
        for place in range(depth - 1, 0, -1):
            out[polarity, place, y[i], x[i]] = out[polarity, place - 1, y[i], x[i]]
        out[polarity, 0, y[i], x[i]] = t[i]


@njit(cache=True, nogil=True)
def fill_log_ages(stamps: NDArray[np.int64], at_us: int, least_us: int, most_us: int, out: NDArray[np.float32]) -> None:
    """Fill `out` with the logarithm of each stamp's age at `at_us`, above that of `least_us`; one shape, taken flat."""
    flat, cells = stamps.reshape(-1), out.reshape(-1)
    floor = math.log(least_us + 1.0)
    oldest = max(0.0, math.log(most_us + 1.0) - floor)
    for i in range(len(flat)):
        age = at_us - flat[i]
        cells[i] = oldest if flat[i] == NEVER or age >= most_us else max(0.0, math.log(age + 1.0) - floor)


@njit(cache=True, nogil=True)
def _decayed_sum(
    sums: NDArray[np.float64], seen: NDArray[np.int64], polarity: int, row: int, column: int, at_us: int, tau_us: float
) -> float:
    """Return the sum of a pixel's decaying memory at `at_us`."""
    if seen[polarity, row, column] == NEVER:
        return 0.0
    return float(sums[polarity, row, column] * math.exp((seen[polarity, row, column] - at_us) / tau_us))


@njit(cache=True, nogil=True)
def _remember(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    tau_us: float, sums: NDArray[np.float64], seen: NDArray[np.int64],
) -> None:  # fmt: skip
    """Add events to the memory of their pixels."""
    for i in range(len(t)):
        polarity, row, column = 1 if p[i] else 0, int(y[i]), int(x[i])
        sums[polarity, row, column] = 1.0 + _decayed_sum(sums, seen, polarity, row, column, t[i], tau_us)
        seen[polarity, row, column] = t[i]


@njit(cache=True, nogil=True)
def average_surfaces(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], tau_us: float, cell: int,
    sums: NDArray[np.float64], seen: NDArray[np.int64], out: NDArray[np.float64], counts: NDArray[np.int64],
) -> None:  # fmt: skip
    """Add the local memory surface of each event to its cell, and count the events of the cells.

    `sums` and `seen` (2, H, W) are the memory: the decayed sum of a pixel as of its newest stamp. It goes on from bin
    to bin. `out` is (2, cell rows, cell columns, S, S), `counts` (cell rows, cell columns). Events of one stamp do not
    see one another, so their order does not matter.
    """
    radius, (_, height, width) = out.shape[3] // 2, sums.shape
    remembered = 0
    for i in range(len(t)):
        if t[i] > t[remembered]:
            part = slice(remembered, i)
            _remember(t[part], x[part], y[part], p[part], tau_us, sums, seen)
            remembered = i
        polarity, row, column = 1 if p[i] else 0, int(y[i]), int(x[i])
        surface = out[polarity, row // cell, column // cell]
        counts[row // cell, column // cell] += 1
        for near_row in range(max(0, row - radius), min(height, row + radius + 1)):
            for near_column in range(max(0, column - radius), min(width, column + radius + 1)):
                surface[near_row - row + radius, near_column - column + radius] += _decayed_sum(
                    sums, seen, polarity, near_row, near_column, t[i], tau_us
                )
    part = slice(remembered, len(t))
    _remember(t[part], x[part], y[part], p[part], tau_us, sums, seen)
