"""What a run did: counted while it runs, summed up when asked, by any thread."""

import threading
from dataclasses import dataclass, field, replace

from eventdet.formats import Window
from eventdet.report import ReadReport
from eventdet.sinks import StreamTotals, WindowResult

from .latency import LatencyLog, LatencySummary

__all__ = ["RunTally", "StreamSummary"]


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """What a run did."""

    num_windows: int
    """Windows delivered, empty ones too."""

    num_events: int
    """Events in them; where windows overlap, an event counts in each."""

    num_boxes: int
    """Detections."""

    events_cut: int
    """Events that the fit cut away."""

    recorded_s: float
    """Recorded time covered, seconds."""

    wall_s: float
    """Wall time from the start to the last result, seconds."""

    report: ReadReport
    """What the source had read and repaired by then."""

    notes: tuple[str, ...]
    """What the user should know about this run."""

    latency_ms: dict[str, LatencySummary]
    """Percentiles by stage, milliseconds; ``sink`` is what the caller did with a result before it asked for the next,
    ``end_to_end`` is ``total`` and that."""

    windows_skipped: int = 0
    """Windows that were not run since the detector was late."""

    events_dropped: int = 0
    """Events of those, and events thinned out of others."""

    resets: dict[str, int] = field(default_factory=dict)
    """How often the state was cleared, by reason."""

    @property
    def speed(self) -> float:
        """Recorded seconds per wall second; 0 without a window."""
        return self.recorded_s / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def totals(self) -> StreamTotals:
        """What outputs say at their end."""
        return StreamTotals(
            num_windows=self.num_windows,
            num_events=self.num_events,
            num_boxes=self.num_boxes,
            recorded_s=self.recorded_s,
            wall_s=self.wall_s,
            repairs=self.report.repairs,
            windows_skipped=self.windows_skipped,
            events_dropped=self.events_dropped,
        )


@dataclass(slots=True)
class RunTally:
    """Counts of one run, from its first window on; the thread of the run adds, any may ask."""

    begin_ns: int
    """Wall clock at the start, nanoseconds."""

    num_windows: int = 0
    num_events: int = 0
    num_boxes: int = 0
    events_cut: int = 0
    windows_skipped: int = 0
    events_dropped: int = 0
    start_us: int | None = None
    stop_us: int = 0
    end_ns: int = 0
    latency: LatencyLog = field(default_factory=LatencyLog)
    resets: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def skip(self, window: Window) -> None:
        """Count a window that is not run."""
        with self.lock:
            self._reach(window.t0_us, window.t1_us)
            self.windows_skipped += 1
            self.events_dropped += len(window.events)

    def thin(self, num_events: int) -> None:
        """Count events that were dropped out of a window."""
        with self.lock:
            self.events_dropped += num_events

    def add(self, result: WindowResult, *, events_cut: int, now_ns: int) -> None:
        """Count one result."""
        with self.lock:
            self._reach(result.t0_us, result.t_us)
            self.num_windows += 1
            self.num_events += result.num_events
            self.num_boxes += len(result.boxes)
            self.events_cut += events_cut
            self.end_ns = now_ns
            if result.reset_reason:
                self.resets[result.reset_reason] = self.resets.get(result.reset_reason, 0) + 1
            self.latency.add(result.latency_ms)

    def add_sink(self, sink_ns: int, end_to_end_ns: int) -> None:
        """Count what the caller did with a result."""
        with self.lock:
            self.latency.add({"sink": sink_ns / 1e6, "end_to_end": end_to_end_ns / 1e6})

    @property
    def recorded_s(self) -> float:
        """Recorded time covered so far, seconds."""
        return 0.0 if self.start_us is None else (self.stop_us - self.start_us) / 1e6

    def summary(self, report: ReadReport, notes: tuple[str, ...]) -> StreamSummary:
        """Return the counts so far, with those of the source."""
        with self.lock:
            return StreamSummary(
                num_windows=self.num_windows,
                num_events=self.num_events,
                num_boxes=self.num_boxes,
                events_cut=self.events_cut,
                recorded_s=self.recorded_s,
                wall_s=(self.end_ns - self.begin_ns) / 1e9 if self.num_windows else 0.0,
                report=replace(report),
                notes=notes,
                latency_ms=self.latency.summary(),
                windows_skipped=self.windows_skipped,
                events_dropped=self.events_dropped,
                resets=dict(self.resets),
            )

    def _reach(self, t0_us: int, t1_us: int) -> None:
        self.start_us = t0_us if self.start_us is None else min(self.start_us, t0_us)
        self.stop_us = max(self.stop_us, t1_us)
