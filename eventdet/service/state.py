"""What a running stream has done so far, for threads that ask while it runs."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from eventdet.sinks import WindowResult
from eventdet.sinks.delivery import DeliveryReport
from eventdet.wire import LinkReport

from .metrics import Health, Sample

__all__ = ["StreamState", "delivery_samples", "link_samples"]

_STALE_S = 30.0
"""Without a window for this long a stream is not healthy: a detector needs milliseconds, a camera sends heartbeats."""


class StreamState:
    """Counts results as they are handed out.

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
        self._lock = threading.Lock()
        self._since_s = clock()
        self._counts = {"windows": 0, "events": 0, "boxes": 0, "state_resets": 0}
        self._dropped = 0
        self._dropped_events = 0
        self._t_us = 0
        self._latency_ms: dict[str, float] = {}
        self._latency_sum_s: dict[str, float] = {}

    def add(self, result: WindowResult) -> None:
        """Count a result."""
        with self._lock:
            self._since_s = self._clock()
            self._counts["windows"] += 1
            self._counts["events"] += result.num_events
            self._counts["boxes"] += len(result.boxes)
            self._counts["state_resets"] += result.state_reset
            self._dropped, self._dropped_events = result.dropped, result.dropped_events
            self._t_us = result.t_us
            self._latency_ms = dict(result.latency_ms)
            for stage, value_ms in result.latency_ms.items():
                self._latency_sum_s[stage] = self._latency_sum_s.get(stage, 0.0) + value_ms / 1e3

    @property
    def counts(self) -> dict[str, int]:
        """Windows, events and boxes so far, as log records name them."""
        with self._lock:
            return {f"num_{name}": self._counts[name] for name in ("windows", "events", "boxes")}

    def health(self) -> Health:
        """Return whether windows come."""
        with self._lock:
            silent_s = self._clock() - self._since_s
            details: dict[str, object] = {**self._counts, "dropped": self._dropped, "t_us": self._t_us}
            details["dropped_events"] = self._dropped_events
        return Health(silent_s < self._stale_s, {**details, "seconds_since_window": round(silent_s, 3)})

    def samples(self) -> Iterable[Sample]:
        """Return the counts and latencies."""
        with self._lock:
            counts, dropped, t_us = dict(self._counts), self._dropped, self._t_us
            dropped_events = self._dropped_events
            silent_s = self._clock() - self._since_s
            last, sums = dict(self._latency_ms), dict(self._latency_sum_s)
        meanings = {
            "windows": "Windows delivered, empty ones too.",
            "events": "Events in them.",
            "boxes": "Detections.",
            "state_resets": "Windows before which the membranes were cleared.",
        }
        for name, meaning in meanings.items():
            yield Sample(name, counts[name], meaning)
        yield Sample("windows_skipped", dropped, "Windows skipped because the detector could not keep up.")
        yield Sample("events_dropped", dropped_events, "Events dropped because the detector could not keep up.")
        yield Sample("stream_time_seconds", t_us / 1e6, "End of the latest window on the clock of the events.", "gauge")
        yield Sample("seconds_since_window", silent_s, "Time since the latest window.", "gauge")
        for stage, value_ms in last.items():
            labels = {"stage": stage}
            yield Sample("latency_seconds", value_ms / 1e3, "Latency of the latest window.", "gauge", labels)
        for stage, sum_s in sums.items():
            labels = {"stage": stage}
            yield Sample("latency_sum_seconds", sum_s, "Latency of all windows added up.", "counter", labels)


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
