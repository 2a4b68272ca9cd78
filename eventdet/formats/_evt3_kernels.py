"""Numba kernels for EVT 3.0: 16-bit words, the type in the upper four bits, and a decoder with memory.

Row, vector base and time hold until the next word changes them, so a stream means nothing without the state that the
words before have set. The stamp is ``epoch + (high << 12 | low)``: the epoch grows when TIME_HIGH overflows and at no
other time. A TIME_LOW that steps back is jitter of the sensor (a Gen4.1 does it every millisecond); readers that
take it for an overflow run at double speed. Events under it get the highest stamp that any time word has set.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._fault_kernels import count_faults
from ._state import (
    BACKWARD,
    BASE_X,
    BEFORE_TIME,
    CLOCK,
    EPOCH,
    HIGH,
    OUT_OF_RANGE,
    POLARITY,
    SKIPPED,
    STAMP,
    TRIGGERS,
    UNKNOWN,
    WRAPS,
    Y,
)

__all__ = ["decode_evt3", "encode_evt3", "find_evt3_triggers"]

_ADDR_Y = 0x0
_ADDR_X = 0x2
_VECT_BASE_X = 0x3
_VECT_12 = 0x4
_VECT_8 = 0x5
_TIME_LOW = 0x6
_CONTINUED_4 = 0x7
_TIME_HIGH = 0x8
_EXT_TRIGGER = 0xA
_IMU = 0xD
_PADDING_WORD = 0x9999

_LOW_BITS = 12
_HIGH_RANGE = 1 << 12
_EPOCH_US = _HIGH_RANGE << _LOW_BITS
_HALF = _HIGH_RANGE >> 1
_LATE = _HIGH_RANGE - 16
"""A jump forward by nearly the whole range right after an overflow is a word from before it, up to 65 ms late."""

_VECTOR_BITS = 12
"""Pixels of a VECT_12 word, the most that one word holds."""

_VECTOR_PIXELS = 32
_VECTOR_MIN_EVENTS = 5
"""Four words hold a block of 32 pixels, as sensors send it: 12 + 12 + 8; below five events single words are shorter."""


@njit(cache=True, nogil=True)
def decode_evt3(
    words: NDArray[np.uint16], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode words into columns until either ends; return (words consumed, events written).

    It stops before a word that might not fit: the columns hold at least 12 events.
    """
    clock, stamp, timed = state[CLOCK], state[STAMP], state[HIGH] >= 0
    row, base, polarity = state[Y], state[BASE_X], state[POLARITY]
    written = 0
    i = 0
    while i < len(words) and written + _VECTOR_BITS <= len(t):
        word = np.int64(words[i])
        kind = word >> 12
        bits = column = np.int64(0)
        if kind == _ADDR_X:
            base, polarity, bits = word & 0x7FF, (word >> 11) & 1, np.int64(1)
            column = base
        elif kind == _VECT_12:
            column, bits, base = base, word & 0xFFF, base + 12
        elif kind == _VECT_8:
            column, bits, base = base, word & 0xFF, base + 8
        elif kind == _TIME_LOW:
            stamp = (stamp & ~0xFFF) | (word & 0xFFF)
            clock = max(clock, stamp) if timed else clock
        elif kind == _ADDR_Y:
            row = word & 0x7FF
        elif kind == _VECT_BASE_X:
            base, polarity = word & 0x7FF, (word >> 11) & 1
        elif kind == _TIME_HIGH:
            stamp = _advance_high(word & 0xFFF, stamp, state)
            clock = max(clock, stamp)
            timed = True
        else:
            _count_other(state, word, i)
        if bits:
            seen = _visible(bits, width - column) if timed and row < height else np.int64(0)
            if seen != bits:
                count_faults(state, OUT_OF_RANGE if timed else BEFORE_TIME, i, _num_bits(bits ^ seen))
            if seen and stamp < clock:
                count_faults(state, BACKWARD, i, _num_bits(seen))
            while seen:
                if seen & 1:
                    t[written], x[written], y[written], p[written] = clock, column, row, polarity
                    written += 1
                seen >>= 1
                column += 1
        i += 1
    state[CLOCK], state[STAMP] = clock, stamp
    state[Y], state[BASE_X], state[POLARITY] = row, base, polarity
    return i, written


@njit(cache=True, nogil=True)
def _visible(bits: np.int64, columns: np.int64) -> np.int64:
    """Return the bits of a vector that lie in the first `columns` columns after its base."""
    if columns >= _VECTOR_BITS:
        return bits
    return np.int64(bits & ((1 << max(columns, np.int64(0))) - 1))


