"""Latency per stage over a run of any length, in bounded memory.

Each stage has a histogram with bins that grow by 1 %: a percentile of it is at most half a percent off, over every
window of the run and not over the latest or a sample; the largest and the mean are exact. A stage takes 17 kB, however
long the run.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["LatencyLog", "LatencySummary"]

_GROWTH = 1.01
_LEAST_MS = 1e-3
"""One microsecond: what is shorter counts as this."""

_NUM_BINS = 2_100
"""Up to 1.2e6 ms, 20 minutes, where what is longer is counted too."""


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

    mean: float
    """Of all windows."""


@dataclass(slots=True)
class _Histogram:
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_NUM_BINS, np.int64))
    num: int = 0
    total_ms: float = 0.0
    min_ms: float = math.inf
    max_ms: float = 0.0

    def add(self, value_ms: float) -> None:
        place = math.floor(math.log(max(value_ms, _LEAST_MS) / _LEAST_MS) / math.log(_GROWTH))
        self.counts[min(place, _NUM_BINS - 1)] += 1
        self.num += 1
        self.total_ms += value_ms
        self.min_ms = min(self.min_ms, value_ms)
        self.max_ms = max(self.max_ms, value_ms)

    def percentile(self, percent: float) -> float:
        """Return the middle, on the scale of the bins, of the bin in which the value of that rank lies."""
        rank = math.ceil(percent / 100 * self.num)
        place = int(np.searchsorted(np.cumsum(self.counts), rank))
        middle: float = _LEAST_MS * _GROWTH ** (place + 0.5)
        return min(max(middle, self.min_ms), self.max_ms)

    def summary(self) -> LatencySummary:
        p50, p95, p99 = (self.percentile(percent) for percent in (50, 95, 99))
        return LatencySummary(p50, p95, p99, self.max_ms, self.total_ms / self.num)


@dataclass(slots=True)
class LatencyLog:
    """Latencies of all windows of a run."""

    _stages: dict[str, _Histogram] = field(default_factory=dict)

    def add(self, latency_ms: Mapping[str, float]) -> None:
        """Count the stages of one window, in milliseconds."""
        for stage, value_ms in latency_ms.items():
            self._stages.setdefault(stage, _Histogram()).add(value_ms)

    def summary(self) -> dict[str, LatencySummary]:
        """Return the percentiles of each stage, in the order in which the stages were first seen."""
        return {stage: histogram.summary() for stage, histogram in self._stages.items()}
