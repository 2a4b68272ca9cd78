"""Both lines of the evaluation benchmark come out, of the same boxes."""

import pytest

from eventdet.benchmarks import evaluation as benchmark

pytest.importorskip("pycocotools")


def test_rows_name_both_metrics_with_a_positive_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_IMAGES", 20)
    rows = benchmark.benchmark_evaluation(repeats=1)
    assert [row.name for row in rows] == ["COCO metric", "pycocotools"]
    assert all(row.value > 0 for row in rows)
    assert [row.ratio is None for row in rows] == [True, False]


def test_records_carry_every_box_of_every_image() -> None:
    detections, labels = benchmark._street()
    records = benchmark._records(labels)
    assert len(records) == sum(map(len, labels))
    assert sum(map(len, detections)) == benchmark._FOUND_PER_LABEL * len(records)
