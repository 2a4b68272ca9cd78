"""Stored stamps and words into events, compiled by Numba."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from eventdet.events import Events

from ._blosc_kernels import unpack_values

__all__ = ["find_span", "unpack_chunk", "unpack_words"]

_COORDINATE = np.uint32(0x3FFF)
_Y_SHIFT = np.uint32(14)
_ON_SHIFT = np.uint32(28)
_ON = np.uint32(1)


@njit(cache=True, nogil=True)
def _first_from(stamps: NDArray[np.uint32], target: int, low: int) -> int:
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
def find_span(stamps: NDArray[np.uint32], first: int, stop: int) -> tuple[int, int]:
    """Return where the stamps ``first <= stamp < stop`` begin and end, in stamps that do not decrease.

    ``np.searchsorted`` would widen all stamps to compare them with wider numbers.
    """
    low = _first_from(stamps, first, 0)
    return low, _first_from(stamps, stop, low)


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


@njit(cache=True, nogil=True)
def unpack_chunk(
    stamps: NDArray[np.uint8], words: NDArray[np.uint8], num_events: int,
    part: tuple[int, int], span: tuple[int, int], base_us: int,
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], filled: int,
) -> int:  # fmt: skip
    """Append the events number ``part[0]`` to ``part[1]`` of a packed chunk with ``span[0] <= stamp < span[1]``.

    Returns
    -------
    int
        How many events the columns then hold; -1 when a column is left to the library, see `unpack_values`.
    """
    offsets = np.empty(part[1] - part[0], np.uint32)
    if not unpack_values(stamps, num_events, part[0], offsets):
        return -1
    low, high = find_span(offsets, span[0], span[1])
    chosen = np.empty(high - low, np.uint32)
    if not unpack_values(words, num_events, part[0] + low, chosen):
        return -1
    end = filled + high - low
    _fill_columns(offsets[low:high], chosen, base_us, t[filled:end], x[filled:end], y[filled:end], p[filled:end])
    return end
