"""Numba kernels for EVT 2.0: 32-bit words, the type in the upper four bits.

An event carries the lower 6 bits of its stamp, a TIME_HIGH word the upper 28. Decoding is optimistic, as for DAT: the
events between two time words, a run, are checked and unpacked together, without a branch, which compilers turn into
vector code. Short runs, and runs in which something is wrong, go through a loop that decides at every word.

Positions are cast to unsigned where they index: for a signed one Numba adds a test whether it counts from the end.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._fault_kernels import count_faults
from ._state import (
    BACKWARD,
    BEFORE_TIME,
    CLOCK,
    EPOCH,
    HIGH,
    OUT_OF_RANGE,
    SKIPPED,
    TRIGGERS,
    UNKNOWN,
    WRAPS,
)

__all__ = ["advance_high", "decode_evt2", "encode_evt2", "encode_evt2_triggers", "find_evt2_triggers"]

_CD_ON = 0x1
_TIME_HIGH = 0x8
_EXT_TRIGGER = 0xA
_IMU = 0xD
_LOW_BITS = 6
_HIGH_RANGE = 1 << 28
_EPOCH_US = _HIGH_RANGE << _LOW_BITS
_HALF = _HIGH_RANGE >> 1

_BLOCK = 1024
"""Words of 4 bytes taken at once: they stay in the first-level cache from the search for the run's end to unpacking."""

_LONG_RUN = 16
"""Events in sequence that are worth the effort to unpack them together."""

_STRETCH = 64
"""Words decoded one by one before the next look for a long run: a call costs about as much as ten."""


