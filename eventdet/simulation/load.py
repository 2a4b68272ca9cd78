"""Recordings of a wanted event rate, as a load for whatever reads them."""

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.units import MICROSECONDS_PER_SECOND

from .readout import in_time_order
from .reproducible import Draws
from .sensor import uniform_numbers

__all__ = ["EventLoad"]


class EventLoad:
    """Thins out or fills up each step of a recording to its share of a rate.

    Thinning keeps events at even distances in the stream, so that the scene stays what it is; noise at random pixels
    fills up what a scene lacks.

    Parameters
    ----------
    rate_hz : float
        Events per second.
    size : SensorSize
        Rows and columns.
    seed : int
        Chooses the noise.
    """

    def __init__(self, rate_hz: float, *, size: SensorSize, seed: int) -> None:
        self._rate_hz = rate_hz
        self._size = size
        self._draw = Draws(seed, "load")
        self._last_us = 0

    def apply(self, events: Events, *, start_us: int, stop_us: int) -> Events:
        """Return as many events as the rate has in ``(start_us, stop_us]``, in time order from call to call.

        Parameters
        ----------
        events : Events
            Those of the step, in time order.
        start_us, stop_us : int
            The step, microseconds.
        """
        wanted = self._due(stop_us) - self._due(start_us)
        lacking = wanted - len(events)
        if lacking > 0:
            events = in_time_order(Events.concatenate([events, self._noise(lacking, start_us, stop_us)]), start_us)
        elif lacking < 0:
            events = events[_evenly(len(events), wanted)]
        self._last_us = int(events.t[-1]) if len(events) else self._last_us
        return events

    def _due(self, t_us: int) -> int:
        return int(self._rate_hz * t_us / MICROSECONDS_PER_SECOND)

    def _noise(self, count: int, start_us: int, stop_us: int) -> Events:
        when, where, sign = (uniform_numbers(self._draw, count) for _ in range(3))
        t = start_us + 1 + (when * (stop_us - start_us)).astype(np.int64)
        y, x = np.divmod((where * (self._size.height * self._size.width)).astype(np.int64), self._size.width)
        # A slow readout may have stamped the step before beyond its end.
        t = np.maximum(t, self._last_us)
        return Events(t, x.astype(np.uint16), y.astype(np.uint16), (sign < 0.5).astype(np.uint8))


def _evenly(count: int, wanted: int) -> NDArray[np.intp]:
    """Return `wanted` of `count` places at even distances."""
    return np.arange(wanted) * count // max(1, wanted)
