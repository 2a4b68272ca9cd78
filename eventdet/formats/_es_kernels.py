"""Numba kernels for the DVS events of Event Stream 2: five bytes an event, time as the step from the one before.

The first byte holds the step in its upper seven bits and the polarity in the lowest one. A step of 127 us and more is
written as bytes 0xFF, 127 us each; 0xFE is a reset mark. Two 16-bit coordinates follow, the row counted from below.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._admit_kernels import admit_event
from ._state import HELD, NUM_HELD, SKIPPED, STAMP

__all__ = ["decode_es", "encode_es"]

_OVERFLOW = 0xFF
_RESET = 0xFE
_OVERFLOW_US = 127
_EVENT_BYTES = 5


@njit(cache=True, nogil=True)
def decode_es(
    data: NDArray[np.uint8], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode bytes into columns until either ends; return (bytes consumed, events written).

    An event that the bytes cut is kept in HELD and completed by the next call.
    """
    stamp, held, num_held = state[STAMP], state[HELD], state[NUM_HELD]
    written = 0
    i = 0
    while i < len(data) and written < len(t):
        if num_held == 0 and data[i] >= _RESET:
            stamp += _OVERFLOW_US if data[i] == _OVERFLOW else 0
            state[SKIPPED] += data[i] == _RESET
            i += 1
            continue
        while num_held < _EVENT_BYTES and i < len(data):
            held |= np.int64(data[i]) << 8 * num_held
            num_held += 1
            i += 1
        if num_held == _EVENT_BYTES:
            stamp += (held & 0xFF) >> 1
            column, row = (held >> 8) & 0xFFFF, height - 1 - (held >> 24)
            clock = admit_event(stamp, column, row, max(i - _EVENT_BYTES, 0), (width, height), state)
            if clock >= 0:
                t[written], x[written], y[written], p[written] = clock, column, row, held & 1
                written += 1
            held = num_held = np.int64(0)
    state[STAMP], state[HELD], state[NUM_HELD] = stamp, held, num_held
    return i, written


@njit(cache=True, nogil=True)
def encode_es(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    state: NDArray[np.int64], data: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Encode events; return the number of bytes written.

    `state` holds the last stamp and the number of rows; `data` has room for five bytes an event and one more for
    every 127 us that pass.
    """
    last = state[0]
    written = 0
    for i in range(len(t)):
        step = t[i] - last
        for _ in range(step // _OVERFLOW_US):
            data[written] = _OVERFLOW
            written += 1
        row = state[1] - 1 - np.int64(y[i])
        data[written] = (step % _OVERFLOW_US) << 1 | np.int64(p[i])
        data[written + 1], data[written + 2] = x[i] & 0xFF, x[i] >> 8
        data[written + 3], data[written + 4] = row & 0xFF, row >> 8
        written += _EVENT_BYTES
        last = t[i]
    state[0] = last
    return written
