"""Numba kernels for EVT 3.0: 16-bit words, the type in the upper four bits, and a decoder with memory.

Row, vector base and time hold until the next word changes them, so a stream means nothing without the state that the
words before have set. The stamp is ``epoch + (high << 12 | low)``: the epoch grows when TIME_HIGH overflows and at no
other time. A TIME_LOW that steps back is jitter of the sensor (a Gen4.1 does it every millisecond); readers that
take it for an overflow run at double speed. Events under it get the highest stamp that any time word has set.

Rows and events follow each other in an order that no processor foresees, so these two are handled without a branch
between them: every such word writes an event, and a row is overwritten by the next. The vectors of a block are taken
as one. Positions are cast to unsigned where they index: for a signed one Numba adds a test whether it counts from the
end.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._admit_kernels import admit_vector, lowest_bit
from ._fault_kernels import count_faults
from ._state import (
    BASE_X,
    CLOCK,
    EPOCH,
    HIGH,
    POLARITY,
    SKIPPED,
    STAMP,
    TRIGGERS,
    UNKNOWN,
    WRAPS,
    Y,
)

__all__ = ["decode_evt3", "encode_evt3", "encode_evt3_triggers", "find_evt3_triggers"]

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
_NOT_ADDRESS = 0xD000
"""Bits of the type that neither ADDR_Y nor ADDR_X has."""

_LOW_BITS = 12
_HIGH_RANGE = 1 << 12
_EPOCH_US = _HIGH_RANGE << _LOW_BITS
_HALF = _HIGH_RANGE >> 1
_LATE = _HIGH_RANGE - 16
"""A jump forward by nearly the whole range right after an overflow is a word from before it, up to 65 ms late."""

_VECTOR_BITS = 12
"""Pixels of a VECT_12 word, the most that one word holds."""

_VECTOR_PIXELS = 32
"""Pixels of a block of three vectors, 12 + 12 + 8, as sensors send it."""

_VECTOR_MIN_EVENTS = 5
"""A block takes four words with its base: below five events single words are shorter."""


@njit(cache=True, nogil=True)
def decode_evt3(
    words: NDArray[np.uint16], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode words into columns until either ends; return (words consumed, events written).

    It stops before a word that might not fit: the columns hold at least 12 events.
    """
    clock, stamp, row = state[CLOCK], state[STAMP], state[Y]
    base, polarity = state[BASE_X], state[POLARITY]
    last_x, last_y = np.int64(width - 1), np.int64(height - 1)
    # Negative before the first TIME_HIGH, and while the stamp in force lies behind the clock.
    lag = (state[HIGH] >> 63) | (stamp - clock)
    # The last ADDR_X as long as it is newer than `base` and `polarity`.
    address = np.int64(-1)
    written = i = 0
    while i < len(words) and written + _VECTOR_BITS <= len(t):
        word = np.int64(words[np.uintp(i)])
        if word & _NOT_ADDRESS == 0:
            is_event = word >> 13
            column = word & 0x7FF
            row = row if is_event else column
            address = word if is_event else address
            slot = np.uintp(written)
            t[slot], x[slot], y[slot], p[slot] = clock, column, row, (word >> 11) & 1
            # One test for all that can be wrong: each of these is negative then.
            if (lag | ((last_x - column) & -is_event) | (last_y - row)) < 0:
                is_event = _repair(is_event, i, stamp, clock, column, row, (width, height), state)
            written += int(is_event)
            i += 1
            continue
        if address >= 0:
            base, polarity, address = address & 0x7FF, address >> 11 & 1, np.int64(-1)
        kind = word >> 12
        bits, num_bits = np.int64(0), 0
        if kind in (_TIME_LOW, _TIME_HIGH):
            stamp = _advance(word, stamp, state)
            clock = max(clock, stamp) if state[HIGH] >= 0 else clock
            lag = (state[HIGH] >> 63) | (stamp - clock)
        elif kind == _VECT_12:
            bits, num_bits = word & 0xFFF, 12
        elif kind == _VECT_8:
            bits, num_bits = word & 0xFF, 8
        elif kind == _VECT_BASE_X:
            base, polarity = word & 0x7FF, (word >> 11) & 1
            is_clean = (lag | (last_x - base - (_VECTOR_PIXELS - 1)) | (last_y - row)) >= 0
            if is_clean and written + _VECTOR_PIXELS <= len(t) and _is_block(words, i + 1):
                bits, num_bits = _block(words, i + 1), _VECTOR_PIXELS
                i += 3
        else:
            _count_other(state, word, i)
        if bits and (lag | (last_x - base - (num_bits - 1)) | (last_y - row)) < 0:
            bits = _repair(bits, i, stamp, clock, base, row, (width, height), state)
        while bits:
            slot = np.uintp(written)
            t[slot], x[slot], y[slot], p[slot] = clock, base + lowest_bit(bits), row, polarity
            written += 1
            bits &= bits - 1
        base += num_bits
        i += 1
    if address >= 0:
        base, polarity = address & 0x7FF, address >> 11 & 1
    state[CLOCK], state[STAMP], state[Y] = clock, stamp, row
    state[BASE_X], state[POLARITY] = base, polarity
    return i, written


@njit(cache=True, nogil=True)
def _is_block(words: NDArray[np.uint16], start: int) -> bool:
    """Return whether the vectors of 12, 12 and 8 bits that sensors send for a block of pixels come at `start`."""
    if start + 3 > len(words):
        return False
    left, middle, right = words[np.uintp(start)], words[np.uintp(start + 1)], words[np.uintp(start + 2)]
    return bool(left >> 12 == _VECT_12 and middle >> 12 == _VECT_12 and right >> 12 == _VECT_8)


@njit(cache=True, nogil=True)
def _block(words: NDArray[np.uint16], start: int) -> np.int64:
    """Return the bits of the block at `start`."""
    left, middle, right = words[np.uintp(start)], words[np.uintp(start + 1)], words[np.uintp(start + 2)]
    return (np.int64(left) & 0xFFF) | (np.int64(middle) & 0xFFF) << 12 | (np.int64(right) & 0xFF) << 24


@njit(cache=True, nogil=True)
def _repair(
    bits: np.int64, record: int, stamp: np.int64, clock: np.int64, column: np.int64, row: np.int64,
    sensor: tuple[int, int], state: NDArray[np.int64],
) -> np.int64:  # fmt: skip
    """Count what is wrong with the events of a word and return those that are written."""
    state[CLOCK] = clock
    return admit_vector(stamp, column, row, bits, record, sensor, state)[1]


@njit(cache=True, nogil=True)
def _advance(word: np.int64, stamp: np.int64, state: NDArray[np.int64]) -> np.int64:
    """Return the stamp that a word of time puts in force, and store a new TIME_HIGH; a repeat changes nothing."""
    if word >> 12 == _TIME_LOW:
        return (stamp & ~0xFFF) | (word & 0xFFF)
    high = word & 0xFFF
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
        if kind in (_TIME_LOW, _TIME_HIGH):
            stamp = _advance(word, stamp, state)
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
def encode_evt3_triggers(
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
    state: NDArray[np.int64], words: NDArray[np.uint16],
) -> int:  # fmt: skip
    """Encode external triggers; return the number of words written. `state` and `words` as in `encode_evt3`."""
    written = 0
    for i in range(len(t)):
        if t[i] != state[0]:
            written = _encode_time(t[i], state[0], words, written)
            state[0] = t[i]
        words[written] = _EXT_TRIGGER << 12 | np.int64(channel[i]) << 8 | np.int64(value[i])
        written += 1
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
