"""Numba kernel for EVT 4.0: 32-bit words like those of EVT 2.0 under other type codes, and vectors of two words.

A vector word holds the stamp, the first column, the row and the polarity of a mask that is the whole next word.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._admit_kernels import VECTOR_PIXELS, admit_vector, lowest_bit
from ._evt2_kernels import advance_high
from ._fault_kernels import count_faults
from ._state import EPOCH, HELD, HIGH, NUM_HELD, SKIPPED, TRIGGERS, UNKNOWN

__all__ = ["decode_evt4", "find_evt4_triggers"]

_OTHER = 0x6
_CONTINUED = 0x7
_EXT_TRIGGER = 0x9
_CD_OFF = 0xA
_CD_ON = 0xB
_CD_VEC_OFF = 0xC
_CD_VEC_ON = 0xD
_TIME_HIGH = 0xE
_PADDING = 0xF
_LOW_BITS = 6
_WORD_BYTES = 4


@njit(cache=True, nogil=True)
def decode_evt4(
    words: NDArray[np.uint32], width: int, height: int, state: NDArray[np.int64],
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> tuple[int, int]:  # fmt: skip
    """Decode words into columns until either ends; return (words consumed, events written).

    It stops before a word that might not fit: the columns hold at least 32 events. HELD carries a vector word whose
    mask has not come yet.
    """
    written = 0
    i = 0
    while i < len(words) and written + VECTOR_PIXELS <= len(t):
        event, mask = np.int64(words[i]), np.int64(0)
        kind = event >> 28
        if state[NUM_HELD]:
            event, mask = state[HELD], event
            state[NUM_HELD] = 0
        elif kind in (_CD_VEC_OFF, _CD_VEC_ON):
            state[HELD], state[NUM_HELD] = event, _WORD_BYTES
        elif kind in (_CD_OFF, _CD_ON):
            mask = np.int64(1)
        else:
            _note_other(event, i, state)
        if mask:
            stamp = state[EPOCH] + (state[HIGH] << _LOW_BITS) + ((event >> 22) & 0x3F)
            column, row = (event >> 11) & 0x7FF, event & 0x7FF
            # The lowest bit of all four event types is the polarity.
            polarity = (event >> 28) & 1
            clock, seen = admit_vector(stamp, column, row, mask, i, (width, height), state)
            while seen:
                t[written], x[written], y[written], p[written] = clock, column + lowest_bit(seen), row, polarity
                written += 1
                seen &= seen - 1
        i += 1
    return i, written


@njit(cache=True, nogil=True)
def _note_other(word: np.int64, record: int, state: NDArray[np.int64]) -> None:
    """Take the time of a word without events, or count it."""
    kind = word >> 28
    if kind == _TIME_HIGH:
        advance_high(word & 0xFFFFFFF, state)
    elif kind == _EXT_TRIGGER:
        state[TRIGGERS] += 1
    elif kind in (_OTHER, _CONTINUED, _PADDING):
        state[SKIPPED] += 1
    else:
        count_faults(state, UNKNOWN, record, 1)


@njit(cache=True, nogil=True)
def find_evt4_triggers(
    words: NDArray[np.uint32], state: NDArray[np.int64],
    t: NDArray[np.int64], channel: NDArray[np.uint8], value: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Write the external triggers of words, as `find_evt2_triggers` does."""
    written = 0
    is_mask = state[NUM_HELD] > 0
    for i in range(len(words)):
        word = np.int64(words[i])
        kind = word >> 28
        if is_mask:
            is_mask = False
        elif kind in (_CD_VEC_OFF, _CD_VEC_ON):
            is_mask = True
        elif kind == _TIME_HIGH:
            advance_high(word & 0xFFFFFFF, state)
        elif kind == _EXT_TRIGGER and state[HIGH] >= 0:
            t[written] = state[EPOCH] + (state[HIGH] << _LOW_BITS) + ((word >> 22) & 0x3F)
            channel[written], value[written] = (word >> 8) & 0x1F, word & 1
            written += 1
    return written
