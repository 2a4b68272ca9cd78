"""Latency per stage: collected while streaming, summed up as percentiles."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["LatencyLog", "LatencySummary"]

_PERCENTILES = (50, 95, 99, 100)


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Percentiles of one stage over a run, in milliseconds."""

    p50: float
    """Median."""

    p95: float
    """95 of 100 windows were at least as quick."""

    p99: float
    """99 of 100 windows were at least as quick."""

    max: float
    """The slowest window."""


@dataclass(slots=True)
class LatencyLog:
    """Latencies of the latest windows, bounded, so that a run of days does not grow."""

    capacity: int = 100_000
    """Windows kept; older ones are overwritten."""

    _rows: dict[str, list[float]] = field(default_factory=dict)
    _count: int = 0

    def add(self, latency_ms: Mapping[str, float]) -> None:
        """Keep the stages of one window, in milliseconds."""
        slot = self._count % self.capacity
        for stage, value in latency_ms.items():
            row = self._rows.setdefault(stage, [])
            if slot < len(row):
                row[slot] = value
            else:
                row.append(value)
        self._count += 1

    def summary(self) -> dict[str, LatencySummary]:
        """Return the percentiles of each stage, in the order in which the stages were first seen."""
        return {
            stage: LatencySummary(*(float(value) for value in np.percentile(row, _PERCENTILES)))
            for stage, row in self._rows.items()
        }
