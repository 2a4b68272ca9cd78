import json
import re
import sys
from io import StringIO
from pathlib import Path

import pytest

from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import open_recording, read_dat, write_boxes, write_dat
from eventdet.geometry import GEN1
from eventdet.preprocessing import REPRESENTATIONS, open_stored_recording
from tests.preprocessing.stores import gen1_folder


def test_convert_of_a_folder_tells_each_failure_once_and_keeps_it_in_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in", tmp_path / "out.zarr"
    source.mkdir()
    (source / "bad.dat").write_bytes(b"")
    write_dat(source / "good.dat", Events.from_columns(t=[10], x=[3], y=[3], p=[1]), GEN1)
    assert run(["convert", str(source), "-o", str(output)]) == 5
    told = [line for line in capsys.readouterr().err.splitlines() if "bad.dat" in line]
    assert len(told) == 1
    assert told[0].count(str(source)) == 1
    assert told[0].startswith(f"failed: {source / 'bad.dat'}: file is empty, at byte 0")
    entries = [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
    assert [(entry["path"], entry["status"]) for entry in entries] == [
        ("bad.zarr", "failed"), ("good.zarr", "complete"),
    ]  # fmt: skip


def test_convert_of_another_recording_of_the_same_name_says_what_it_replaces(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, t in (("a", 10), ("b", 20)):
        (tmp_path / folder).mkdir()
        write_dat(tmp_path / folder / "x.dat", Events.from_columns(t=[t], x=[3], y=[3], p=[1]), GEN1)
        assert run(["convert", str(tmp_path / folder / "x.dat"), "-o", str(tmp_path / "out.zarr")]) == 0
    told = capsys.readouterr().err
    assert told.startswith(f"note: {tmp_path / 'b/x.dat'}: replaced a recording of that name made from other bytes")


def test_convert_counts_the_event_files_that_it_did_not_search_for_and_a_pattern_converts_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = Events.from_columns(t=[10, 20], x=[3, 4], y=[3, 3], p=[1, 0])
    (tmp_path / "in").mkdir()
    write_dat(tmp_path / "in/x.dat", events, GEN1)
    for name in ("y.csv", "z.csv"):
        (tmp_path / "in" / name).write_text("t,x,y,p\n10,3,3,1\n20,4,3,0\n")
    assert run(["convert", str(tmp_path / "in"), "-o", str(tmp_path / "a.zarr")]) == 0
    assert capsys.readouterr().err == "note: not searched for: 2 .csv; name them, or give a pattern like '*.csv'\n"
    assert run(["convert", f"{tmp_path}/in/*.csv", "-o", str(tmp_path / "b.zarr"), "--sensor-size", "240x304"]) == 0
    told = capsys.readouterr()
    assert (told.out.split(": ")[1].split(",")[0], told.err) == ("2 converted", "")


def test_convert_with_a_representation_of_a_module_in_the_current_folder_stores_its_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_tensors.py").write_text(
        "from eventdet.preprocessing import representation\n"
        "@representation('event_total', axes=('row',), dtype='f4')\n"
        "def event_total(events, t0_us, t1_us, size, out, *, gain=1.0):\n"
        "    out[:] = gain * len(events)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    write_dat(tmp_path / "a.dat", Events.from_columns(t=[10, 20], x=[3, 4], y=[3, 3], p=[1, 0]), GEN1)
    try:
        assert run(["convert", "a.dat", "-o", "a.zarr", "--representation", "my_tensors.event_total:gain=2.5"]) == 0
        frames = open_stored_recording("a.zarr").frames()
        assert dict(frames.representation.parameters) == {"gain": 2.5}
    finally:
        REPRESENTATIONS.pop("event_total", None)
    # Where the module is not imported, the tensors are read and checked, and nobody claims to know what they are.
    assert frames[0].tolist() == [5.0] * GEN1.height
    assert run(["verify", "a.zarr"]) == run(["info", "a.zarr"]) == 0
    with pytest.raises(OptionError, match=r"my_tensors\.event_total is not registered"):
        assert frames.representation


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_shown_files_rate_bytes_and_time_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, terminal = gen1_folder(tmp_path / "gen1"), _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    assert run(["convert", str(source), "-o", str(tmp_path / "out.zarr"), "--window", "2ms"]) == 0
    assert re.search(r"3/3 files.*Mev/s.*MB written.*0:00:00", terminal.getvalue())


def test_a_pipe_is_shown_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = gen1_folder(tmp_path / "gen1")
    assert run(["convert", str(source), "-o", str(tmp_path / "out.zarr"), "--window", "2ms", "-q"]) == 0
    assert capsys.readouterr() == ("", "")


def test_an_event_file_takes_part_region_and_smaller_sensor_and_refuses_what_is_for_stores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = gen1_folder(tmp_path / "gen1") / "val/a_td.dat"
    events = read_dat(source)[0]
    part = ["--start", "1ms", "--end", "4ms", "--roi", "0,0,4,6", "--downsample", "2"]
    assert run(["convert", str(source), "-o", str(tmp_path / "part.raw"), *part, "-q"]) == 0
    written = open_recording(tmp_path / "part.raw")
    first = int(events.t[0])
    assert written.sensor_size == (3, 4)
    assert first + 1000 <= written.t_first_us
    assert written.t_last_us < first + 4000
    assert max(batch.x.max() for batch in written.chunks()) < 2
    assert run(["convert", str(source), "-o", str(tmp_path / "a.raw"), "--labels", "rvt", "--jobs", "2"]) == 2
    assert "--labels, --jobs: for stores, not for an event file" in capsys.readouterr().err


_OWN = """
from eventdet.preprocessing import representation

@representation("touched", axes=("row", "column"), dtype="u1")
def touched(events, t0_us, t1_us, size, out):
    out[:] = 0
    out[events.y, events.x] = 1
"""


def test_a_representation_of_the_users_own_is_converted_by_processes_and_verified_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_tensors.py").write_text(_OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    gen1_folder(tmp_path / "gen1")
    kind = ["--representation", "own_tensors.touched", "--window", "2ms", "--jobs", "2", "-q"]
    assert run(["convert", "gen1", "-o", "out.zarr", *kind]) == 0
    # As another process would see it, which has not imported the module.
    monkeypatch.delitem(REPRESENTATIONS, "touched")
    assert run(["verify", "out.zarr", "--deep", "-q"]) == 0
    assert run(["info", "out.zarr"]) == 0


def test_convert_tells_which_recordings_have_no_label_for_a_window_to_end_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in", str(tmp_path / "out.zarr")
    source.mkdir()
    events = Events.from_columns(t=[10, 20_000], x=[3, 4], y=[3, 3], p=[1, 0])
    write_dat(source / "bare_td.dat", events, GEN1)
    command = ["convert", str(source), "--align", "label-end"]
    note = f"note: {source / 'bare_td.dat'}: no windows, since there is no label for one to end at"
    # None of the tensors that were asked for is there, then some are.
    assert run([*command, "-o", output]) == 5
    assert note in capsys.readouterr().err
    write_dat(source / "labelled_td.dat", events, GEN1)
    write_boxes(source / "labelled_bbox.npy", Boxes.from_xywh([[1, 1, 20, 30]], t=[15_000]))
    assert run([*command, "-o", output, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [entry["path"] for entry in told["without_windows"]] == [str(source / "bare_td.dat")]
    assert told["num_frames"] == 1
