"""Numba kernels for DAT records, read as one 64-bit word: the stamp in the lower half, the packed event in the upper.

Decoding is optimistic: a block of records is first checked as a whole, without a branch inside, and unpacked without
a branch; compilers turn both loops into vector code, several times faster than one loop that decides at every event.
Only a block that steps back, wraps, leaves the sensor or spans a long time goes through the careful loop.

A stamp with a wrong upper bit lies minutes ahead or, past the overflow, seems to: taken as it stands, it would raise
every event after it. So a leap needs witnesses: it is dropped when most of the records behind it go on where the ones
before it were. Stamps that never decrease are therefore never dropped, whatever their gaps.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._fault_kernels import count_faults
from ._state import BACKWARD, BAD_POLARITY, CLOCK, IS_LAST, LEAPT, OUT_OF_RANGE, WRAPS

__all__ = ["bisect_dat", "decode_dat", "decode_dat1", "scan_dat", "unwrap_dat"]

_EPOCH = 1 << 32
_HALF = 1 << 31
_LOW = _EPOCH - 1
_LEAP = 10_000_000
"""Microseconds ahead that need no witness: no camera is silent so long, save in the dark or behind a filter."""

_NUM_WITNESSES = 8
"""Records behind a leap that are asked: a majority stands against three wrong stamps in a row."""

_BLOCK = 1024
"""Records of 8 bytes in a block: it stays in the first-level cache between check and unpacking."""


@njit(cache=True, nogil=True)
def unwrap_dat(raw: np.int64, clock: np.int64) -> np.int64:
    """Return the stamp in microseconds that a 32-bit counter value means, given the running maximum.

    A decrease by more than half the range is an overflow; an increase by more than that, after an overflow, is a
    late event from before it; everything else stands in the current epoch.
    """
    low = clock & _LOW
    stamp = clock - low + raw
    if low - raw > _HALF:
        return stamp + _EPOCH
    if raw - low > _HALF and clock >= _EPOCH:
        return stamp - _EPOCH
    return stamp


@njit(cache=True, nogil=True)
def decode_dat(
    records: NDArray[np.int64], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode records into columns until either ends; return (records consumed, events written)."""
    written = 0
    limit = min(len(records), len(t))
    for start in range(0, limit, _BLOCK):
        stop = min(start + _BLOCK, limit)
        block = records[start:stop]
        clock = state[CLOCK]
        end = written + len(block)
        if _is_clean(block, clock, _LEAP, width, height) and not _has_spare_bits(block):
            _unpack(block, clock - (clock & _LOW), t[written:end], x[written:end], y[written:end], p[written:end])
            state[CLOCK] = t[end - 1]
            written = end
        else:
            consumed, added = _repair(
                records, start, stop, width, height, state,
                t[written:end], x[written:end], y[written:end], p[written:end],
            )  # fmt: skip
            written += added
            if consumed < stop:
                return consumed, written
    return limit, written


