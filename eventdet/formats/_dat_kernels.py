"""Numba kernels for DAT records: pairs of 32-bit words, the stamp and the packed event."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._fault_kernels import count_fault
from ._state import BACKWARD, CLOCK, OUT_OF_RANGE, WRAPS

__all__ = ["bisect_dat", "decode_dat", "scan_dat", "unwrap_dat"]

_EPOCH = 1 << 32
_HALF = 1 << 31
_LOW = _EPOCH - 1


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
    words: NDArray[np.uint32], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode records into columns until either ends; return (records consumed, events written)."""
    clock = state[CLOCK]
    low = clock & _LOW
    base = clock - low
    written = 0
    limit = min(len(words), len(t))
    for i in range(limit):
        raw = np.int64(words[i, 0])
        word = words[i, 1]
        column = word & np.uint32(0x3FFF)
        row = (word >> np.uint32(14)) & np.uint32(0x3FFF)
        if column >= width or row >= height:
            # The whole record is suspect: its stamp must not move the clock either.
            count_fault(state, OUT_OF_RANGE, i)
            continue
        if raw < low or raw - low > _HALF:
            stamp = unwrap_dat(raw, base + low)
            if stamp < base + low:
                count_fault(state, BACKWARD, i)
                stamp = base + low
            low = stamp & _LOW
            if stamp - low != base:
                state[WRAPS] += 1
                base = stamp - low
        else:
            low = raw
        t[written] = base + low
        x[written] = column
        y[written] = row
        p[written] = (word >> np.uint32(28)) & np.uint32(1)
        written += 1
    state[CLOCK] = base + low
    return limit, written


@njit(cache=True, nogil=True)
def scan_dat(words: NDArray[np.uint32], width: int, height: int) -> bool:
    """Return whether no record steps back, wraps, or lies outside the sensor."""
    last = np.uint32(0)
    for i in range(len(words)):
        raw = words[i, 0]
        word = words[i, 1]
        if raw < last or (word & np.uint32(0x3FFF)) >= width or ((word >> np.uint32(14)) & np.uint32(0x3FFF)) >= height:
            return False
        last = raw
    return True


@njit(cache=True, nogil=True)
def bisect_dat(words: NDArray[np.uint32], t_us: int) -> int:
    """Return the index of the first record stamped `t_us` or later; the stamps must not decrease."""
    low = 0
    high = len(words)
    while low < high:
        middle = (low + high) >> 1
        if np.int64(words[middle, 0]) < t_us:
            low = middle + 1
        else:
            high = middle
    return low
