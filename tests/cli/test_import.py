"""``eventdet import``: what was written is told, and what cannot be read."""

import json
from pathlib import Path

import pytest

from eventdet.cli.main import run
from eventdet.preprocessing import open_stored_recording
from tests.preprocessing.interchange.stores import make_store


def _run(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


def _export(tmp_path: Path, *splits: str) -> Path:
    folder = tmp_path / "rvt"
    assert _run("export", make_store(tmp_path, splits=splits), "-o", folder, "--to", "rvt", "--quiet") == 0
    return folder


def test_tensors_and_labels_of_rvt_become_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _export(tmp_path, "train")
    capsys.readouterr()
    name = "stacked_histogram_dt=50_nbins=10"
    assert _run("import", folder, "-o", tmp_path / "back.zarr", "--from", "rvt", "--representation", name) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'back.zarr'}: 1 written, 0 up to date, 0 skipped, 0 failed; 14 windows, 6 boxes"
    ]
    assert open_stored_recording(tmp_path / "back.zarr").frames()[0].shape == (2, 10, 40, 50)


def test_a_recording_that_cannot_be_read_is_told_with_exit_code_5(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _export(tmp_path, "train", "val")
    (folder / "val" / "drive1" / "labels_v2" / "labels.npz").unlink()
    capsys.readouterr()
    assert _run("import", folder, "-o", tmp_path / "back.zarr", "--from", "rvt") == 5
    assert f"failed: {folder / 'val' / 'drive1'}: labels_v2/labels.npz: no such file" in capsys.readouterr().err
    assert _run("import", folder, "-o", tmp_path / "back.zarr", "--from", "rvt", "--json") == 5
    told = json.loads(capsys.readouterr().out)
    assert (told["num_written"], told["num_up_to_date"], len(told["failed"])) == (0, 1, 1)


def test_an_unknown_layout_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("import", tmp_path, "-o", tmp_path / "back.zarr", "--from", "dsec") == 2
    assert "--from must be one of rvt, got 'dsec'" in capsys.readouterr().err
