"""Cut a stream of events into windows of equal length."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from eventdet.errors import OptionError
from eventdet.events import Events

__all__ = ["Window", "WindowCutter", "WindowGrid", "cut_windows"]


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
    """Where windows lie: number k spans ``[start + k * stride, start + k * stride + length)``."""

    length_us: int
    """Length of a window."""

    stride_us: int
    """Distance from one start to the next; smaller than the length gives overlap, larger leaves gaps."""

    start_us: int | None
    """Start of window 0; None stands for the largest multiple of the stride up to the first event."""

    stop_us: int | None
    """The windows cover the time before it; None stands for the end of the last event."""

    def last_index(self, start_us: int, t_last_us: int) -> int:
        """Return the number of the window that completes the cover up to `t_last_us`, -1 when there is none."""
        first_beyond = max(0, (t_last_us - self.length_us - start_us) // self.stride_us + 1)
        last_begun = (t_last_us - start_us) // self.stride_us
        return min(first_beyond, last_begun)


def check_grid(grid: WindowGrid) -> WindowGrid:
    """Return `grid` when its length and stride are positive.

    Raises
    ------
    OptionError
        Otherwise.
    """
    for name in ("length_us", "stride_us"):
        value = getattr(grid, name)
        if value <= 0:
            raise OptionError(f"{name} must be > 0, got {value}", hint="write it like 50ms")
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
        When length or stride of the grid is not positive.
    """

    def __init__(self, grid: WindowGrid) -> None:
        self._grid = check_grid(grid)
        self._start = grid.start_us
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
        stop = self._grid.stop_us
        return stop is not None and self._start is not None and self._seq > self._grid.last_index(self._start, stop - 1)

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
            if self._start is None:
                self._start = int(events.t[0]) // self._grid.stride_us * self._grid.stride_us
            self._hold(self._from_next_window(events, self._start))
        reached = max((t for t in (self._t_last, now_us) if t is not None), default=None)
        if self._start is None or reached is None:
            return
        complete = (reached - self._grid.length_us - self._start) // self._grid.stride_us + 1
        if self._grid.stop_us is not None:
            complete = min(complete, self._grid.last_index(self._start, self._grid.stop_us - 1) + 1)
        if complete > self._seq:
            joined = _join(self._held)
            yield from self._cut(joined, self._start, complete)
            self._held, self._num_held = [], 0
            self._hold(self._from_next_window(joined, self._start))

    def finish(self) -> Iterator[Window]:
        """Yield the windows that remain when nothing more comes."""
        end = self._t_last if self._grid.stop_us is None else self._grid.stop_us - 1
        if self._start is not None and end is not None:
            yield from self._cut(_join(self._held), self._start, self._grid.last_index(self._start, end) + 1)

    def _hold(self, events: Events) -> None:
        if len(events):
            self._held.append(events)
            self._num_held += len(events)

    def _from_next_window(self, events: Events, start_us: int) -> Events:
        """Return the events that the next window, or one after it, may hold."""
        return events[int(np.searchsorted(events.t, start_us + self._seq * self._grid.stride_us)) :]

    def _cut(self, events: Events, start_us: int, stop: int) -> Iterator[Window]:
        """Yield the windows up to number `stop`, from events that hold all of theirs."""
        while self._seq < stop:
            t0 = start_us + self._seq * self._grid.stride_us
            t1 = t0 + self._grid.length_us
            self._seq += 1
            yield Window(self._seq - 1, t0, t1, events.between(t0, t1))


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
        When length or stride of the grid is not positive.
    """
    cutter = WindowCutter(grid)
    coming = iter(batches)
    while not cutter.is_finished and (batch := next(coming, None)) is not None:
        yield from cutter.push(batch)
    yield from cutter.finish()


def _join(batches: list[Events]) -> Events:
    return batches[0] if len(batches) == 1 else Events.concatenate(batches)