def decode_dat1(
    records: NDArray[np.int64], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode records of version 1, with x in bits 0-8, y in bits 9-16 and the polarity in bit 17 of the upper half.

    A few shifts make them records of version 2, so that one kernel serves both; these files are too old to be large.
    """
    # Records beyond the room for events are witnesses of the last ones.
    given = records[: len(t) + _NUM_WITNESSES]
    word = given >> 32
    event = word & 0x1FF | (word >> 9 & 0xFF) << 14 | (word >> 17 & 1) << 28
    consumed, written = decode_dat(given & _LOW | event << 32, width, height, state, t, x, y, p)
    return consumed, written


@njit(cache=True, nogil=True)
def _is_clean(block: NDArray[np.int64], clock: np.int64, longest: int, width: int, height: int) -> bool:
    """Return whether each record is on the sensor and follows the one before, up to `longest` behind `clock`."""
    last_x = np.int64(width - 1)
    last_y = np.int64(height - 1)
    low = clock & _LOW
    # A negative difference sets the sign bit of the sum of all: one test for the whole block.
    broken = (block[0] & _LOW) - low
    for i in range(1, len(block)):
        broken |= (block[i] & _LOW) - (block[i - 1] & _LOW)
    for i in range(len(block)):
        broken |= (last_x - ((block[i] >> 32) & 0x3FFF)) | (last_y - ((block[i] >> 46) & 0x3FFF))
    return bool(broken >= 0 and (block[-1] & _LOW) - low <= longest)


@njit(cache=True, nogil=True)
def _has_spare_bits(block: NDArray[np.int64]) -> bool:
    """Return whether a polarity is beyond 0 and 1: four bits are kept for it, the lowest one is used."""
    bits = np.int64(0)
    for i in range(len(block)):
        bits |= block[i]
    return bool((bits >> 61) & 7)


@njit(cache=True, nogil=True)
def _unpack(
    block: NDArray[np.int64], base: np.int64,
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> None:  # fmt: skip
    for i in range(len(block)):
        record = block[i]
        t[i] = base + (record & _LOW)
        x[i] = (record >> 32) & 0x3FFF
        y[i] = (record >> 46) & 0x3FFF
        p[i] = (record >> 60) & 1


@njit(cache=True, nogil=True)
def _repair(
    records: NDArray[np.int64], start: int, stop: int, width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode records ``start:stop`` one by one; return (index of the first one not consumed, events written)."""
    clock = state[CLOCK]
    written = 0
    for i in range(start, stop):
        record = records[i]
        if _is_beyond(record, width, height):
            # The whole record is suspect: its stamp must not move the clock either.
            count_faults(state, OUT_OF_RANGE, i, 1)
            continue
        stamp = unwrap_dat(record & _LOW, clock)
        if stamp > clock + _LEAP:
            if i + _NUM_WITNESSES >= len(records) and not state[IS_LAST]:
                stop = i
                break
            if not _has_witnesses(records[i + 1 : i + 1 + _NUM_WITNESSES], stamp, clock, width, height):
                count_faults(state, LEAPT, i, 1)
                continue
        if stamp < clock:
            count_faults(state, BACKWARD, i, 1)
            stamp = clock
        if (record >> 61) & 7:
            count_faults(state, BAD_POLARITY, i, 1)
        if stamp - (stamp & _LOW) != clock - (clock & _LOW):
            state[WRAPS] += 1
        clock = stamp
        t[written] = clock
        x[written] = (record >> 32) & 0x3FFF
        y[written] = (record >> 46) & 0x3FFF
        p[written] = (record >> 60) & 1
        written += 1
    state[CLOCK] = clock
    return stop, written


@njit(cache=True, nogil=True)
def _is_beyond(record: np.int64, width: int, height: int) -> bool:
    return bool((record >> 32) & 0x3FFF >= width or (record >> 46) & 0x3FFF >= height)


@njit(cache=True, nogil=True)
def _has_witnesses(following: NDArray[np.int64], stamp: np.int64, clock: np.int64, width: int, height: int) -> bool:
    """Return whether at least half of the `following` records stand at or behind a leap from `clock` to `stamp`."""
    votes = 0
    for record in following:
        if not _is_beyond(record, width, height):
            votes += 1 if _is_behind(record & _LOW, stamp, clock) else -1
    return votes >= 0


@njit(cache=True, nogil=True)
def _is_behind(raw: np.int64, stamp: np.int64, clock: np.int64) -> bool:
    """Return whether the counter, going forward from `clock`, shows `stamp` before `raw`; either may be a bit late."""
    if clock & _LOW <= stamp & _LOW <= raw:
        return True
    return bool((raw - clock + _LEAP) & _LOW >= stamp - clock)


@njit(cache=True, nogil=True)
def scan_dat(records: NDArray[np.int64], width: int, height: int) -> bool:
    """Return whether no record steps back, wraps, or lies outside the sensor.

    A record that leaps ahead of those that follow is seen as well: the next one steps back.
    """
    last = np.int64(0)
    for start in range(0, len(records), _BLOCK):
        block = records[start : start + _BLOCK]
        if not _is_clean(block, last, _EPOCH, width, height):
            return False
        last = block[-1] & _LOW
    return True


@njit(cache=True, nogil=True)
def bisect_dat(records: NDArray[np.int64], t_us: int) -> int:
    """Return the index of the first record stamped `t_us` or later; the stamps must not decrease."""
    low = 0
    high = len(records)
    while low < high:
        middle = (low + high) >> 1
        if records[middle] & _LOW < t_us:
            low = middle + 1
        else:
            high = middle
    return low
