import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.streaming.latency import LatencyLog


def test_percentiles_of_known_numbers() -> None:
    log = LatencyLog()
    for value in range(1, 102):
        log.add({"inference": float(value)})
    row = log.summary()["inference"]
    # 101 values 1..101: the ranks fall on whole numbers; the largest and the mean are exact.
    assert (row.p50, row.p95, row.p99) == pytest.approx((51, 96, 100), rel=0.006)
    assert (row.max, row.mean) == (101.0, 51.0)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=200))
def test_percentiles_are_within_half_a_percent_of_the_values_of_their_rank(values: list[float]) -> None:
    log = LatencyLog()
    for value in values:
        log.add({"total": value})
    row = log.summary()["total"]
    exact = np.percentile(values, (50, 95, 99), method="inverted_cdf")
    assert (row.p50, row.p95, row.p99) == pytest.approx(exact, rel=0.0051)


def test_every_window_of_a_long_run_counts() -> None:
    log = LatencyLog()
    log.add({"total": 100.0})
    for _ in range(1000):
        log.add({"total": 1.0})
    assert log.summary()["total"].max == 100.0


def test_values_beyond_the_bins_are_counted_at_their_ends() -> None:
    log = LatencyLog()
    for value in (0.0, 1e9):
        log.add({"total": value})
    row = log.summary()["total"]
    assert (row.p50, row.max) == pytest.approx((1e-3, 1e9), rel=0.01)


def test_nothing_logged_gives_nothing() -> None:
    assert LatencyLog().summary() == {}
