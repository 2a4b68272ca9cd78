import sys
from pathlib import Path

import numpy as np
import pytest

from eventdet.errors import FormatError, GeometryError, OptionError, OutputError
from eventdet.events import Events
from eventdet.formats import open_recording, read_dat, write_dat
from eventdet.formats.dat import is_dat, read_dat_header
from eventdet.geometry import GEN1, SensorSize

from .reference import random_events, rows

HEADER = b"% Data file containing Event2D events\n% Version 2\n% Height 240\n% Width 304\n"


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def record(t: int, x: int, y: int, p: int) -> bytes:
    return t.to_bytes(4, "little") + (x | y << 14 | p << 28).to_bytes(4, "little")


def test_write_dat_of_two_events_gives_the_bytes_of_the_gen1_form(tmp_path: Path) -> None:
    path = tmp_path / "a_td.dat"
    write_dat(path, Events.from_columns(t=[1, 2], x=[303, 0], y=[0, 239], p=[1, 0]), GEN1)
    assert path.read_bytes() == (
        b"% Data file containing Event2D events\n% Version 2\n% Date 1970-01-01 00:00:00\n% Height 240\n% Width 304\n"
        b"\x00\x08" + record(1, 303, 0, 1) + record(2, 0, 239, 0)
    )


@pytest.mark.parametrize("event_type", [0x00, 0x0C])
def test_dat_round_trip_keeps_every_event(tmp_path: Path, event_type: int) -> None:
    events = random_events(5000)
    write_dat(tmp_path / "a.dat", events, GEN1, event_type=event_type)
    back, report = read_dat(tmp_path / "a.dat")
    assert rows(back) == rows(events)
    assert report.num_events == 5000
    assert report.repairs == {}
    assert read_dat_header(tmp_path / "a.dat").event_type == event_type


def test_dat_round_trip_across_the_32_bit_overflow_keeps_time(tmp_path: Path) -> None:
    # One event every 20 minutes for 4 hours: three overflows of 71.6 minutes.
    minutes = np.arange(0, 241, 20)
    zeros = np.zeros(len(minutes), int)
    events = Events.from_columns(t=minutes * 60_000_000, x=zeros, y=zeros, p=zeros)
    write_dat(tmp_path / "a.dat", events, GEN1)
    back, report = read_dat(tmp_path / "a.dat")
    np.testing.assert_array_equal(back.t, events.t)
    assert report.time_wraps == 3


