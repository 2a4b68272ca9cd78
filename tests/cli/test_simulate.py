"""``eventdet simulate`` for data sets; one recording is tested with the command line's common rules."""

import json
from pathlib import Path

import pytest

from eventdet.cli.main import run
from eventdet.preprocessing import ConvertOptions, convert, find_stored_recordings


def test_a_data_set_is_written_once_and_converts_with_its_splits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gen1"
    command = ["simulate", str(folder), "--recordings", "3", "--seconds", "0.02", "--split", "0.4,0.3,0.3"]
    assert run(command) == 0
    assert capsys.readouterr().out.startswith(f"{folder}: synthetic, 3 written, 0 up to date; ")
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["num_written"], told["num_up_to_date"]) == (0, 3)
    convert(folder, tmp_path / "gen1.zarr", ConvertOptions(write_frames=False))
    found = [str(path.relative_to(tmp_path / "gen1.zarr")) for path in find_stored_recordings(tmp_path / "gen1.zarr")]
    assert found == [
        "test/synthetic_00002_td.zarr", "train/synthetic_00000_td.zarr", "val/synthetic_00001_td.zarr",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [[], ["out"], ["--recordings", "2"], ["out", "-o", "a_td.dat"], ["-o", "a_td.dat", "--recordings", "2"]],
    ids=["nothing", "no number", "no folder", "both outputs", "file of several"],
)
def test_one_recording_or_a_data_set_but_not_both(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["simulate", *arguments]) == 2
    assert "either one recording or a data set" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_split_that_is_no_shares_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", str(tmp_path / "out"), "--recordings", "2", "--split", "most"]) == 2
    assert "--split must be three shares, got 'most'" in capsys.readouterr().err
