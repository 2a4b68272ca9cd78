"""Windows of a stream that is still being recorded, from whichever link it comes."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import NamedTuple, Self, cast

import numpy as np

from eventdet.errors import InputError
from eventdet.events import Events
from eventdet.filters import EventFilter, Run, filtered_size, start_filters
from eventdet.formats import OnRead, Window, WindowCutter, WindowGrid, timed
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport

from ._readings import Batch, Reading, ReadingContext
from ._receiver import Arrival, Link, Receiver

__all__ = ["LiveSource"]

_MOST_HELD = 1 << 25
"""Events that may wait for their window to end, 13 bytes each: 436 MB; a sender whose clock stands still fills it."""

_MOST_GARBAGE = 1 << 20
"""Bytes that are skipped in search of the first header; a sender of ours begins with it."""


class CameraOrigin(NamedTuple):
    """What is known of events as the camera made them."""

    sensor_size: SensorSize
    """Rows and columns of the camera."""

    synthetic: bool
    """Whether the events are simulated."""

    report: ReadReport
    """Counts of what was read and repaired so far."""


class LiveSource:
    """Events from a link, cut into windows as they come.

    A window is handed out as soon as a later event or a heartbeat says that it is complete. The source is closed with
    the iteration over its windows: what has passed does not come again.

    Parameters
    ----------
    link : Link
        Where bytes come from; it is read from now on.
    reading : Reading
        How they are read.
    context : ReadingContext
        The one of `reading`; its address names the source.
    timeout_s : float
        The stream is over when nothing came for this long; 0 waits for ever.
    """

    t_first_us = None
    """Not known before the first event."""

    t_last_us = None
    """Not known before the end."""

    def __init__(self, link: Link, reading: Reading, context: ReadingContext, *, timeout_s: float) -> None:
        self.name = context.where
        """The address."""
        self.link_report = context.report
        """What was lost, cut and repeated on the way so far."""
        self.report = context.events_report
        """What was read and repaired so far; late events are its ``backward_clamped``."""
        self._reading = reading
        self.completed_ns = time.perf_counter_ns()
        """`time.perf_counter_ns` when the bytes came that completed the latest window."""
        self.waited_ns = 0
        """Nanoseconds spent so far waiting for the sender."""
        self._opened_ns = self.completed_ns
        self._is_stopped = False
        self._receiver = Receiver(link, timeout_s=timeout_s, report=context.report)
        self._arrivals = iter(self._receiver)
        self._waiting: list[Batch] = []
        self._filters: list[EventFilter] = []
        self._run: Run | None = None
        self._is_cut = self._is_silent = False
        self._tap: Callable[[Events], None] | None = None

    @property
    def format(self) -> str:
        """Format of the events."""
        return self._reading.format

    @property
    def synthetic(self) -> bool:
        """Whether the sender says that the events are simulated."""
        return self._reading.synthetic

    @property
    def sensor_size(self) -> SensorSize:
        """Rows and columns of the camera after the filters; waits for the sender to say them.

        Raises
        ------
        InputError
            When the stream ends before, or something else comes.
        """
        while self._reading.sensor_size is None:
            batches = self._next_batches()
            if batches is None:
                raise self._no_header(self.link_report.ended)
            if self.link_report.garbage_bytes > _MOST_GARBAGE:
                raise self._no_header("something else comes")
            self._waiting += batches
        return filtered_size(self._filters, self._reading.sensor_size)

    @property
    def camera(self) -> CameraOrigin:
        """What a recording of the events before the filters says of them."""
        _ = self.sensor_size
        size = self._reading.sensor_size
        # Waiting for the size above has ended with it, or with an error.
        return CameraOrigin(cast("SensorSize", size), self.synthetic, self.report)

    def tap(self, consumer: Callable[[Events], None]) -> None:
        """Hand all events to `consumer` as they come, before the filters and before windows are cut."""
        self._tap = consumer

    def add_filters(self, filters: Sequence[EventFilter]) -> None:
        """Let the events pass some filters, before windows are cut; none may have been taken yet.

        Raises
        ------
        OptionError
            When a filter does not fit the sensor.
        InputError
            When the stream ends before its sensor size is known.
        """
        filtered_size(filters, self.sensor_size)
        self._filters += filters
        if self._reading.sensor_size is not None:
            self._run = start_filters(self._filters, self._reading.sensor_size)

    def windows(
        self, length_us: int, stride_us: int | None = None, start_us: int | None = None, stop_us: int | None = None
    ) -> Iterator[Window]:
        """Yield windows in order, empty ones too, each as soon as it is complete; parameters as of a recording.

        Raises
        ------
        FormatError
            When the policy is strict and an event needs a repair, or the sender speaks another version.
        """
        return self.cut(WindowGrid(length_us, length_us if stride_us is None else stride_us, start_us, stop_us))

    def cut(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window]:
        """Yield the windows of a grid, as of a recording; what is told of reading includes the wait for the sender."""
        with closing(self.poll(grid, on_read=on_read)) as windows:
            yield from (window for window in windows if window is not None)

    def poll(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Generator[Window | None, None, None]:
        """Yield the same, and None each time that nothing has come for a tenth of a second."""
        cutter = WindowCutter(grid)
        try:
            for batch in timed(self._batches(), on_read):
                if batch is None:
                    yield None
                    continue
                events = self._filtered(batch)
                if cutter.num_held + len(events) > _MOST_HELD:
                    self.link_report.overflow_events += len(events)
                    events = Events.empty()
                yield from cutter.push(events, now_us=batch.now_us)
                if cutter.is_finished:
                    return
            yield from cutter.finish()
        finally:
            self.close()

    def chunks(self, duration_us: int | None = None) -> Iterator[Events]:
        """Yield the events in order as they come, in batches that are never empty.

        Parameters
        ----------
        duration_us : int, optional
            Stop this long after the first event, on the clock of the stream; by default at its end.

        Raises
        ------
        FormatError
            As `windows`.
        """
        stop_us: int | None = None
        try:
            for batch in self._batches():
                if batch is None:
                    continue
                events = self._filtered(batch)
                if stop_us is None and duration_us is not None and len(events):
                    stop_us = int(events.t[0]) + duration_us
                kept = events if stop_us is None else events[: int(np.searchsorted(events.t, stop_us))]
                if len(kept):
                    yield kept
                now_us = int(events.t[-1]) if len(events) else batch.now_us
                if stop_us is not None and now_us is not None and now_us >= stop_us:
                    return
        finally:
            self.close()

    def stop(self) -> None:
        """End the windows or chunks soon, also while one is waited for; a signal's handler may call it."""
        self._is_stopped = True

    def close(self) -> None:
        """Let go of the link."""
        self._receiver.close()

    def __enter__(self) -> Self:
        """Return the source."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let go of the link."""
        self.close()

    def _no_header(self, why: str) -> InputError:
        skipped = f", {self.link_report.garbage_bytes} bytes were none" if self.link_report.garbage_bytes else ""
        return InputError(
            f"{self.name}: no stream header{skipped}: {why}",
            hint="start eventdet serve there, or name what comes with --format and --sensor-size",
        )

    def _filtered(self, batch: Batch) -> Events:
        if self._tap is not None:
            self._tap(batch.events)
        return batch.events if self._run is None else self._run(batch.events)

    def _batches(self) -> Iterator[Batch | None]:
        """Yield what comes, and None after each wait in vain."""
        while (batches := self._next_batches()) is not None:
            yield from batches
            if self._is_silent:
                yield None

    def _next_batches(self) -> list[Batch] | None:
        """Return what came next, maybe nothing; None at the end."""
        if self._waiting and self._reading.sensor_size is not None:
            waiting, self._waiting = self._waiting, []
            return waiting
        if self._reading.is_over or self._is_stopped:
            return None
        asked = time.perf_counter_ns()
        arrival = next(self._arrivals, Arrival([], time.perf_counter_ns(), end="closed"))
        self.waited_ns += time.perf_counter_ns() - asked
        self.completed_ns = time.perf_counter_ns() if arrival is None else arrival.arrived_ns
        elapsed_us = (self.completed_ns - self._opened_ns) // 1000
        self._is_silent = arrival is None
        if arrival is None:
            idle = self._reading.idle(now_us=elapsed_us)
            return [] if idle is None else [idle]
        if arrival.error is not None:
            raise arrival.error
        if arrival.end:
            self.link_report.ended = self.link_report.ended or arrival.end
            self._reading.cut()
            return None
        if arrival.is_cut:
            self._reading.cut()
        elif self._is_cut:
            self.link_report.reconnects += 1
        self._is_cut = arrival.is_cut
        return [batch for message in arrival.messages for batch in self._reading.feed(message, arrived_us=elapsed_us)]
