"""What a run did: counted while it runs, summed up when asked."""

from dataclasses import dataclass, field, replace

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
    """Percentiles by stage, milliseconds."""

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
        )


@dataclass(slots=True)
class RunTally:
    """Counts of one run, from its first window on."""

    begin_ns: int
    """Wall clock at the start, nanoseconds."""

    num_windows: int = 0
    num_events: int = 0
    num_boxes: int = 0
    events_cut: int = 0
    start_us: int = 0
    stop_us: int = 0
    end_ns: int = 0
    latency: LatencyLog = field(default_factory=LatencyLog)

    def add(self, result: WindowResult, *, events_cut: int, now_ns: int) -> None:
        """Count one result."""
        if not self.num_windows:
            self.start_us = result.t0_us
        self.num_windows += 1
        self.num_events += result.num_events
        self.num_boxes += len(result.boxes)
        self.events_cut += events_cut
        self.stop_us = result.t_us
        self.end_ns = now_ns
        self.latency.add(result.latency_ms)

    @property
    def recorded_s(self) -> float:
        """Recorded time covered so far, seconds."""
        return (self.stop_us - self.start_us) / 1e6

    def summary(self, report: ReadReport, notes: tuple[str, ...]) -> StreamSummary:
        """Return the counts so far, with those of the source."""
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
        )
