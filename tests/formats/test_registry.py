import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from eventdet.errors import FormatError, InputError, OptionError
from eventdet.events import Events
from eventdet.formats import detect_format, open_recording, write_dat, write_evt2, write_evt3
from eventdet.geometry import GEN1

from .reference import random_events

Write: TypeAlias = Callable[..., None]


def test_detect_format_goes_by_content_not_by_name(tmp_path: Path) -> None:
    for name, write in (("dat", write_dat), ("evt2", write_evt2), ("evt3", write_evt3)):
        write(tmp_path / "recording.txt", Events.empty(), GEN1)
        assert detect_format(tmp_path / "recording.txt") == name


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "file is empty, at byte 0"),
        (b"#!AER-DAT3.1\r\n", "unknown format at byte 0, got b'#!AER-DAT3.1'"),
        (b"\x89HDF\r\n\x1a\n", "broken HDF5 ("),
        (b"Event Stream\x02\x00\x00", "header is cut, at byte 15"),
        (b"% format EVT5;height=720;width=1280\n% end\n", "unknown format at byte 0, got evt5"),
        (b"% evt 6.0\n% end\n", "unknown format at byte 0, got evt 6.0"),
        (b"% date 2020-01-01\n% end\n", "unknown format at byte 0"),
        (b"% format EVT3;height=720;width=12", "unknown format at byte 0"),
        (b"\x00" * 100, "unknown format at byte 0"),
        (b"%", "unknown format at byte 0"),
        (b"% ", "unknown format at byte 0"),
        (b"% \n", "unknown format at byte 0"),
    ],
    ids=[
        "empty", "aedat3", "hdf5", "es", "evt5", "evt6", "no-encoding", "cut-header", "zeros", "percent", "start",
        "blank-line",
    ],
)  # fmt: skip
def test_open_recording_of_an_unreadable_file_raises_one_line(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        open_recording(path, sensor_size=GEN1)
    assert str(caught.value).startswith(f"{path}: {found}")
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == 3


def test_open_recording_of_a_pipe_raises_and_reads_nothing_of_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.raw")
    # Nobody writes to it: to open it for reading would wait for ever.
    with pytest.raises(InputError, match="is a pipe, not a file"):
        open_recording(tmp_path / "pipe.raw")


def test_open_recording_of_a_missing_path_or_a_directory_raises(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.dat: no such file") as missing:
        open_recording(tmp_path / "a.dat")
    with pytest.raises(InputError, match="is a directory, not a recording") as folder:
        open_recording(str(tmp_path))
    assert missing.value.exit_code == folder.value.exit_code == 3


def test_open_recording_of_an_unknown_policy_raises(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", Events.empty(), GEN1)
    with pytest.raises(OptionError, match="policy must be one of repair, strict, trust, got 'none'"):
        open_recording(tmp_path / "a.dat", policy="none")


def test_open_recording_reads_the_header_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dat(tmp_path / "a.dat", random_events(10), GEN1)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the payload was mapped")

    monkeypatch.setattr("mmap.mmap", refuse)
    recording = open_recording(tmp_path / "a.dat")
    assert (recording.format, recording.sensor_size) == ("dat", GEN1)


@pytest.mark.parametrize("size", range(0, 240, 3))
@pytest.mark.parametrize("write", [write_dat, write_evt2, write_evt3], ids=["dat", "evt2", "evt3"])
def test_file_cut_anywhere_reads_or_raises_an_input_error(tmp_path: Path, write: Write, size: int) -> None:
    write(tmp_path / "a", random_events(20), GEN1)
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[:size])
    outcome = ""
    try:
        assert sum(map(len, open_recording(tmp_path / "a", sensor_size=GEN1).chunks())) <= 20
    except InputError as error:
        outcome = str(error)
    assert "\n" not in outcome
