"""Stored stamps and words into events, compiled by Numba."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventdet.events import Events

from ._blosc_kernels import unpack_bytes

__all__ = ["find_span", "unpack_chunk", "unpack_words"]

_COORDINATE = np.uint32(0x3FFF)
_Y_SHIFT = np.uint32(14)
_ON_SHIFT = np.uint32(28)
_ON = np.uint32(1)


@njit(cache=True, nogil=True)
def _first_from(stamps: NDArray[np.int64], target: int, low: int) -> int:
    """Return the place of the first stamp at or after `target`, not below `low`."""
    high = len(stamps)
    while low < high:
        middle = (low + high) // 2
        if stamps[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def find_span(stamps: NDArray[np.int64], first: int, stop: int) -> tuple[int, int]:
    """Return where the stamps ``first <= stamp < stop`` begin and end, in stamps that do not decrease.

    A call of ``np.searchsorted`` takes several times as long.
    """
    low = _first_from(stamps, first, 0)
    return low, _first_from(stamps, stop, low)


@njit(cache=True, nogil=True)
def _fill_stamps(stamps: NDArray[np.uint8], begin: int, base_us: int, t: NDArray[np.int64]) -> None:
    """Fill t from the bytes of stamps, shape (4, n), from column `begin` on; `base_us` comes on top of each."""
    lowest, low, high, highest = stamps[0, begin:], stamps[1, begin:], stamps[2, begin:], stamps[3, begin:]
    for i in range(len(t)):
        half = np.uint32(lowest[i]) | np.uint32(low[i]) << np.uint32(8)
        t[i] = np.int64(half | np.uint32(high[i]) << np.uint32(16) | np.uint32(highest[i]) << np.uint32(24)) + base_us


@njit(cache=True, nogil=True)
def _fill_places(
    words: NDArray[np.uint8], begin: int, x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8]
) -> None:
    """Fill x, y and p from the bytes of words, shape (4, n), from column `begin` on."""
    lowest, low, high, highest = words[0, begin:], words[1, begin:], words[2, begin:], words[3, begin:]
    for i in range(len(x)):
        # Bits 0 to 13, 14 to 27, and 28.
        x[i] = np.uint16(lowest[i]) | np.uint16(low[i] & 0x3F) << 8
        y[i] = np.uint16(low[i]) >> 6 | np.uint16(high[i]) << 2 | np.uint16(highest[i] & 0x0F) << 10
        p[i] = (highest[i] >> 4) & 1


@njit(cache=True, nogil=True)
def unpack_chunk(
    stamps: NDArray[np.uint8], words: NDArray[np.uint8], num_events: int, part: tuple[int, int], base_us: int,
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], at: int,
) -> bool:  # fmt: skip
    """Write the events number ``part[0]`` to ``part[1]`` of a packed chunk into the columns, from place `at` on.

    Returns
    -------
    bool
        False when a column is left to the library, see `unpack_bytes`.
    """
    of_stamps, first_stamp = unpack_bytes(stamps, num_events, part[0], part[1])
    of_words, first_word = unpack_bytes(words, num_events, part[0], part[1])
    if not (len(of_stamps) and len(of_words)):
        return False
    end = at + part[1] - part[0]
    _fill_stamps(of_stamps, first_stamp, base_us, t[at:end])
    _fill_places(of_words, first_word, x[at:end], y[at:end], p[at:end])
    return True


@njit(cache=True, nogil=True)
def _fill_columns(
    stamps: NDArray[np.uint32], words: NDArray[np.uint32], base_us: int,
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Fill t, x, y and p, all of the length of `words`; `base_us` comes on top of each stamp."""
    for i in range(len(words)):
        word = words[i]
        t[i] = stamps[i] + base_us
        x[i] = word & _COORDINATE
        y[i] = (word >> _Y_SHIFT) & _COORDINATE
        p[i] = (word >> _ON_SHIFT) & _ON


def unpack_words(stamps: NDArray[np.uint32], words: NDArray[np.uint32], *, base_us: int = 0) -> Events:
    """Return the events of DAT words, each stamp taken as microseconds after `base_us`."""
    events = Events.empty(len(words))
    _fill_columns(stamps, words, base_us, events.t, events.x, events.y, events.p)
    return events