@njit(cache=True, nogil=True)
def decode_evt2(
    words: NDArray[np.uint32], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode words into columns until either ends; return (words consumed, events written)."""
    written = i = 0
    limit = min(len(words), len(t))
    while i < limit:
        if words[i] >> 28 == _TIME_HIGH:
            advance_high(np.int64(words[i]) & (_HIGH_RANGE - 1), state)
            i += 1
            continue
        stop = _run_end(words, i, limit)
        if stop > i and _unpack(words, i, stop, width, height, state, t, x, y, p, written):
            written += stop - i
            state[CLOCK] = t[np.uintp(written - 1)]
        else:
            stop = max(stop, min(i + _STRETCH, limit))
            written = _decode_each(words, i, stop, width, height, state, t, x, y, p, written)
        i = stop
    return limit, written


@njit(cache=True, nogil=True)
def _run_end(words: NDArray[np.uint32], start: int, limit: int) -> int:
    """Return where the events that begin at `start` end, or a block of them; `start` when they are too few."""
    bits = np.uint32(0)
    if start + _LONG_RUN > limit:
        return start
    for i in range(start, start + _LONG_RUN):
        bits |= words[np.uintp(i)]
    if bits >> 28 > _CD_ON:
        return start
    last = min(limit, start + _BLOCK)
    for i in range(start + _LONG_RUN, last):
        if words[np.uintp(i)] >> 28 > _CD_ON:
            return i
    return last


@njit(cache=True, nogil=True)
def _unpack(
    words: NDArray[np.uint32], start: int, stop: int, width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], written: int,
) -> bool:  # fmt: skip
    """Write a run of events; return whether each is on the sensor and none steps back, else what it wrote is void."""
    last_x, last_y = np.int64(width - 1), np.int64(height - 1)
    base = state[EPOCH] + (state[HIGH] << _LOW_BITS)
    # A negative difference sets the sign bit of the sum of all: one test for the whole run.
    broken = base + ((np.int64(words[start]) >> 22) & 0x3F) - state[CLOCK]
    for i in range(start + 1, stop):
        broken |= ((np.int64(words[np.uintp(i)]) >> 22) & 0x3F) - ((np.int64(words[np.uintp(i - 1)]) >> 22) & 0x3F)
    for i in range(start, stop):
        word = np.int64(words[np.uintp(i)])
        column, row = (word >> 11) & 0x7FF, word & 0x7FF
        broken |= (last_x - column) | (last_y - row)
        slot = np.uintp(written + i - start)
        t[slot], x[slot], y[slot], p[slot] = base + ((word >> 22) & 0x3F), column, row, word >> 28
    return bool(broken >= 0)


@njit(cache=True, nogil=True)
def _decode_each(
    words: NDArray[np.uint32], start: int, stop: int, width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], written: int,
) -> int:  # fmt: skip
    """Decode the words ``start:stop`` one by one; return the number of events written, those before included."""
    clock, high = state[CLOCK], state[HIGH]
    last_x, last_y = np.int64(width - 1), np.int64(height - 1)
    base = state[EPOCH] + (high << _LOW_BITS)
    for i in range(start, stop):
        word = np.int64(words[np.uintp(i)])
        kind = word >> 28
        if kind == _TIME_HIGH:
            high = advance_high(word & (_HIGH_RANGE - 1), state)
            base = state[EPOCH] + (high << _LOW_BITS)
            continue
        if kind > _CD_ON:
            _count_other(state, kind, i)
            continue
        column = (word >> 11) & 0x7FF
        row = word & 0x7FF
        stamp = base + ((word >> 22) & 0x3F)
        # One test for all that can be wrong: each difference is negative then. Before the first TIME_HIGH, `base` is.
        if ((last_x - column) | (last_y - row) | (stamp - clock)) < 0:
            if high < 0 or column > last_x or row > last_y:
                count_faults(state, OUT_OF_RANGE if high >= 0 else BEFORE_TIME, i, 1)
                continue
            count_faults(state, BACKWARD, i, 1)
            stamp = clock
        clock = stamp
        slot = np.uintp(written)
        t[slot], x[slot], y[slot], p[slot] = clock, column, row, kind
        written += 1
    state[CLOCK] = clock
    return written


@njit(cache=True, nogil=True)
def advance_high(high: np.int64, state: NDArray[np.int64]) -> np.int64:
    """Store the new TIME_HIGH; a decrease of half the range is an overflow, such an increase a late word before it."""
    if state[HIGH] - high >= _HALF:
        state[EPOCH] += _EPOCH_US
        state[WRAPS] += 1
    elif high - state[HIGH] >= _HALF and state[EPOCH] > 0:
        state[EPOCH] -= _EPOCH_US
        state[WRAPS] -= 1
    state[HIGH] = high
    return high


@njit(cache=True, nogil=True)
def _count_other(state: NDArray[np.int64], kind: np.int64, record: int) -> None:
    if kind == _EXT_TRIGGER:
        state[TRIGGERS] += 1
    elif kind >= _IMU:
        state[SKIPPED] += 1
    else:
        count_faults(state, UNKNOWN, record, 1)


@njit(cache=True, nogil=True)
def find_evt2_triggers(
    words: NDArray[np.uint32], state: NDArray[np.int64],
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Write the external triggers of words and return their number; those before the first TIME_HIGH are left out.

    `state` is a copy of the one before these words; the columns have room for every trigger word.
    """
    written = 0
    for i in range(len(words)):
        word = np.int64(words[i])
        kind = word >> 28
        if kind == _TIME_HIGH:
            advance_high(word & (_HIGH_RANGE - 1), state)
        elif kind == _EXT_TRIGGER and state[HIGH] >= 0:
            t[written] = state[EPOCH] + (state[HIGH] << _LOW_BITS) + ((word >> 22) & 0x3F)
            channel[written] = (word >> 8) & 0x1F
            value[written] = word & 1
            written += 1
    return written


@njit(cache=True, nogil=True)
def encode_evt2(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    state: NDArray[np.int64], words: NDArray[np.uint32],
) -> int:  # fmt: skip
    """Encode events; return the number of words written.

    `state` holds the last TIME_HIGH over all epochs, -1 at the start; `words` has room for two words an event and one
    for every 2**27 - 1 steps of TIME_HIGH, which keep the overflow readable across long silences.
    """
    written = 0
    for i in range(len(t)):
        high = t[i] >> _LOW_BITS
        if high != state[0]:
            written = _put_time(high, state, words, written)
        low = t[i] & 0x3F
        words[written] = np.uint32(np.int64(p[i]) << 28 | low << 22 | np.int64(x[i]) << 11 | np.int64(y[i]))
        written += 1
    return written


@njit(cache=True, nogil=True)
def encode_evt2_triggers(
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
    state: NDArray[np.int64], words: NDArray[np.uint32],
) -> int:  # fmt: skip
    """Encode external triggers; return the number of words written. `state` and `words` as in `encode_evt2`."""
    written = 0
    for i in range(len(t)):
        high = t[i] >> _LOW_BITS
        if high != state[0]:
            written = _put_time(high, state, words, written)
        fields = (t[i] & 0x3F) << 22 | np.int64(channel[i]) << 8 | np.int64(value[i])
        words[written] = np.uint32(_EXT_TRIGGER << 28 | fields)
        written += 1
    return written


@njit(cache=True, nogil=True)
def _put_time(high: int, state: NDArray[np.int64], words: NDArray[np.uint32], written: int) -> int:
    """Append the TIME_HIGH words that lead to `high`; return the number of words written."""
    last = max(state[0], 0)
    while high - last >= _HALF:
        last += _HALF - 1
        words[written] = np.uint32(_TIME_HIGH << 28 | last & (_HIGH_RANGE - 1))
        written += 1
    words[written] = np.uint32(_TIME_HIGH << 28 | high & (_HIGH_RANGE - 1))
    state[0] = high
    return written + 1
