"""What a running stream has done so far, for threads that ask while it runs."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from eventdet.sinks.delivery import DeliveryReport
from eventdet.wire import LinkReport

from .metrics import Health, Sample

if TYPE_CHECKING:
    # What it loads to run is no business of a supervisor.
    from eventdet.streaming import StreamSummary

__all__ = ["StreamHealth", "counts_of", "delivery_samples", "link_samples", "stream_samples"]

_STALE_S = 30.0
"""Without a window for this long a stream is not healthy: a detector needs milliseconds, a camera sends heartbeats."""


class StreamHealth:
    """Tells whether windows come; any thread may ask.

    Parameters
    ----------
    stale_s : float
        Seconds without a window after which the stream is called failing.
    clock : callable
        Returns seconds.
    """

    def __init__(self, *, stale_s: float = _STALE_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._stale_s = stale_s
        self._clock = clock
        self._since_s = clock()

    def beat(self) -> None:
        """Say that a window came."""
        self._since_s = self._clock()

    @property
    def silent_s(self) -> float:
        """Seconds since the last window, or since the start."""
        return self._clock() - self._since_s

    def health(self, summary: "StreamSummary") -> Health:
        """Return whether windows come, with the counts of the run."""
        silent_s = self.silent_s
        details = {**counts_of(summary), "seconds_since_window": round(silent_s, 3)}
        return Health(silent_s < self._stale_s, details)


def counts_of(summary: "StreamSummary") -> dict[str, int]:
    """Return what a run has delivered and not, as log records name it."""
    names = ("num_windows", "num_events", "num_boxes", "windows_skipped", "events_dropped")
    return {name: getattr(summary, name) for name in names}


def stream_samples(summary: "StreamSummary") -> Iterable[Sample]:
    """Return the counts and latencies of a run."""
    yield Sample("windows", summary.num_windows, "Windows delivered, empty ones too.")
    yield Sample("events", summary.num_events, "Events in them.")
    yield Sample("boxes", summary.num_boxes, "Detections.")
    yield Sample("windows_skipped", summary.windows_skipped, "Windows skipped because the detector was late.")
    yield Sample("events_dropped", summary.events_dropped, "Events dropped for the same reason.")
    yield Sample("recorded_seconds", summary.recorded_s, "Recorded time covered.")
    for reason, count in summary.resets.items():
        yield Sample("state_resets", count, "Times that the membranes were cleared.", "counter", {"reason": reason})
    for stage, row in summary.latency_ms.items():
        for quantile, value_ms in (("0.5", row.p50), ("0.95", row.p95), ("0.99", row.p99), ("1", row.max)):
            labels = {"stage": stage, "quantile": quantile}
            yield Sample("latency_seconds", value_ms / 1e3, "Latency of all windows of the run.", "gauge", labels)


def delivery_samples(deliveries: Mapping[str, DeliveryReport]) -> Iterable[Sample]:
    """Return the counts of outputs on a network, by target."""
    for target, report in deliveries.items():
        labels = {"output": target}
        yield Sample("output_sent", report.sent, "Windows that an output sent.", "counter", labels)
        yield Sample("output_dropped", report.dropped, "Windows that an output gave up.", "counter", labels)
        yield Sample("output_reconnects", report.reconnects, "Connections made again.", "counter", labels)
        yield Sample("output_queued", report.queued, "Windows that wait to be sent.", "gauge", labels)
        yield Sample("output_connected", report.is_connected, "Whether there is a connection.", "gauge", labels)


def link_samples(report: LinkReport) -> Iterable[Sample]:
    """Return what a live source met on its way."""
    yield Sample("link_frames", report.frames, "Whole frames or datagrams.")
    for name in LINK_FAULTS:
        yield Sample("link_faults", getattr(report, name), "What was lost or broken.", "counter", {"fault": name})


LINK_FAULTS = (
    "lost_frames",
    "repeated_frames",
    "bad_frames",
    "refused_frames",
    "cut_frames",
    "garbage_bytes",
    "dropped_messages",
    "overflow_events",
    "reconnects",
)
"""Counts of `eventdet.wire.LinkReport`."""
