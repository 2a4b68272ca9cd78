"""The benchmark of a conversion accounts for all of its time, and projects it by events and bytes."""

import pytest

from eventdet.benchmarks import convert as benchmark
from eventdet.geometry import SensorSize


def test_stages_add_up_to_the_whole_and_every_limit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_NUM_EVENTS", 20_000)
    monkeypatch.setattr(benchmark, "_DURATION_US", 500_000)
    rows = benchmark.benchmark_convert(repeats=1)
    assert [row.name for row in rows] == [
        "a minute of Gen1 to a store",
        "SHA-256 of the file",
        "reading the file",
        "events to the store",
        "tensors to the store",
        "all of Gen1, 39.3 h",
        "all of 1 Mpx, 14 h",
    ]
    assert [row.unit for row in rows] == ["CPU-s"] * 5 + ["CPU-h"] * 2
    assert sum(row.value for row in rows[1:5]) == pytest.approx(rows[0].value)
    assert [row.ratio is None for row in rows] == [True, False, False, False, False, True, True]


def test_projection_scales_events_by_number_and_tensors_by_minutes_and_pixels() -> None:
    seconds = benchmark._Seconds(5.0, 2.0, *[0.0] * 5)
    # An hour of 4 times the pixels: 3 s a minute for 60 minutes, times 4; 1000 times the events of a minute at 2 s.
    data = benchmark._DataSet("twice", 7.2e9, 1.0, SensorSize(480, 608))
    assert benchmark._projected(data, seconds).value == pytest.approx((3 * 60 * 4 + 2 * 1000) / 3600)
