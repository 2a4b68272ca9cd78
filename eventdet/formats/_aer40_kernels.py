"""Numba kernels for 40-bit AER, the form of N-MNIST: column, row, then polarity and a 23-bit stamp, highest bit first.

The sensor of these data sets has 240 rows: row 240 marks that 8192 us have passed beyond what the stamps say.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._admit_kernels import admit_event
from ._state import EPOCH, HELD, NUM_HELD, WRAPS

__all__ = ["decode_aer40", "encode_aer40"]

_MARK_ROW = 240
_MARK_US = 1 << 13
_STAMP_RANGE = 1 << 23
_EVENT_BYTES = 5


@njit(cache=True, nogil=True)
def decode_aer40(
    data: NDArray[np.uint8], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode bytes into columns until either ends; return (bytes consumed, events written).

    HELD carries the first bytes of an event that is not whole yet.
    """
    epoch, held, num_held = state[EPOCH], state[HELD], state[NUM_HELD]
    written = 0
    i = 0
    while i < len(data) and written < len(t):
        while num_held < _EVENT_BYTES and i < len(data):
            held = held << 8 | np.int64(data[i])
            num_held += 1
            i += 1
        if num_held < _EVENT_BYTES:
            break
        column, row = held >> 32, (held >> 24) & 0xFF
        if row == _MARK_ROW:
            epoch += _MARK_US
            state[WRAPS] += 1
        else:
            stamp = epoch + (held & (_STAMP_RANGE - 1))
            clock = admit_event(stamp, column, row, max(i - _EVENT_BYTES, 0), (width, height), state)
            if clock >= 0:
                t[written], x[written], y[written], p[written] = clock, column, row, (held >> 23) & 1
                written += 1
        held = num_held = np.int64(0)
    state[EPOCH], state[HELD], state[NUM_HELD] = epoch, held, num_held
    return i, written


@njit(cache=True, nogil=True)
def encode_aer40(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    state: NDArray[np.int64], data: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Encode events; return the number of bytes written.

    `state` holds the microseconds that the marks so far stand for; `data` has room for five bytes an event and five
    for every 8192 us that pass.
    """
    written = 0
    for i in range(len(t)):
        while t[i] - state[0] >= _STAMP_RANGE:
            written = _put(data, written, np.int64(_MARK_ROW) << 24)
            state[0] += _MARK_US
        stamp = t[i] - state[0]
        written = _put(
            data, written, np.int64(x[i]) << 32 | np.int64(y[i]) << 24 | np.int64(p[i]) << 23 | stamp
        )  # fmt: skip
    return written


@njit(cache=True, nogil=True)
def _put(data: NDArray[np.uint8], written: int, event: np.int64) -> int:
    for k in range(_EVENT_BYTES):
        data[written + k] = (event >> 8 * (_EVENT_BYTES - 1 - k)) & 0xFF
    return written + _EVENT_BYTES
