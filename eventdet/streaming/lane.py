"""One source on its way to a detector: windows taken in their order, at their time, or skipped.

A lane owns the window in hand and nothing else; what waits is held by the source, whose queues are bounded.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.formats import Window
from eventdet.geometry import PixelMap
from eventdet.pace import Pacer
from eventdet.preprocessing import event_histogram
from eventdet.sinks import TrackColumns
from eventdet.sources import EventSource, LiveSource

from .continuity import Continuity
from .options import StreamOptions
from .overload import Decision, Overload, Wait, thinned
from .summary import RunTally
from .trace import Span

__all__ = ["WALL_CLOCK", "Clock", "Lane", "Taken"]


class Clock(NamedTuple):
    """Where wall time comes from."""

    now_ns: Callable[[], int]
    """Nanoseconds."""

    sleep: Callable[[float], None]
    """Waits for seconds."""


WALL_CLOCK = Clock(time.perf_counter_ns, time.sleep)


@dataclass(slots=True)
class Taken:
    """A window that is to be run."""

    window: Window
    """As it was cut, with the events that are left of it."""

    available_ns: int
    """When its last event could be had."""

    reset_reason: str
    """Why the membranes are to be cleared before; empty: they are not."""

    spans: list[Span]
    """What was done for it so far."""

    late_ns: int | None
    """How long it has waited for us; None without a clock that says when it was due."""


class Lane:
    """Windows of one source.

    Parameters
    ----------
    source : EventSource
        Where events come from.
    options : StreamOptions
        How to stream.
    trained : tuple of int
        Length in microseconds of the windows that the model was trained on, and its steps in a row.
    pixels : PixelMap
        From the sensor to the network's input.
    clock : Clock
        Wall time.
    """

    def __init__(
        self,
        source: EventSource,
        options: StreamOptions,
        trained: tuple[int, int],
        pixels: PixelMap,
        clock: Clock = WALL_CLOCK,
    ) -> None:
        self.source = source
        self.pixels = pixels
        self.grid = options.grid(trained[0])
        self.reset_steps = options.reset_steps or trained[1]
        self.tally = RunTally(begin_ns=0)
        self.is_stopping = False
        self._live = source if isinstance(source, LiveSource) else None
        self.options = options
        self._clock = clock
        self._sought_us: int | None = None
        self.hurry_until_us: int | None = None
        self._windows: Iterator[Window | None] = iter(())
        self._held: Taken | None = None
        self._read_ns = self._waited_before = 0

    def begin(self) -> None:
        """Start with the first window."""
        self._tracker = self.options.tracker(self.source.sensor_size)
        self.tally = RunTally(begin_ns=self._clock.now_ns())
        self._overload = Overload(self.options)
        every = self.reset_steps if self.options.state == "reset" else None
        self._continuity = Continuity(every, self.grid.stride_us)
        self._offset = self._next_seq = 0
        self._open(self.grid.start_us)

    def stop(self) -> None:
        """End before the next window; soon also while one is waited for. Any thread may call it."""
        self.is_stopping = True
        if self._live is not None:
            self._live.stop()

    def seek(self, t_us: int) -> None:
        """Go on with the window that holds a moment; any thread may call it.

        Raises
        ------
        OptionError
            When the source is live.
        """
        if self._live is not None:
            raise OptionError(f"a live source has one direction, got a seek to {t_us} us", hint="record it first")
        self._sought_us = t_us

    def take(self) -> Taken | None:
        """Return the next window that is to be run, once it may be; None at the end.

        A window that is late is held until the one after it is there, and only then skipped: when the sender has
        stopped, or pauses, it is the newest.
        """
        try:
            while not self.is_stopping:
                if (sought_us := self._sought_us) is not None:
                    self._sought_us = None
                    self._go_to(sought_us)
                asked, read_before = self._clock.now_ns(), self._read_ns
                try:
                    window = next(self._windows)
                except StopIteration:
                    return self._land()
                if window is None:
                    if self._is_overdue():
                        return self._land()
                    continue
                spans = self._reading_spans(asked, read_before)
                available = self._pacer.wait_until(window.t1_us, start_us=window.t0_us)
                if self._is_disturbed():
                    continue
                if (taken := self._admit(window, asked, available, spans)) is not None:
                    return taken
            return None
        finally:
            self._skip_held()

    def fill(self, taken: Taken, out: NDArray[np.uint8]) -> None:
        """Count the events of a window into `out`, shape (1, 2, H, W), uint8."""
        window = taken.window
        begin = self._clock.now_ns()
        event_histogram(window.events, (window.t0_us, window.t1_us), bins=1, pixel_map=self.pixels, out=out)
        taken.spans.append(Span("tensor", begin, self._clock.now_ns() - begin))

    def follow(self, taken: Taken, boxes: Boxes) -> tuple[Boxes, TrackColumns | None]:
        """Return the tracks in a window with its detections; without a tracker, these."""
        if self._tracker is None:
            return boxes, None
        begin = self._clock.now_ns()
        if taken.reset_reason in ("seek", "backward"):
            # Through a hole a track is predicted; elsewhere in time there is none.
            self._tracker.reset()
        tracks = self._tracker.update(boxes, taken.window.t1_us)
        taken.spans.append(Span("track", begin, self._clock.now_ns() - begin))
        return tracks.boxes, TrackColumns(tracks.age_us, tracks.velocity, tracks.is_predicted)

    def close(self) -> None:
        """Let go of the windows of the source."""
        close = getattr(self._windows, "close", None)
        if close is not None:
            close()
        # Both ask this lane while they run: a circle, which would keep the source open until it is collected.
        self._windows = iter(())
        self._pacer = Pacer(self.options.pace)

    def _open(self, start_us: int | None) -> None:
        self._pacer = Pacer(
            self.options.pace,
            clock=self._clock.now_ns,
            sleep=self._clock.sleep,
            should_stop=self._is_disturbed,
            hurry_until_us=self.hurry_until_us,
        )
        grid = self.grid._replace(start_us=start_us)
        cut = self.source.cut if self._live is None else self._live.poll
        self._windows = cut(grid, on_read=self._add_read)
        self._read_ns, self._waited_before = 0, self._waited_ns()

    def _go_to(self, t_us: int) -> None:
        self.close()
        self._offset = self._next_seq
        self._continuity.break_off("seek")
        self._open(t_us if self.grid.stride_us is None else t_us // self.grid.stride_us * self.grid.stride_us)

    def _admit(self, window: Window, asked_ns: int, available_ns: int, spans: list[Span]) -> Taken | None:
        """Return the window with what is left of it, or None when it is held, to be skipped if another one follows."""
        self._skip_held()
        now = self._clock.now_ns()
        late_ns = None
        if not np.isinf(self.options.pace):
            late_ns = now - available_ns
        elif self._live is not None:
            # To wait for the sender is not to be late.
            available_ns = self._live.completed_ns
            late_ns = now - available_ns
        else:
            available_ns = asked_ns
        decision = Decision.RUN if late_ns is None else self._overload.decide(Wait(late_ns, self._period_ns(window)))
        self._next_seq = self._offset + window.seq + 1
        taken = Taken(window._replace(seq=self._next_seq - 1), available_ns, "", spans, late_ns)
        if decision is Decision.SKIP:
            self._held = taken
            return None
        if decision is Decision.THIN:
            taken.window = window._replace(seq=taken.window.seq, events=thinned(window.events, self.options.thin))
            self.tally.thin(len(window.events) - len(taken.window.events))
        taken.reset_reason = self._reset_reason(window)
        return taken

    def _is_overdue(self) -> bool:
        """Return whether a window is held and the one after it, by the clock, should have come."""
        held = self._held
        return held is not None and self._clock.now_ns() - held.available_ns >= self._period_ns(held.window)

    def _land(self) -> Taken | None:
        """Return the window that is held, the newest there is, to be run after all; None: none is held, or a stop."""
        if self.is_stopping:
            return None
        held, self._held = self._held, None
        if held is not None:
            self._overload.land()
            held.late_ns = self._clock.now_ns() - held.available_ns
            held.reset_reason = self._reset_reason(held.window)
        return held

    def _skip_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self.tally.skip(held.window)

    def _reset_reason(self, window: Window) -> str:
        return self._continuity.reason(window, 0 if self._live is None else self._live.link_report.reconnects)

    def _reading_spans(self, asked_ns: int, read_before_ns: int) -> list[Span]:
        """Return how long the window that was asked for then took to be read, since the one before, and to be cut."""
        got = self._clock.now_ns()
        cut = max(0, got - asked_ns - (self._read_ns - read_before_ns))
        read = max(0, self._read_ns - (self._waited_ns() - self._waited_before))
        self._read_ns, self._waited_before = 0, self._waited_ns()
        return [Span("read", got - cut - read, read), Span("window", got - cut, cut)]

    def _period_ns(self, window: Window) -> int:
        """Return how long after a window the next one can be had, on the wall clock."""
        period_us = self.grid.stride_us or window.t1_us - window.t0_us
        return round(1000 * period_us / (1.0 if np.isinf(self.options.pace) else self.options.pace))

    def _is_disturbed(self) -> bool:
        return self.is_stopping or self._sought_us is not None

    def _add_read(self, duration_ns: int) -> None:
        self._read_ns += duration_ns

    def _waited_ns(self) -> int:
        return 0 if self._live is None else self._live.waited_ns
