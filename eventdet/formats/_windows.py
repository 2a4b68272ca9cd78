"""Cut a stream of events into windows of equal length, of equal count, or of whichever is full first."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.units import parse_duration_us

__all__ = ["OnRead", "Window", "WindowCutter", "WindowGrid", "cut_windows", "parse_windows", "timed"]

_T = TypeVar("_T")

OnRead = Callable[[int], None]
"""Takes the nanoseconds that the next batch of events took to come."""


class Window(NamedTuple):
    """The events of one half-open span of time."""

    seq: int
    """Number of the window, from 0."""

    t0_us: int
    """First microsecond inside."""

    t1_us: int
    """First microsecond after it."""

    events: Events
    """Events with ``t0_us <= t < t1_us``, maybe none."""


class WindowGrid(NamedTuple):
    """Where windows lie.

    By time alone, number k spans ``[start + k * stride, start + k * stride + length)``. With a count, a window ends
    `length_us` after its begin or just after its event number `num_events`, whichever is first, and the next one begins
    `stride_us` after its begin or just after its event number `stride_events`, likewise. No edge lies between events of
    one stamp: a window is a span of time, which any reader can cut again, and may so hold a few more than `num_events`.
    """

    length_us: int | None
    """Length of a window; None: the count alone ends it."""

    stride_us: int | None
    """Distance from one start to the next; smaller than the length gives overlap, larger leaves gaps."""

    start_us: int | None
    """Start of window 0; None stands for the largest multiple of the stride up to the first event, or without a stride
    in time for the first event."""

    stop_us: int | None
    """The windows cover the time before it; None stands for the end of the last event."""

    num_events: int | None = None
    """Events that make a window full."""

    stride_events: int | None = None
    """Events from one start to the next, at most `num_events`; None stands for `num_events`."""


_COUNT = re.compile(r"\s*(\d+)\s*ev\s*")


def parse_windows(
    window: str,
    stride: str | None = None,
    *,
    start_us: int | None = None,
    stop_us: int | None = None,
    names: tuple[str, str] = ("window", "stride"),
) -> WindowGrid:
    """Return the grid of windows that a text asks for.

    Parameters
    ----------
    window : str
        A duration (``50ms``), a count (``20000ev``), or both, whichever is first (``50ms,20000ev``).
    stride : str, optional
        In the same units; the window by default.
    start_us, stop_us : int, optional
        Of the grid.
    names : tuple of two str
        What the caller's users know the two texts as, for messages.

    Raises
    ------
    OptionError
        When a text is none of these, or the two do not go together.

    Examples
    --------
    >>> parse_windows("50ms,20000ev")
    WindowGrid(length_us=50000, stride_us=50000, start_us=None, stop_us=None, num_events=20000, stride_events=20000)
    """
    length_us, num_events = _parse_extent(window, names[0])
    stride_us, stride_events = _parse_extent(window if stride is None else stride, names[1])
    return check_grid(WindowGrid(length_us, stride_us, start_us, stop_us, num_events, stride_events))


def _parse_extent(text: str, name: str) -> tuple[int | None, int | None]:
    parts = text.split(",")
    counts = [int(match[1]) for part in parts if (match := _COUNT.fullmatch(part))]
    durations = [parse_duration_us(part, name=name) for part in parts if not _COUNT.fullmatch(part)]
    if len(counts) > 1 or len(durations) > 1:
        raise OptionError(f"{name} must be a duration, a count or one of each, got {text!r}", hint="like 50ms,20000ev")
    return durations[0] if durations else None, counts[0] if counts else None


def check_grid(grid: WindowGrid) -> WindowGrid:
    """Return `grid` when its extents are positive and go together.

    Raises
    ------
    OptionError
        Otherwise.
    """
    if grid.length_us is None and grid.num_events is None:
        raise OptionError("windows need a length or a number of events", hint="write them like 50ms or 20000ev")
    is_stray = grid.num_events is None and grid.stride_events is not None
    if is_stray or (grid.length_us is None) != (grid.stride_us is None):
        raise OptionError("window and stride must be given in the same units", hint="like 50ms and 25ms")
    for name in ("length_us", "stride_us", "num_events", "stride_events"):
        value = getattr(grid, name)
        if value is not None and value <= 0:
            raise OptionError(f"{name} must be > 0, got {value}", hint="write it like 50ms or 20000ev")
    if grid.num_events is not None:
        for length, stride in ((grid.num_events, grid.stride_events), (grid.length_us, grid.stride_us)):
            if length is not None and stride is not None and stride > length:
                raise OptionError(f"the stride of windows by count must not be beyond them, got {stride} > {length}")
    return grid


class WindowCutter:
    """Cuts a stream into windows, batch by batch.

    A window is complete when an event beyond it has come, or word that nothing before its end comes any more: an
    event with the stamp of the last one may always follow.

    Parameters
    ----------
    grid : WindowGrid
        Where the windows lie.

    Raises
    ------
    OptionError
        When an extent of the grid is not positive, or they do not go together.
    """

    def __init__(self, grid: WindowGrid) -> None:
        self._grid = check_grid(grid)
        self._begin = grid.start_us
        self._covered: int | None = None
        self._seq = 0
        self._held: list[Events] = []
        self._num_held = 0
        self._t_last: int | None = None

    @property
    def num_held(self) -> int:
        """Events that wait for their window to be complete."""
        return self._num_held

    @property
    def is_finished(self) -> bool:
        """Whether every window before the stop of the grid has been handed out."""
        return self._grid.stop_us is not None and self._is_covered(self._grid.stop_us - 1)

    def push(self, events: Events, *, now_us: int | None = None) -> Iterator[Window]:
        """Take the next events and yield the windows that are complete with them.

        Parameters
        ----------
        events : Events
            In time order, after those of earlier calls; maybe none.
        now_us : int, optional
            No event before this stamp comes any more.

        Yields
        ------
        Window
            Empty windows too; none once the cutter is finished.
        """
        if self.is_finished:
            return
        if len(events):
            self._t_last = int(events.t[-1])
            if self._begin is None:
                stride_us = self._grid.stride_us or 1
                self._begin = int(events.t[0]) // stride_us * stride_us
            self._hold(events, self._begin)
        reached = max((t for t in (self._t_last, now_us) if t is not None), default=None)
        if self._begin is None or reached is None or not self._may_be_full(self._begin, reached):
            return
        joined = _join(self._held)
        while not self.is_finished:
            end = self._end(joined.t, self._begin)
            if end is None or end > reached:
                break
            yield self._take(joined, self._begin, end)
        self._held, self._num_held = [], 0
        self._hold(joined, self._begin)

    def finish(self) -> Iterator[Window]:
        """Yield the windows that remain when nothing more comes; one by count alone ends with the last event."""
        last = self._t_last if self._grid.stop_us is None else self._grid.stop_us - 1
        if self._begin is None or last is None:
            return
        joined = _join(self._held)
        while not self._is_covered(last):
            end = self._end(joined.t, self._begin)
            yield self._take(joined, self._begin, last + 1 if end is None else end)

    def _is_covered(self, last_us: int) -> bool:
        """Return whether no window is left to hand out that holds something up to `last_us`."""
        begun = self._begin is None or self._begin <= last_us
        return not begun or (self._covered is not None and self._covered > last_us)

    def _hold(self, events: Events, begin_us: int) -> None:
        """Hold the events from `begin_us` on, which the next window, or one after it, may want."""
        wanted = events[int(np.searchsorted(events.t, begin_us)) :]
        if len(wanted):
            self._held.append(wanted)
            self._num_held += len(wanted)

    def _may_be_full(self, begin_us: int, reached_us: int) -> bool:
        """Return whether it is worth while to join the batches, and look."""
        length, most = self._grid.length_us, self._grid.num_events
        if most is not None and self._num_held >= most:
            return True
        until = self._grid.stop_us if length is None else begin_us + length
        return until is not None and until <= reached_us

    def _end(self, t: NDArray[np.int64], begin_us: int) -> int | None:
        """Return where the window that begins there ends; None when the events so far do not tell."""
        grid = self._grid
        until = grid.stop_us if grid.length_us is None else begin_us + grid.length_us
        return _after(t, begin_us, until, grid.num_events)

    def _take(self, events: Events, begin_us: int, end_us: int) -> Window:
        """Return the window of a span and go on to the next, which begins where the stride leads."""
        grid = self._grid
        until = None if grid.stride_us is None else begin_us + grid.stride_us
        step = grid.num_events if grid.stride_events is None else grid.stride_events
        following = _after(events.t, begin_us, until, step)
        self._begin = end_us if following is None else following
        self._covered = end_us
        self._seq += 1
        return Window(self._seq - 1, begin_us, end_us, events.between(begin_us, end_us))


def timed(items: Iterable[_T], on_read: OnRead | None) -> Iterator[_T]:
    """Yield the items, and tell how long each took to come."""
    if on_read is None:
        yield from items
        return
    asked = time.perf_counter_ns()
    for item in items:
        on_read(time.perf_counter_ns() - asked)
        yield item
        asked = time.perf_counter_ns()


def cut_windows(batches: Iterable[Events], grid: WindowGrid) -> Iterator[Window]:
    """Yield the windows of a stream in order, each as soon as an event beyond it has come.

    No batch is asked for once the last window before the stop is complete, and no event is held that lies before the
    next window: the memory is that of one window and one batch.

    Parameters
    ----------
    batches : iterable of Events
        Consecutive batches in time order.
    grid : WindowGrid
        Where the windows lie.

    Yields
    ------
    Window
        Empty windows too: a network with memory has to see silence pass.

    Raises
    ------
    OptionError
        When an extent of the grid is not positive, or they do not go together.
    """
    cutter = WindowCutter(grid)
    coming = iter(batches)
    while not cutter.is_finished and (batch := next(coming, None)) is not None:
        yield from cutter.push(batch)
    yield from cutter.finish()


def _after(t: NDArray[np.int64], begin_us: int, until_us: int | None, count: int | None) -> int | None:
    """Return the earlier of `until_us` and the stamp just after event number `count` from `begin_us` on."""
    if count is None:
        return until_us
    place = int(np.searchsorted(t, begin_us)) + count - 1
    if place >= len(t):
        return until_us
    full = int(t[place]) + 1
    return full if until_us is None else min(full, until_us)


def _join(batches: list[Events]) -> Events:
    return batches[0] if len(batches) == 1 else Events.concatenate(batches)