@njit(cache=True, nogil=True)
def _num_bits(bits: np.int64) -> int:
    number = 0
    while bits:
        bits &= bits - 1
        number += 1
    return number


@njit(cache=True, nogil=True)
def _advance_high(high: np.int64, stamp: np.int64, state: NDArray[np.int64]) -> np.int64:
    """Store the new TIME_HIGH and return the stamp in force; repeating the same value changes nothing."""
    if high == state[HIGH]:
        return stamp
    if state[HIGH] >= high + _HALF:
        state[EPOCH] += _EPOCH_US
        state[WRAPS] += 1
    elif high >= state[HIGH] + _LATE and state[EPOCH] > 0:
        state[EPOCH] -= _EPOCH_US
        state[WRAPS] -= 1
    state[HIGH] = high
    return np.int64(state[EPOCH] + (high << _LOW_BITS))


@njit(cache=True, nogil=True)
def _count_other(state: NDArray[np.int64], word: np.int64, record: int) -> None:
    kind = word >> 12
    if kind == _EXT_TRIGGER:
        state[TRIGGERS] += 1
    elif kind == _CONTINUED_4 or kind >= _IMU or word == _PADDING_WORD:
        state[SKIPPED] += 1
    else:
        count_faults(state, UNKNOWN, record, 1)


@njit(cache=True, nogil=True)
def find_evt3_triggers(
    words: NDArray[np.uint16], state: NDArray[np.int64],
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Write the external triggers of words and return their number; those before the first TIME_HIGH are left out.

    `state` is a copy of the one before these words; the columns have room for every trigger word.
    """
    stamp = state[STAMP]
    written = 0
    for i in range(len(words)):
        word = np.int64(words[i])
        kind = word >> 12
        if kind == _TIME_LOW:
            stamp = (stamp & ~0xFFF) | (word & 0xFFF)
        elif kind == _TIME_HIGH:
            stamp = _advance_high(word & 0xFFF, stamp, state)
        elif kind == _EXT_TRIGGER and state[HIGH] >= 0:
            t[written], channel[written], value[written] = stamp, (word >> 8) & 0xF, word & 1
            written += 1
    return written


@njit(cache=True, nogil=True)
def encode_evt3(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    state: NDArray[np.int64], words: NDArray[np.uint16],
) -> int:  # fmt: skip
    """Encode events; return the number of words written.

    `state` holds the last stamp and row, both -1 at the start; `words` has room for four words an event, four
    more, and one for every 2**9 steps of TIME_HIGH.
    """
    stamp, row = state[0], state[1]
    written = 0
    i = 0
    while i < len(t):
        if t[i] != stamp:
            written = _encode_time(t[i], stamp, words, written)
            stamp = t[i]
        if y[i] != row:
            row = np.int64(y[i])
            words[written] = row
            written += 1
        base = np.int64(x[i]) & ~(_VECTOR_PIXELS - 1)
        last = np.int64(-1)
        bits = np.int64(0)
        j = i
        while j < len(t) and t[j] == stamp and y[j] == row and p[j] == p[i] and last < x[j] < base + _VECTOR_PIXELS:
            last = np.int64(x[j])
            bits |= np.int64(1) << (last - base)
            j += 1
        sign = np.int64(p[i]) << 11
        if j - i >= _VECTOR_MIN_EVENTS:
            words[written] = _VECT_BASE_X << 12 | sign | base
            words[written + 1] = _VECT_12 << 12 | bits & 0xFFF
            words[written + 2] = _VECT_12 << 12 | (bits >> 12) & 0xFFF
            words[written + 3] = _VECT_8 << 12 | bits >> 24
            written += 4
        else:
            for k in range(i, j):
                words[written] = _ADDR_X << 12 | sign | np.int64(x[k])
                written += 1
        i = j
    state[0], state[1] = stamp, row
    return written


@njit(cache=True, nogil=True)
def _encode_time(stamp: np.int64, last_stamp: np.int64, words: NDArray[np.uint16], written: int) -> int:
    high = stamp >> _LOW_BITS
    if last_stamp < 0 or high != last_stamp >> _LOW_BITS:
        # Some readers see an overflow only between 4095 and 0, and none sees two in one step.
        passed = max(last_stamp, np.int64(0)) >> _LOW_BITS
        while passed >> 12 < high >> 12 or high - passed > _HALF:
            end = passed | (_HIGH_RANGE - 1)
            passed = passed + 1 if passed == end else min(passed + _HALF, end)
            words[written] = _TIME_HIGH << 12 | passed & 0xFFF
            written += 1
        words[written] = _TIME_HIGH << 12 | high & 0xFFF
        written += 1
    words[written] = _TIME_LOW << 12 | stamp & 0xFFF
    return written + 1
