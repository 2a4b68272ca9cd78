"""The report that compares synthetic with real recordings."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from eventdet import Boxes, SensorSize
from eventdet.cli.main import run
from eventdet.simulation import SimulationConfig
from eventdet.simulation.realism import RealismReport, RealismRow, _free_place, measure_realism
from eventdet.simulation.reproducible import Draws

GEN1 = SensorSize(240, 304)


@pytest.fixture(scope="module")
def report() -> RealismReport:
    return measure_realism(SimulationConfig(seed, 1_000_000, sensor="atis-noisy") for seed in (1, 3, 5, 6))


def test_every_number_of_the_report_has_a_row(report: RealismReport) -> None:
    assert report.num_recordings == 4
    assert report.num_cars > 5
    assert report.num_backgrounds >= 4
    subjects = [row.subject for row in report.rows]
    assert [subjects.count(name) for name in ("car", "background", "frame", "label")] == [9, 9, 1, 6]
    assert all(row.is_inside is None for row in report.rows if row.name.endswith("_px"))


def test_the_noisy_camera_is_nearer_to_real_ones_than_the_first(report: RealismReport) -> None:
    first = measure_realism(SimulationConfig(seed, 1_000_000) for seed in (1, 3, 5, 6))
    inside = [sum(row.is_inside is True for row in rows) for rows in (first.rows, report.rows)]
    assert inside[1] > inside[0] + 5


def test_a_row_is_inside_up_to_both_ends_and_without_judgement_where_no_range_is_known() -> None:
    assert [RealismRow("car", "rate", at, 2.0, 3.0).is_inside for at in (1.9, 2.0, 3.0, 3.1)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert RealismRow("car", "rate", math.nan, 2.0, 3.0).is_inside is False
    assert RealismRow("label", "car_width_px", 40.0, math.nan, math.nan).is_inside is None


def test_a_place_for_the_background_touches_no_label() -> None:
    draw = Draws(1, "test")
    boxes = Boxes.from_xyxy(np.array([[0, 100, 200, 240]]), t=0, class_id=0)
    places = [_free_place(boxes, GEN1, draw) for _ in range(50)]
    found = [place for place in places if place is not None]
    assert len(found) > 30
    for left, top, right, bottom in found:
        assert (right - left, bottom - top) == (64, 48)
        assert left >= 200 or bottom <= 100
        assert right <= 304
        assert top >= 60
        assert bottom <= 240
    everywhere = Boxes.from_xyxy(np.array([[0, 0, 304, 240]]), t=0, class_id=0)
    assert _free_place(everywhere, GEN1, draw) is None


def test_the_command_prints_the_report_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["simulate", "--report", "--recordings", "1", "--seconds", "0.7", "--seed", "3"]
    assert run(command) == 0
    table = capsys.readouterr().out
    assert table.startswith("1 synthetic recordings, ")
    assert "real 3.1 to 9.9" in table
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["rows"]) == 25
    assert {row["is_inside"] for row in told["rows"]} <= {True, False, None}
    assert not list(tmp_path.iterdir())


def test_a_report_takes_no_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", str(tmp_path / "out"), "--report"]) == 2
    assert "either one recording or a data set" in capsys.readouterr().err
