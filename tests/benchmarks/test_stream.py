"""The benchmark of streams prints every stage, and their sum is the whole."""

import pytest

from eventdet.benchmarks.stream import benchmark_stream


def test_rows_split_a_run_into_its_stages() -> None:
    rows = {row.name.strip(): row for row in benchmark_stream(seconds=1.0, realtime_s=0.3, ingest_events=1_000_000)}
    stages = [rows[name].value for name in ("read", "window", "tensor", "inference", "decode", "sink")]
    assert sum(stages) == pytest.approx(rows["all"].value, rel=0.1)
    assert all(row.value > 0 for name, row in rows.items() if not name.startswith("realtime: lateness"))
    assert "20 windows" in rows["file to JSON lines, pace max"].note
