"""expelliarmus as the decoder of DAT and EVT 2.0: the same events as ours, and a word where it cannot."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from eventdet.errors import FormatError, MissingExtraError, OptionError
from eventdet.events import Events
from eventdet.formats import (
    Recording,
    inspect_recording,
    open_recording,
    write_dat,
    write_evt2,
    write_evt3,
)
from eventdet.geometry import GEN1, SensorSize
from eventdet.sources.stored import open_file_or_store

from .reference import random_events

VGA = SensorSize(480, 640)
Write = Callable[[Path, Events, SensorSize], None]

needs_expelliarmus = pytest.mark.skipif(find_spec("expelliarmus") is None, reason="expelliarmus is not installed")


def columns(recording: Recording) -> list[list[int]]:
    return [column.tolist() for column in Events.concatenate(recording.chunks())]


@needs_expelliarmus
@pytest.mark.parametrize(("write", "name"), [(write_dat, "a.dat"), (write_evt2, "a.raw")], ids=["dat", "evt2"])
def test_expelliarmus_reads_what_we_read(write: Write, name: str, tmp_path: Path) -> None:
    write(tmp_path / name, random_events(5_000), VGA)
    ours, theirs = (open_recording(tmp_path / name, reader=reader) for reader in ("eventdet", "expelliarmus"))
    assert columns(theirs) == columns(ours)
    assert (theirs.reader, theirs.format, theirs.sensor_size) == ("expelliarmus", ours.format, VGA)
    assert ours.reader == "eventdet"
    assert theirs.report.repairs == {}


@needs_expelliarmus
def test_expelliarmus_reads_a_real_recording_as_we_do(real_data: Path) -> None:
    path = real_data / "spinner_evt2_vga.raw"
    ours, theirs = (open_recording(path, reader=reader) for reader in ("eventdet", "expelliarmus"))
    for mine, other in zip(Events.concatenate(ours.chunks()), Events.concatenate(theirs.chunks()), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert len(theirs.triggers()) == len(ours.triggers())


@needs_expelliarmus
def test_events_of_expelliarmus_pass_the_same_policy(tmp_path: Path) -> None:
    path = tmp_path / "dirty.dat"
    write_dat(path, Events.from_columns(t=[5, 6, 7], x=[1, 300, 2], y=[1, 1, 1], p=[0, 1, 1]), GEN1)
    path.write_bytes(path.read_bytes().replace(b"Width 304", b"Width 100") + b"abc")
    recording = open_recording(path, reader="expelliarmus")
    assert columns(recording) == [[5, 7], [1, 2], [1, 1], [0, 1]]
    assert recording.report.repairs == {"out_of_range_dropped": 1, "trailing_bytes": 3}
    with pytest.raises(FormatError, match="3 bytes after the last whole record"):
        open_recording(path, reader="expelliarmus", policy="strict")


@needs_expelliarmus
def test_word_at_which_expelliarmus_gives_up_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    write_evt2(path, random_events(100), VGA)
    # Type 0x7 is none; eventdet counts it and goes on.
    path.write_bytes(path.read_bytes()[:-4] + b"\x00\x00\x00\x70")
    assert open_recording(path).num_events == 99
    with pytest.raises(FormatError, match="expelliarmus gave up after"):
        columns(open_recording(path, reader="expelliarmus"))


@needs_expelliarmus
@pytest.mark.parametrize("write", [write_dat, write_evt2], ids=["dat", "evt2"])
def test_file_without_events_has_none(write: Write, tmp_path: Path) -> None:
    path = tmp_path / ("none.dat" if write is write_dat else "none.raw")
    write(path, Events.empty(), GEN1)
    assert open_recording(path, reader="expelliarmus").num_events == 0


@needs_expelliarmus
def test_header_that_is_cut_does_not_hang_expelliarmus(tmp_path: Path) -> None:
    path = tmp_path / "cut.raw"
    path.write_bytes(b"% evt 2.0\n% geometry 640x480\n% f")
    assert open_recording(path, reader="expelliarmus").num_events == 0
    path.write_bytes(path.read_bytes() + b"ormat")
    with pytest.raises(OptionError, match="for a line of the header"):
        open_recording(path, reader="expelliarmus")


def test_evt3_is_refused_with_the_reason(tmp_path: Path) -> None:
    write_evt3(tmp_path / "a.raw", random_events(10), VGA)
    with pytest.raises(OptionError, match=r"got evt3 \(it takes small steps back"):
        open_recording(tmp_path / "a.raw", reader="expelliarmus")


def test_dat_version_1_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(b"% Version 1\n% Height 240\n% Width 304\n\x00\x08" + bytes(8))
    with pytest.raises(OptionError, match="takes version 1 for version 2"):
        open_recording(tmp_path / "a.dat", reader="expelliarmus")


def test_dat_without_a_header_is_refused(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", random_events(10), GEN1)
    bare = tmp_path / "bare.dat"
    bare.write_bytes((tmp_path / "a.dat").read_bytes()[-80:])
    with pytest.raises(OptionError, match="needs a header"):
        open_recording(bare, sensor_size=GEN1, reader="expelliarmus")


def test_name_that_expelliarmus_does_not_take_is_refused(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.events", Events.empty(), GEN1)
    with pytest.raises(OptionError, match=r"ends in \.dat"):
        open_recording(tmp_path / "a.events", reader="expelliarmus")


def test_evt2_record_that_looks_like_a_header_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    # The first word is TIME_HIGH 0x25: its lowest byte is a percent sign.
    write_evt2(path, Events.from_columns(t=[0x25 << 6], x=[1], y=[1], p=[1]), VGA)
    assert open_recording(path).num_events == 1
    with pytest.raises(OptionError, match="for a line of the header"):
        open_recording(path, reader="expelliarmus")


def test_reader_that_is_unknown_raises(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="reader must be one of eventdet, expelliarmus, got 'openeb'"):
        open_recording(tmp_path / "a.dat", reader="openeb")


def test_folder_is_no_input_for_expelliarmus(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="for event files"):
        open_file_or_store(tmp_path, reader="expelliarmus")


def test_expelliarmus_that_is_missing_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "expelliarmus", None)
    write_dat(tmp_path / "a.dat", Events.empty(), GEN1)
    with pytest.raises(MissingExtraError, match="'interop'"):
        open_recording(tmp_path / "a.dat", reader="expelliarmus")


@needs_expelliarmus
def test_info_names_the_reader(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", random_events(10), GEN1)
    assert inspect_recording(tmp_path / "a.dat").reader == "eventdet"
    assert inspect_recording(tmp_path / "a.dat", reader="expelliarmus").reader == "expelliarmus"
