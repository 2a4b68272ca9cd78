"""``eventdet simulate`` for data sets; one recording is tested with the command line's common rules."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from eventdet.cli.main import run
from eventdet.formats import open_recording
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
    [
        [], ["out"], ["--recordings", "2"], ["out", "-o", "a_td.dat"], ["-o", "a_td.dat", "--recordings", "2"],
        ["--from-video", "a.mp4"], ["--sheet", "a.png", "--truth"], ["out", "--recordings", "2", "--faults", "jump"],
    ],
    ids=[
        "nothing", "no number", "no folder", "both outputs", "file of several",
        "video to nowhere", "sheet with truth", "data set with faults",
    ],
)  # fmt: skip
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


def test_a_sheet_shows_so_many_streets(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    assert run(["simulate", "--sheet", str(path), "--recordings", "3", "--seed", "5"]) == 0
    # Two pairs of 2 x 304 columns in a row, four pixels between; three recordings fill two rows.
    sheet = cv2.imread(str(path))
    assert sheet is not None
    assert sheet.shape == (2 * 244, 2 * 612, 3)
    assert sheet[:240, :304].std() > 10
    assert (sheet[244:, 612:] == 0).all()


def _write_video(path: Path, num_pictures: int) -> None:
    """Write a bright bar that moves one pixel a picture on grey."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 100.0, (64, 48))
    for k in range(num_pictures):
        picture = np.full((48, 64, 3), 60, np.uint8)
        picture[:, 10 + k : 20 + k] = 220
        writer.write(picture)
    writer.release()


def test_a_video_is_filmed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write_video(tmp_path / "bar.avi", 11)
    command = ["simulate", "--from-video", str(tmp_path / "bar.avi"), "-o", str(tmp_path / "bar_td.dat"), "--json"]
    assert run(command) == 0
    told = json.loads(capsys.readouterr().out)
    recording = open_recording(tmp_path / "bar_td.dat")
    events = recording.slice(0, 100_001)
    assert recording.synthetic
    assert (recording.sensor_size, len(events)) == ((48, 64), told["num_events"])
    # ON before the bar, whose front goes from column 20 to 30, and OFF behind it, from column 10 to 20.
    columns = [np.median(events.x[events.p == polarity]) for polarity in (1, 0)]
    assert columns == [pytest.approx(25, abs=3), pytest.approx(15, abs=3)]
    assert run([*command[:-1], "-q"]) == 0


def test_what_is_no_video_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no video")
    for name, message in (("none.mp4", "no such file"), ("no.mp4", "cannot open it as a video")):
        assert run(["simulate", "--from-video", str(tmp_path / name), "-o", str(tmp_path / "a_td.dat")]) == 3
        assert message in capsys.readouterr().err
    assert [item.name for item in tmp_path.iterdir()] == ["no.mp4"]
