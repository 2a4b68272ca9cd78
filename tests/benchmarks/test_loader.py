"""Every line of the loader benchmark comes out."""

import pytest

from eventdet.benchmarks import loader as benchmark

pytest.importorskip("tonic")


def test_rows_name_every_contender_with_a_positive_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_NUM_EVENTS", 20_000)
    monkeypatch.setattr(benchmark, "_DURATION_US", 1_000_000)
    rows = benchmark.benchmark_loader(repeats=1)
    assert [row.name for row in rows] == [
        "stored tensors, eventdet",
        "stored tensors, sparse",
        "stored events, any window",
        "DAT file, any window",
        "tonic DiskCachedDataset",
    ]
    assert all(row.value > 0 and row.unit == "/CPU-s" for row in rows)
    assert [row.ratio is None for row in rows] == [True] + [False] * 4
