"""Numba kernel for the events of AEDAT4 packets: 16 bytes an event, read as two 64-bit words.

The first word is the stamp; the second holds signed 16-bit x and y and a byte for the polarity, lowest first.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._admit_kernels import admit_event
from ._fault_kernels import count_faults
from ._state import BAD_POLARITY, HELD, NUM_HELD

__all__ = ["decode_aedat4"]

_WORD_BYTES = 8


@njit(cache=True, nogil=True)
def decode_aedat4(
    words: NDArray[np.int64], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode words into columns until either ends; return (words consumed, events written).

    HELD carries a stamp whose second word has not come yet.
    """
    stamp, is_held = state[HELD], state[NUM_HELD] > 0
    written = 0
    i = 0
    while i < len(words) and written < len(t):
        word = words[i]
        i += 1
        if not is_held:
            stamp, is_held = word, True
            continue
        is_held = False
        column, row = (word & 0xFFFF ^ 0x8000) - 0x8000, ((word >> 16) & 0xFFFF ^ 0x8000) - 0x8000
        polarity = (word >> 32) & 0xFF
        clock = admit_event(stamp, column, row, i - 1, (width, height), state)
        if clock >= 0:
            if polarity > 1:
                count_faults(state, BAD_POLARITY, i - 1, 1)
            t[written], x[written], y[written], p[written] = clock, column, row, min(polarity, 1)
            written += 1
    state[HELD], state[NUM_HELD] = stamp, _WORD_BYTES if is_held else 0
    return i, written
