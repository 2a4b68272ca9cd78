"""Filters against events that nothing in the scene has caused, or too many of them."""

from dataclasses import dataclass

import numpy as np

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .base import EventFilter, Run, check_positive

__all__ = ["Background", "HotPixels", "RateLimit", "Refractory"]

_HIGHEST = 1e12
"""Events, events per second or microseconds that the integers of the kernels hold with room to spare."""


@dataclass(frozen=True)
class Background(EventFilter):
    """Drop events that no neighbour backs: a real edge moves over several pixels, noise of a pixel stays alone.

    Examples
    --------
    >>> events = Events.from_columns(t=[0, 5, 9], x=[1, 2, 9], y=[1, 1, 9], p=[1, 1, 1])
    >>> Background(time_us=10).start(SensorSize(20, 20))(events).x.tolist()
    [2]
    """

    time_us: int = 2_000
    """One of the eight neighbours must have fired at most this long before, microseconds."""

    def __post_init__(self) -> None:
        """Check the time."""
        _check_number("time_us", self.time_us)

    def start(self, size: SensorSize) -> Run:
        """Return a run with its own map of stamps."""
        from ._kernels import keep_supported

        support = np.zeros((size.height + 2, size.width + 2), np.int64)

        def run(events: Events) -> Events:
            keep = np.empty(len(events), np.bool_)
            keep_supported(events.t, events.x, events.y, self.time_us, support, keep)
            return events[keep]

        return run


@dataclass(frozen=True)
class Refractory(EventFilter):
    """Drop events of a pixel that come too soon after the last one kept, whatever their polarity."""

    time_us: int = 1_000
    """Rest of a pixel, microseconds."""

    def __post_init__(self) -> None:
        """Check the time."""
        _check_number("time_us", self.time_us)

    def start(self, size: SensorSize) -> Run:
        """Return a run with its own map of stamps."""
        from ._kernels import keep_rested

        last = np.zeros(size, np.int64)

        def run(events: Events) -> Events:
            keep = np.empty(len(events), np.bool_)
            keep_rested(events.t, events.x, events.y, self.time_us, last, keep)
            return events[keep]

        return run


@dataclass(frozen=True)
class HotPixels(EventFilter):
    """Drop events of pixels that fire much faster than all around them.

    Time is cut into periods; what a pixel did in one decides about the next, so that a live stream can be filtered.
    The first period passes whole, and so does one after a silent one.
    """

    rate: float = 100.0
    """Events per second up to which no pixel is hot."""

    ratio: int = 10
    """A hot pixel has more than this many times the events of its mean neighbour."""

    period_us: int = 1_000_000
    """Length of a period, microseconds, from zero on the clock of the recording."""

    def __post_init__(self) -> None:
        """Check the parameters."""
        for name in ("rate", "ratio", "period_us"):
            _check_number(name, getattr(self, name))

    def start(self, size: SensorSize) -> Run:
        """Return a run with its own counts."""
        from ._kernels import keep_without_hot

        limit = int(self.rate * self.period_us / 1e6)
        rule = np.array([self.period_us, limit, self.ratio], np.int64)
        period = np.full(1, -2, np.int64)
        counts = np.zeros((size.height + 2, size.width + 2), np.int64)
        hot = np.zeros(size, np.bool_)

        def run(events: Events) -> Events:
            keep = np.empty(len(events), np.bool_)
            keep_without_hot(events.t, events.x, events.y, rule, period, counts, hot, keep)
            return events[keep]

        return run


@dataclass(frozen=True)
class RateLimit(EventFilter):
    """Drop events beyond a rate of the whole sensor: a flash must not stall what comes after it."""

    rate: float = 10e6
    """Events per second that pass in the long run."""

    burst: int = 10_000
    """Events that may pass at once after a silence."""

    def __post_init__(self) -> None:
        """Check the parameters."""
        for name in ("rate", "burst"):
            _check_number(name, getattr(self, name))
            check_positive(name, int(getattr(self, name)))

    def start(self, size: SensorSize) -> Run:
        """Return a run that may begin with a burst."""
        from ._kernels import MICROEVENTS, keep_at_limited_rate

        capacity = self.burst * MICROEVENTS
        bucket = np.array([capacity, 0], np.int64)

        def run(events: Events) -> Events:
            keep = np.empty(len(events), np.bool_)
            keep_at_limited_rate(events.t, int(self.rate), capacity, bucket, keep)
            return events[keep]

        return run


def _check_number(name: str, value: float) -> None:
    check_positive(name, value)
    if value > _HIGHEST:
        raise OptionError(f"{name} must be at most {_HIGHEST:g}, got {value}")
