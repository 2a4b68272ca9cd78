"""Numba kernels for AEDAT 2.0: 32 bits of address and 32 bits of microseconds an event, both big-endian.

What the bits of the address mean depends on the camera. Rows are counted from below.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._admit_kernels import admit_event
from ._dat_kernels import unwrap_dat
from ._state import CLOCK, SKIPPED, TRIGGERS, WRAPS

__all__ = ["decode_davis", "decode_dvs128"]

_DAVIS_SAMPLE = 1 << 31
_DAVIS_EXTERNAL = 1 << 10
_DVS128_EXTERNAL = 1 << 15


@njit(cache=True, nogil=True)
def decode_davis(
    records: NDArray[np.int64], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode records of a DAVIS until either ends; return (records consumed, events written).

    Address: y in bits 22-30, x in bits 12-21, polarity in bit 11; bit 10 marks an external event, bit 31 a frame or
    IMU sample.
    """
    written = 0
    limit = min(len(records), len(t))
    for i in range(limit):
        address, raw = _swap(records[i]), _swap(records[i] >> 32)
        if address & _DAVIS_SAMPLE:
            state[SKIPPED] += 1
        elif address & _DAVIS_EXTERNAL:
            state[TRIGGERS] += 1
        else:
            column, row = (address >> 12) & 0x3FF, height - 1 - ((address >> 22) & 0x1FF)
            clock = _admit(raw, column, row, i, (width, height), state)
            if clock >= 0:
                t[written], x[written], y[written], p[written] = clock, column, row, (address >> 11) & 1
                written += 1
    return limit, written


@njit(cache=True, nogil=True)
def decode_dvs128(
    records: NDArray[np.int64], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode records of a DVS128, as `decode_davis` does.

    Address: y in bits 8-14, x in bits 1-7, polarity in bit 0; bit 15 marks an external event.
    """
    written = 0
    limit = min(len(records), len(t))
    for i in range(limit):
        address, raw = _swap(records[i]), _swap(records[i] >> 32)
        if address & _DVS128_EXTERNAL:
            state[TRIGGERS] += 1
        else:
            column, row = (address >> 1) & 0x7F, height - 1 - ((address >> 8) & 0x7F)
            clock = _admit(raw, column, row, i, (width, height), state)
            if clock >= 0:
                t[written], x[written], y[written], p[written] = clock, column, row, address & 1
                written += 1
    return limit, written


@njit(cache=True, nogil=True)
def _swap(half: np.int64) -> np.int64:
    """Return the lower 32 bits with their bytes in the opposite order."""
    return (half & 0xFF) << 24 | (half & 0xFF00) << 8 | (half >> 8) & 0xFF00 | (half >> 24) & 0xFF


@njit(cache=True, nogil=True)
def _admit(
    raw: np.int64, column: np.int64, row: np.int64, record: int, sensor: tuple[int, int], state: NDArray[np.int64]
) -> np.int64:  # fmt: skip
    """Return what `admit_event` says of an event whose 32-bit stamp is carried over its overflow."""
    epoch = state[CLOCK] >> 32
    clock = admit_event(unwrap_dat(raw, state[CLOCK]), column, row, record, sensor, state)
    state[WRAPS] += (state[CLOCK] >> 32) - epoch
    return clock
