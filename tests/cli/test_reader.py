"""``--reader`` of ``info`` and ``cut``."""

import json
from pathlib import Path

import pytest

from eventdet.cli.main import run
from eventdet.events import Events
from eventdet.formats import open_recording, write_dat, write_evt3
from eventdet.geometry import GEN1

EVENTS = Events.from_columns(t=[1_000, 2_000, 3_000], x=[1, 2, 100], y=[1, 1, 1], p=[0, 1, 0])


def test_info_and_cut_take_another_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("expelliarmus")
    path, output = tmp_path / "a_td.dat", tmp_path / "part.raw"
    write_dat(path, EVENTS, GEN1)
    assert run(["info", str(path), "--json"]) == 0
    ours = json.loads(capsys.readouterr().out)
    assert run(["info", str(path), "--reader", "expelliarmus", "--json"]) == 0
    theirs = json.loads(capsys.readouterr().out)
    assert (ours.pop("reader"), theirs.pop("reader")) == ("eventdet", "expelliarmus")
    assert ours == theirs
    assert run(["cut", str(path), "-o", str(output), "--end", "2ms", "--reader", "expelliarmus", "--quiet"]) == 0
    assert open_recording(output).slice(0, 10_000).t.tolist() == [1_000, 2_000]


def test_reader_that_does_not_read_the_format_is_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_evt3(tmp_path / "a.raw", EVENTS, GEN1)
    assert run(["info", str(tmp_path / "a.raw"), "--reader", "expelliarmus"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert "is for DAT version 2 and EVT 2.0, got evt3" in error
    assert "use reader eventdet" in hint
