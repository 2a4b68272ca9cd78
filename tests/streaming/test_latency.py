import pytest

from eventdet.streaming.latency import LatencyLog


def test_percentiles_of_known_numbers() -> None:
    log = LatencyLog()
    for value in range(1, 102):
        log.add({"inference": float(value)})
    row = log.summary()["inference"]
    # 101 values 1..101: the percentiles fall on whole numbers.
    assert (row.p50, row.p95, row.p99, row.max) == pytest.approx((51, 96, 100, 101))


def test_old_windows_make_room_for_new_ones() -> None:
    log = LatencyLog(capacity=2)
    for value in (100.0, 1.0, 2.0):
        log.add({"total": value})
    assert log.summary()["total"].max == 2.0


def test_nothing_logged_gives_nothing() -> None:
    assert LatencyLog().summary() == {}
