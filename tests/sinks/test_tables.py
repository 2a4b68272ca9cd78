"""A box a line: CSV as the csv module reads it, MOT text as motmetrics does."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eventdet import Boxes
from eventdet.sinks import StreamHeader, StreamTotals, WindowResult, open_sink


def _write(target: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    with open_sink(str(target), header=header) as sink:
        for result in results:
            sink.write(result)
        sink.conclude(StreamTotals(5, 2000, 8, recorded_s=0.25, wall_s=0.5))


def _tracked(results: list[WindowResult]) -> list[WindowResult]:
    return [
        replace(result, boxes=replace(result.boxes, track_id=np.arange(len(result.boxes), dtype=np.int64)))
        for result in results
    ]


def test_csv_holds_every_box(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    target = tmp_path / "a.csv"
    _write(target, header, _tracked(results))
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    boxes = Boxes.concatenate(result.boxes for result in results)
    found = np.array([[float(row[name]) for name in "xywh"] for row in rows])
    np.testing.assert_allclose(found, boxes.xywh, atol=0.006)
    assert [int(row["t_us"]) for row in rows] == boxes.t.tolist()
    assert [int(row["t_us"]) - int(row["t0_us"]) for row in rows] == [50_000] * 8
    assert [row["name"] for row in rows] == ["car", "pedestrian"] * 4
    assert [row["track_id"] for row in rows] == ["0", "1"] * 4
    assert [int(row["seq"]) for row in rows] == [0, 0, 1, 1, 3, 3, 4, 4]


def test_csv_quotes_a_class_name_with_a_comma(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "a.csv"
    _write(target, replace(header, class_names=('car, "small"', "bus\n")), results[:1])
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ['car, "small"', "bus\n"]
    assert [row["track_id"] for row in rows] == ["", ""]


def test_csv_without_boxes_is_its_head(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    _write(tmp_path / "a.csv", header, [results[2]])
    assert (tmp_path / "a.csv").read_text() == "seq,t0_us,t_us,x,y,w,h,score,class_id,name,track_id\n"


# motmetrics 1.4 hands a tuple to pandas, which pandas will read differently one day.
@pytest.mark.filterwarnings("ignore:Operation with tuple is deprecated")
def test_mot_text_is_read_by_motmetrics(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    motmetrics = pytest.importorskip("motmetrics", reason="motmetrics is not installed")
    target = tmp_path / "a.txt"
    _write(target, header, _tracked(results))
    table = motmetrics.io.loadtxt(str(target), fmt="mot16").reset_index()
    boxes = Boxes.concatenate(result.boxes for result in results)
    # It takes the pixel that the benchmark counts from back off.
    np.testing.assert_allclose(table[["X", "Y", "Width", "Height"]].to_numpy(), boxes.xywh, atol=0.006)
    assert table["FrameId"].tolist() == [1, 1, 2, 2, 4, 4, 5, 5]
    assert table["Id"].tolist() == [0, 1] * 4
    assert table["ClassId"].tolist() == [1, 2] * 4
    np.testing.assert_allclose(table["Confidence"], boxes.score, atol=1e-4)
