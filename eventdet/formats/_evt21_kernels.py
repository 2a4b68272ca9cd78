"""Numba kernels for EVT 2.1: 64-bit words, the type in the upper four bits, 32 pixels of a row in one word.

The upper half of a word is that of an EVT 2.0 event; the lower half is a mask, one bit a pixel. A camera sends the
two halves in either order, so there is one decoder for each.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._admit_kernels import VECTOR_PIXELS, admit_vector, lowest_bit
from ._evt2_kernels import advance_high
from ._fault_kernels import count_faults
from ._state import CLOCK, EPOCH, HIGH, SKIPPED, TRIGGERS, UNKNOWN

__all__ = [
    "decode_evt21",
    "decode_evt21_swapped",
    "encode_evt21",
    "encode_evt21_triggers",
    "find_evt21_swapped_triggers",
    "find_evt21_triggers",
]

_POSITIVE = 0x1
_TIME_HIGH = 0x8
_EXT_TRIGGER = 0xA
_OTHERS = 0xE
_CONTINUED = 0xF
_LOW_BITS = 6
_HALF = 1 << 27
"""Half of what 28 bits of TIME_HIGH count."""


@njit(cache=True, nogil=True)
def decode_evt21(
    words: NDArray[np.int64], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode words, upper half last in the file, until either ends; return (words consumed, events written).

    It stops before a word that might not fit: the columns hold at least 32 events.
    """
    return _decode(words, False, (width, height), state, t, x, y, p)


@njit(cache=True, nogil=True)
def decode_evt21_swapped(
    words: NDArray[np.int64], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode words, upper half first in the file, as `decode_evt21` does."""
    return _decode(words, True, (width, height), state, t, x, y, p)


@njit(cache=True, nogil=True)
def _decode(
    words: NDArray[np.int64], swapped: bool, sensor: tuple[int, int], state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    written = 0
    i = 0
    clock = state[CLOCK]
    base = state[EPOCH] + (state[HIGH] << _LOW_BITS)
    last_base, last_y = sensor[0] - VECTOR_PIXELS, sensor[1] - 1
    while i < len(words) and written + VECTOR_PIXELS <= len(t):
        upper, mask = _halves(words[np.uintp(i)], swapped)
        kind = upper >> 28
        if kind <= _POSITIVE:
            column, row = (upper >> 11) & 0x7FF, upper & 0x7FF
            stamp = base + ((upper >> 22) & 0x3F)
            # One test for all that can be wrong: each of these is negative then, `base` before the first TIME_HIGH.
            if (base | (last_base - column) | (last_y - row) | (stamp - clock)) < 0:
                state[CLOCK] = clock
                stamp, mask = admit_vector(stamp, column, row, mask, i, sensor, state)
            clock = stamp if mask else clock
            while mask:
                slot = np.uintp(written)
                t[slot], x[slot], y[slot], p[slot] = clock, column + lowest_bit(mask), row, kind
                written += 1
                mask &= mask - 1
        elif kind == _TIME_HIGH:
            advance_high(upper & 0xFFFFFFF, state)
            base = state[EPOCH] + (state[HIGH] << _LOW_BITS)
        elif kind == _EXT_TRIGGER:
            state[TRIGGERS] += 1
        elif kind in (_OTHERS, _CONTINUED):
            state[SKIPPED] += 1
        else:
            count_faults(state, UNKNOWN, i, 1)
        i += 1
    state[CLOCK] = clock
    return i, written


@njit(cache=True, nogil=True)
def _halves(word: np.int64, swapped: bool) -> tuple[np.int64, np.int64]:
    """Return the upper half, with the type, and the mask."""
    first, second = word & 0xFFFFFFFF, (word >> 32) & 0xFFFFFFFF
    if swapped:
        return first, second
    return second, first


@njit(cache=True, nogil=True)
def find_evt21_triggers(
    words: NDArray[np.int64], state: NDArray[np.int64],
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Write the external triggers of words, as `find_evt2_triggers` does."""
    return _find_triggers(words, False, state, t, channel, value)


@njit(cache=True, nogil=True)
def find_evt21_swapped_triggers(
    words: NDArray[np.int64], state: NDArray[np.int64],
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Write the external triggers of words, upper half first, as `find_evt2_triggers` does."""
    return _find_triggers(words, True, state, t, channel, value)


@njit(cache=True, nogil=True)
def _find_triggers(
    words: NDArray[np.int64], swapped: bool, state: NDArray[np.int64],
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
) -> int:  # fmt: skip
    written = 0
    for i in range(len(words)):
        upper, _ = _halves(words[i], swapped)
        kind = upper >> 28
        if kind == _TIME_HIGH:
            advance_high(upper & 0xFFFFFFF, state)
        elif kind == _EXT_TRIGGER and state[HIGH] >= 0:
            t[written] = state[EPOCH] + (state[HIGH] << _LOW_BITS) + ((upper >> 22) & 0x3F)
            channel[written], value[written] = (upper >> 8) & 0x1F, upper & 1
            written += 1
    return written


@njit(cache=True, nogil=True)
def encode_evt21(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    state: NDArray[np.int64], words: NDArray[np.uint64],
) -> int:  # fmt: skip
    """Encode events; return the number of words written. `state` and `words` as in `encode_evt2`.

    Neighbours in the list that share stamp, row, polarity and block of 32 columns go into one word as long as their
    columns grow: to be read back in the same order, and each repeat as an event of its own.
    """
    written = 0
    i = 0
    while i < len(t):
        written = _put_time(t[i] >> _LOW_BITS, state, words, written)
        base = np.int64(x[i]) & ~(VECTOR_PIXELS - 1)
        upper = np.int64(p[i]) << 28 | (t[i] & 0x3F) << 22 | base << 11 | np.int64(y[i])
        mask = np.int64(1) << (np.int64(x[i]) - base)
        i += 1
        while (
            i < len(t) and t[i] == t[i - 1] and y[i] == y[i - 1] and p[i] == p[i - 1]
            and x[i - 1] < x[i] < base + VECTOR_PIXELS
        ):  # fmt: skip
            mask |= np.int64(1) << (np.int64(x[i]) - base)
            i += 1
        words[written] = np.uint64(upper << 32 | mask)
        written += 1
    return written


@njit(cache=True, nogil=True)
def encode_evt21_triggers(
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
    state: NDArray[np.int64], words: NDArray[np.uint64],
) -> int:  # fmt: skip
    """Encode external triggers; return the number of words written. `state` and `words` as in `encode_evt2`."""
    written = 0
    for i in range(len(t)):
        written = _put_time(t[i] >> _LOW_BITS, state, words, written)
        upper = _EXT_TRIGGER << 28 | (t[i] & 0x3F) << 22 | np.int64(channel[i]) << 8 | np.int64(value[i])
        words[written] = np.uint64(upper << 32)
        written += 1
    return written


@njit(cache=True, nogil=True)
def _put_time(high: int, state: NDArray[np.int64], words: NDArray[np.uint64], written: int) -> int:
    """Append the TIME_HIGH words that lead to `high` when it is new; return the number of words written."""
    if high == state[0]:
        return written
    last = max(state[0], 0)
    while high - last >= _HALF:
        last += _HALF - 1
        words[written] = np.uint64((_TIME_HIGH << 28 | last & 0xFFFFFFF) << 32)
        written += 1
    words[written] = np.uint64((_TIME_HIGH << 28 | high & 0xFFFFFFF) << 32)
    state[0] = high
    return written + 1
