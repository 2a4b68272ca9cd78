import json
from pathlib import Path

import pytest

from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.events import Events
from eventdet.formats import write_boxes, write_dat
from eventdet.geometry import GEN1


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    write_boxes(tmp_path / "a_bbox.npy", Boxes.from_xywh([[0, 0, 300, 10], [1, 1, 5, 5]], t=50_000, class_id=[0, 1]))
    write_dat(tmp_path / "a_td.dat", Events.from_columns(t=[10], x=[3], y=[3], p=[1]), GEN1)
    return tmp_path / "a_bbox.npy"


def test_labels_check_prints_faults_and_sizes(labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "check", str(labels), "--events", str(labels.with_name("a_td.dat"))]) == 0
    shown = {line[:28].strip(): line[29:] for line in capsys.readouterr().out.splitlines()}
    assert shown["whole width"] == "1, rows 0"
    assert shown["no events inside"] == "0"
    assert shown["car"].startswith("1 boxes, width 300/300/300")


def test_labels_check_as_json(labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "check", str(labels), "--json", "--classes", "vehicle"]) == 0
    health = json.loads(capsys.readouterr().out)
    assert {finding["name"]: finding["count"] for finding in health["findings"]}["unknown class"] == 1
    assert set(health["sizes"]) == {"vehicle", "class 1"}


def test_labels_check_of_a_missing_file_is_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["labels", "check", str(tmp_path / "no_bbox.npy")]) == 3
    assert "no such file" in capsys.readouterr().err
