"""Numba kernel for events that lie in columns: four integers an event, t, x, y, p, as any container may hold them."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._fault_kernels import count_faults
from ._state import BACKWARD, BAD_POLARITY, CLOCK, OUT_OF_RANGE, UNKNOWN

__all__ = ["BROKEN", "decode_columns"]

BROKEN = np.iinfo(np.int64).min
"""In place of a stamp: the event could not be read."""


@njit(cache=True, nogil=True)
def decode_columns(
    numbers: NDArray[np.int64], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Check events and write them to columns until either ends; return (numbers consumed, events written)."""
    clock = state[CLOCK]
    written = 0
    limit = min(len(numbers) // 4, len(t))
    for i in range(limit):
        stamp, column, row, sign = numbers[4 * i], numbers[4 * i + 1], numbers[4 * i + 2], numbers[4 * i + 3]
        if stamp == BROKEN:
            count_faults(state, UNKNOWN, 4 * i, 1)
            continue
        if column < 0 or column >= width or row < 0 or row >= height:
            count_faults(state, OUT_OF_RANGE, 4 * i, 1)
            continue
        if stamp < clock:
            count_faults(state, BACKWARD, 4 * i, 1)
        if sign < -1 or sign > 1:
            count_faults(state, BAD_POLARITY, 4 * i, 1)
        clock = max(clock, stamp)
        t[written], x[written], y[written], p[written] = clock, column, row, sign > 0
        written += 1
    state[CLOCK] = clock
    return 4 * limit, written
