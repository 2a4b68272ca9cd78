"""Cut a stream of events into windows of equal length."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from eventdet.errors import OptionError
from eventdet.events import Events

__all__ = ["Window", "WindowGrid", "cut_windows"]


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


def cut_windows(batches: Iterable[Events], grid: WindowGrid) -> Iterator[Window]:
    """Yield the windows of a stream in order, each as soon as an event beyond it has come.

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
    check_grid(grid)
    start = grid.start_us
    seq = 0
    held: list[Events] = []
    t_last = None
    for batch in batches:
        if not len(batch):
            continue
        t_last = int(batch.t[-1])
        if start is None:
            start = int(batch.t[0]) // grid.stride_us * grid.stride_us
        held.append(batch)
        # An event with the stamp of the last one may still come: only windows that end before it are complete.
        complete = (t_last - grid.length_us - start) // grid.stride_us + 1
        if grid.stop_us is not None:
            complete = min(complete, grid.last_index(start, grid.stop_us - 1) + 1)
        if complete > seq:
            joined = _join(held)
            yield from _cut(joined, grid, start, range(seq, complete))
            seq = complete
            held = [joined[int(np.searchsorted(joined.t, start + seq * grid.stride_us)) :]]
    if start is None:
        return
    end = t_last if grid.stop_us is None else grid.stop_us - 1
    if end is not None:
        yield from _cut(_join(held), grid, start, range(seq, grid.last_index(start, end) + 1))


def _join(batches: list[Events]) -> Events:
    return batches[0] if len(batches) == 1 else Events.concatenate(batches)


def _cut(events: Events, grid: WindowGrid, start_us: int, numbers: range) -> Iterator[Window]:
    for seq in numbers:
        t0 = start_us + seq * grid.stride_us
        yield Window(seq, t0, t0 + grid.length_us, events.between(t0, t0 + grid.length_us))
