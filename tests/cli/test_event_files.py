"""``convert`` to event files, ``cut`` and ``formats``."""

import json
import struct
from pathlib import Path

import pytest

from eventdet import GEN1, Events
from eventdet.cli.main import run
from eventdet.formats import FORMATS, open_recording, write_dat


@pytest.fixture
def dat(tmp_path: Path) -> Path:
    events = Events.from_columns(t=[1000, 2000, 3000, 4000], x=[1, 2, 100, 4], y=[1, 1, 1, 90], p=[0, 1, 0, 1])
    write_dat(tmp_path / "in_td.dat", events, GEN1)
    return tmp_path / "in_td.dat"


def test_convert_to_an_event_file_goes_by_its_ending(
    dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.raw"
    assert run(["convert", str(dat), "-o", str(output), "--encoding", "evt21", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["format"], summary["num_events"], summary["sensor_size"]) == ("evt21", 4, "304x240")
    assert open_recording(output).slice(0, 10**4).x.tolist() == [1, 2, 100, 4]
    assert run(["convert", str(dat), "-o", str(tmp_path / "out.es")]) == 0
    assert "4 events as es, 304x240" in capsys.readouterr().out


def test_convert_to_an_unknown_ending_is_exit_code_2(
    dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(dat), "-o", str(tmp_path / "out.mov")]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert "no format is written with the ending '.mov'" in error
    assert ".raw" in hint


def test_cut_keeps_the_part_that_was_asked_for(dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "part.dat"
    # Relative to the first event at 1 ms: 2 ms and 3 ms stay, and of these column 2 alone.
    arguments = ["cut", str(dat), "-o", str(output), "--start", "1ms", "--end", "3ms", "--roi", "0,0,50,50"]
    assert run([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert [int(column[0]) for column in open_recording(output).slice(0, 10**4)] == [2000, 2, 1, 1]
    assert run([*arguments, "--from-zero"]) == 0
    assert open_recording(output).t_first_us == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--roi", "1,2"], "region must be x,y,width,height"),
        (["--end", "5"], "--end must be a number with a unit"),
        (["--start", "2s", "--end", "1s"], "--end must be after --start, got 1s and 2s"),
        (["--encoding", "evt2"], "encoding must be one of dat"),
    ],
    ids=["roi", "end", "order", "encoding"],
)
def test_cut_of_a_wrong_option_is_exit_code_2(
    dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(["cut", str(dat), "-o", str(tmp_path / "part.dat"), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_loss_of_the_synthetic_mark_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = Events.from_columns(t=[5], x=[1], y=[1], p=[0])
    write_dat(tmp_path / "in.dat", events, GEN1, synthetic=True)
    assert run(["convert", str(tmp_path / "in.dat"), "-o", str(tmp_path / "out.es"), "--quiet"]) == 0
    assert "no place for the mark that these events are synthetic" in capsys.readouterr().err


def test_loss_of_triggers_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # TIME_HIGH, TIME_LOW, ADDR_Y, ADDR_X, then two EXT_TRIGGER words of channel 1.
    words = struct.pack("<6H", 0x8000, 0x6005, 0x0001, 0x2002, 0xA101, 0xA100)
    (tmp_path / "in.raw").write_bytes(b"% evt 3.0\n% geometry 8x8\n% end\n" + words)
    call = ["cut", str(tmp_path / "in.raw"), "-o", str(tmp_path / "out.dat"), "--json"]
    assert run(call) == 0
    printed = capsys.readouterr()
    assert printed.err == "note: 2 external triggers are left out: a store keeps them\n"
    assert json.loads(printed.out)["num_triggers_left_out"] == 2
    assert run(["cut", str(tmp_path / "in.raw"), "-o", str(tmp_path / "out.raw")]) == 0
    assert capsys.readouterr().err == ""
    assert len(open_recording(tmp_path / "out.raw").triggers()) == 2


def test_formats_lists_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["formats"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["name", "format", "file"]
    assert [line.split()[0] for line in lines] == list(FORMATS)
    assert run(["formats", "--json"]) == 0
    table = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert table["dat"] == {
        "name": "dat", "title": "Prophesee DAT 1 and 2", "suffix": ".dat", "reads": True, "writes": True,
        "streams": True, "seek": "bisection", "extra": "",
    }  # fmt: skip
    assert not table["evt4"]["writes"]