def test_write_dat_of_batches_equals_write_dat_of_the_whole(tmp_path: Path) -> None:
    events = random_events(1000)
    write_dat(tmp_path / "whole.dat", events, GEN1)
    write_dat(tmp_path / "parts.dat", iter([events[:10], events[10:10], events[10:]]), GEN1)
    assert (tmp_path / "whole.dat").read_bytes() == (tmp_path / "parts.dat").read_bytes()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"t": [5, 4], "x": [0, 0], "y": [0, 0], "p": [0, 0]}, "must be >= 0 and not decrease"),
        ({"t": [-1], "x": [0], "y": [0], "p": [0]}, "must be >= 0 and not decrease"),
        ({"t": [0], "x": [304], "y": [0], "p": [0]}, "must lie on the 304x240 sensor"),
        ({"t": [0], "x": [0], "y": [240], "p": [0]}, "must lie on the 304x240 sensor"),
    ],
    ids=["disorder", "negative", "x-outside", "y-outside"],
)
def test_write_dat_of_bad_events_raises_and_leaves_no_file(
    tmp_path: Path, columns: dict[str, list[int]], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        write_dat(tmp_path / "a.dat", Events.from_columns(**columns), GEN1)
    assert list(tmp_path.iterdir()) == []


def test_write_dat_of_batches_out_of_order_raises(tmp_path: Path) -> None:
    events = random_events(10)
    with pytest.raises(OptionError, match="not decrease"):
        write_dat(tmp_path / "a.dat", [events[5:], events[:5]], GEN1)


def test_write_dat_of_bad_arguments_raises(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="event_type must be one of 0x00, 0x0c, got '0x0e'"):
        write_dat(tmp_path / "a.dat", Events.empty(), GEN1, event_type=0x0E)
    with pytest.raises(OptionError, match="sensor_size"):
        write_dat(tmp_path / "a.dat", Events.empty(), SensorSize(0, 304))
    with pytest.raises(OutputError, match=r"missing.a\.dat: cannot be written"):
        write_dat(tmp_path / "missing" / "a.dat", Events.empty(), GEN1)


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
def test_write_dat_on_a_full_disk_leaves_the_earlier_file(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "a.dat"
    path.write_bytes(b"old")
    count = 10_000
    events = Events.from_columns(t=np.arange(count), x=np.zeros(count), y=np.zeros(count), p=np.zeros(count))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OutputError, match=r"a\.dat: cannot be written \(File too large\)"):
            write_dat(path, events, GEN1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_read_dat_without_size_lines_takes_the_given_size_or_raises(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dat", b"% Data file containing CD events\n% Version 2\n\x0c\x08", record(7, 303, 5, 1))
    with pytest.raises(GeometryError, match="sensor size is not in the header"):
        read_dat(path)
    events, _ = read_dat(path, sensor_size=GEN1)
    assert rows(events) == [(7, 303, 5, 1)]


def test_read_dat_prefers_the_header_size_to_the_given_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dat", HEADER, b"\x00\x08", record(0, 303, 239, 1))
    events, _ = read_dat(path, sensor_size=SensorSize(10, 10))
    assert len(events) == 1


@pytest.mark.parametrize("tail", [b"", b"\x00\x08"], ids=["no-type", "type"])
def test_read_dat_of_a_header_alone_gives_no_events(tmp_path: Path, tail: bytes) -> None:
    events, report = read_dat(write(tmp_path / "a.dat", HEADER, tail))
    assert len(events) == 0
    assert report.trailing_bytes == 0


def test_read_dat_repairs_and_counts_what_spec_4_3_lists(tmp_path: Path) -> None:
    dirty = [record(100, 1, 1, 0), record(60, 2, 1, 0), record(110, 400, 1, 1), record(120, 3, 1, 1)]
    path = write(tmp_path / "a.dat", HEADER, b"\x00\x08", *dirty, b"\x01\x02\x03")
    events, report = read_dat(path)
    assert rows(events) == [(100, 1, 1, 0), (100, 2, 1, 0), (120, 3, 1, 1)]
    assert report.repairs == {"backward_clamped": 1, "out_of_range_dropped": 1, "trailing_bytes": 3}


def test_read_dat_strict_names_the_byte(tmp_path: Path) -> None:
    start = len(HEADER) + 2
    path = write(tmp_path / "a.dat", HEADER, b"\x00\x08", record(5, 0, 0, 0), record(4, 0, 0, 0))
    with pytest.raises(FormatError, match=f"stamp steps back, at byte {start + 8}$"):
        read_dat(path, policy="strict")
    path = write(tmp_path / "b.dat", HEADER, b"\x00\x08", record(5, 0, 0, 0), b"\x01\x02\x03")
    with pytest.raises(FormatError, match=f"3 bytes after the last whole record, at byte {start + 8}$"):
        read_dat(path, policy="strict")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + b"\x0e\x08", r"got 0x0e \(external triggers\), at byte 75"),
        (HEADER + b"\x28\x18", r"got 0x28 \(optical flow\), at byte 75"),
        (HEADER + b"\x77\x08", r"got 0x77 \(an unknown type\), at byte 75"),
        (HEADER + b"\x00\x10", "event size must be 8, got 16, at byte 76"),
        (HEADER + b"\x00", "cut within the event type, at byte 75"),
        (HEADER.replace(b"Version 2", b"Version 3"), "DAT version must be 1 or 2, got '3'"),
        (HEADER.replace(b"240", b"many"), "Height and Width must be numbers"),
        (HEADER.replace(b"240", b"0"), "sensor_size must be"),
        (b"\x00\x08" + record(0, 0, 0, 0), "no DAT header at byte 0"),
        (b"", "file is empty, at byte 0"),
    ],
    ids=["trigger", "flow", "unknown", "size", "cut", "v1", "height-text", "height-zero", "no-header", "empty"],
)
def test_read_dat_of_a_broken_file_raises_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path / "a.dat", content)
    with pytest.raises(FormatError, match=message) as caught:
        read_dat(path, sensor_size=GEN1)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def bare_file(path: Path, count: int = 50) -> Path:
    return write(path, *(record(10 * i, i, i, i % 2) for i in range(count)))


def test_records_without_a_header_are_read_when_name_and_size_say_dat(tmp_path: Path) -> None:
    recording = open_recording(bare_file(tmp_path / "a.dat"), sensor_size=GEN1)
    assert rows(recording.slice(0, 30)) == [(0, 0, 0, 0), (10, 1, 1, 1), (20, 2, 2, 0)]
    assert recording.report.repairs == {"missing_header": 1}
    with pytest.raises(FormatError, match="no header, at byte 0"):
        open_recording(tmp_path / "a.dat", sensor_size=GEN1, policy="strict")


@pytest.mark.parametrize("why", ["no-size", "other-name", "off-sensor", "other-bytes", "zeros"])
def test_records_without_a_header_are_refused_when_in_doubt(tmp_path: Path, why: str) -> None:
    path = bare_file(tmp_path / ("a.bin" if why == "other-name" else "a.dat"))
    if why == "other-bytes":
        path.write_bytes(bytes(range(256)) * 4)
    if why == "zeros":
        path.write_bytes(bytes(800))
    # Of 50 pixels on the diagonal, 20 lie on a 20x20 sensor: too few to be its recording.
    size = {"no-size": None, "off-sensor": SensorSize(20, 20)}.get(why, GEN1)
    with pytest.raises(FormatError, match="unknown format at byte 0"):
        open_recording(path, sensor_size=size)


def test_read_dat_masks_and_counts_a_polarity_beyond_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dat", HEADER, b"\x00\x08", record(1, 0, 0, 2), record(2, 0, 0, 3), record(3, 0, 0, 1))
    events, report = read_dat(path)
    assert events.p.tolist() == [0, 1, 1]
    assert report.repairs == {"polarity_repaired": 2}
    with pytest.raises(FormatError, match="polarity is neither 0 nor 1, at byte 77"):
        read_dat(path, policy="strict")


def test_is_dat_tells_dat_from_raw() -> None:
    assert is_dat(HEADER)
    assert not is_dat(b"% evt 3.0\n% Version 2\n")
    assert not is_dat(b"")
