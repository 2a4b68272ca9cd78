"""Bring the events of a window to the pixels of a tensor, and cut them into time bins."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import PixelMap

__all__ = ["as_records", "cut_bins", "place_events"]


def place_events(events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap) -> Events:
    """Return the events of ``[t0_us, t1_us)`` at the pixels where they land; those cut away are left out.

    Parameters
    ----------
    events : Events or ndarray, shape (n, 2), uint32
        Events or DAT records, in time order.
    t0_us, t1_us : int
        The window, microseconds.
    pixel_map : PixelMap
        Where the sensor's pixels land. Its tables are not trusted: what they put outside the target is left out.

    Returns
    -------
    Events
        Views where every event keeps its place.

    Raises
    ------
    OptionError
        When the events of the window are not in time order, or records have another form.
    """
    part = _between(events, t0_us, t1_us)
    if not part.is_sorted():
        raise OptionError(f"events must be in time order, those of the window ({t0_us}, {t1_us}) are not")
    width, height = pixel_map.target.width, pixel_map.target.height
    if _stay(part.x, pixel_map.columns, width) and _stay(part.y, pixel_map.rows, height):
        return part
    from ._pixel_kernels import land

    place = (pixel_map.columns, pixel_map.rows, width, height)
    landed = Events.empty(len(part))
    count = land(part.t, part.x, part.y, part.p, *place, landed.t, landed.x, landed.y, landed.p)
    return landed[:count]


def cut_bins(events: Events, t0_us: int, t1_us: int, bins: int) -> Iterator[tuple[int, Events]]:
    """Yield each time bin of a window: the first stamp after it, and its events.

    An event of stamp t is in bin ``(t - t0) * bins // (t1 - t0)``, so bin k ends with the last stamp before
    ``t0 + (k + 1) * (t1 - t0) / bins``.
    """
    length, begin = t1_us - t0_us, 0
    for index in range(1, bins + 1):
        end_us = t0_us - (-index * length // bins)
        end = int(np.searchsorted(events.t, end_us))
        yield end_us, events[begin:end]
        begin = end


def as_records(words: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return DAT records as one number each, shape (n,): the stamp below, the packed word above.

    A mapped file is one piece of memory already, so nothing is copied.

    Raises
    ------
    OptionError
        When they are not uint32 of shape (n, 2).
    """
    return np.ascontiguousarray(_check_words(words)).view(np.uint64).reshape(-1)


def _check_words(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    if words.dtype != np.uint32 or words.ndim != 2 or words.shape[1] != 2:
        raise OptionError(f"DAT records must be uint32 of shape (n, 2), got {words.dtype} {words.shape}")
    return words


def _between(events: Events | NDArray[np.uint32], t0_us: int, t1_us: int) -> Events:
    if isinstance(events, Events):
        return events.between(t0_us, t1_us)
    from eventdet.preprocessing._word_kernels import unpack_words

    start, stop = np.searchsorted(_check_words(events)[:, 0], (t0_us, t1_us))
    part = events[start:stop]
    return unpack_words(part[:, 0], part[:, 1])


def _stay(coordinates: NDArray[np.uint16], table: NDArray[np.int32], limit: int) -> bool:
    """Return whether all coordinates lie on the sensor and land where they are."""
    if len(table) > limit or not np.array_equal(table, np.arange(len(table))):
        return False
    return not len(coordinates) or bool(coordinates.max() < len(table))
