"""Files of EVT 2.1, EVT 4.0, Event Stream, 40-bit AER, AEDAT 2.0 and DAT 1: headers, round trips, real recordings."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from eventdet.errors import FormatError, GeometryError, OptionError
from eventdet.events import Events
from eventdet.formats import (
    detect_format,
    open_recording,
    read_aedat2,
    read_aer40,
    read_dat,
    read_es,
    read_evt4,
    read_evt21,
    write_aer40,
    write_es,
    write_evt21,
)
from eventdet.formats.aer40 import is_aer40
from eventdet.geometry import GEN1, SensorSize
from eventdet.report import ReadReport

from .reference import random_events, rows
from .test_oracles import assert_equal, by_faery
from .test_raw import bursts

Write: TypeAlias = Callable[..., None]
Read: TypeAlias = Callable[..., tuple[Events, ReadReport]]

SMALL = SensorSize(180, 240)
VGA = SensorSize(480, 640)

every_written = pytest.mark.parametrize(
    ("write", "read"),
    [(write_evt21, read_evt21), (write_es, read_es), (write_aer40, read_aer40)],
    ids=["evt21", "es", "aer40"],
)


def small_events(num_events: int, *, last_us: int = 100_000) -> Events:
    return random_events(num_events, width=SMALL.width, height=SMALL.height, last_us=last_us)


@every_written
@pytest.mark.parametrize(
    "events",
    [
        small_events(5000),
        small_events(3000, last_us=0),
        small_events(500, last_us=30_000_000),
        small_events(1),
        Events.empty(),
    ],
    ids=["random", "one-stamp", "sparse", "one", "empty"],
)
def test_round_trip_keeps_every_event(tmp_path: Path, write: Write, read: Read, events: Events) -> None:
    write(tmp_path / "a", [events[:3], events[3:], Events.empty()], SMALL)
    if len(events) or write is not write_aer40:
        back, report = read(tmp_path / "a", sensor_size=SMALL, policy="strict")
        assert rows(back) == rows(events)
        assert report.repairs == {}


def test_evt21_round_trip_of_bursts_shares_words(tmp_path: Path) -> None:
    events = bursts(8000)
    write_evt21(tmp_path / "a", events, VGA)
    back, _ = read_evt21(tmp_path / "a", policy="strict")
    assert rows(back) == rows(events)
    # Eight events of a run lie in at most two blocks of 32 columns: a quarter of the words of one each, and TIME_HIGH.
    assert (tmp_path / "a").stat().st_size < 8 * len(events) / 3


def test_evt21_round_trip_across_overflows_and_silences_keeps_time(tmp_path: Path) -> None:
    t = np.array([5, 20_000_000_000, 20_000_000_001, 60_000_000_000, 90_000_000_000])
    zeros = np.zeros(len(t), int)
    write_evt21(tmp_path / "a", Events.from_columns(t=t, x=zeros, y=zeros, p=zeros), VGA)
    np.testing.assert_array_equal(read_evt21(tmp_path / "a", policy="strict")[0].t, t)


@pytest.mark.parametrize("line", ["evt 2.1", "format EVT21;height=480;width=640", "format EVT21;endianness=legacy"])
@pytest.mark.parametrize("swapped", [False, True], ids=["little-endian", "legacy"])
def test_evt21_word_order_is_told_by_the_words_and_not_by_the_header(tmp_path: Path, line: str, swapped: bool) -> None:
    events = random_events(2000, width=640, height=480)
    write_evt21(tmp_path / "a", events, VGA)
    content = (tmp_path / "a").read_bytes()
    start = content.index(b"% end\n") + 6
    words = np.frombuffer(content, "<u4", offset=start).reshape(-1, 2)
    header = f"% {line}\n% geometry 640x480\n% end\n".encode()
    (tmp_path / "b").write_bytes(header + (words[:, ::-1] if swapped else words).tobytes())
    recording = open_recording(tmp_path / "b", policy="strict")
    assert recording.format == "evt21"
    assert rows(recording.slice(0, 10**6)) == rows(events)


def test_evt21_without_words_takes_the_order_of_its_header(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"% format EVT21;endianness=legacy;height=4;width=4\n% end\n")
    assert len(read_evt21(tmp_path / "a", policy="strict")[0]) == 0


def test_evt4_file_is_read(tmp_path: Path) -> None:
    # TIME_HIGH 1; ON at 64 + 5 on (7, 3); a vector of OFF at 64 + 6, row 4, columns 32 and 63; padding.
    words = [14 << 28 | 1, 11 << 28 | 5 << 22 | 7 << 11 | 3, 12 << 28 | 6 << 22 | 32 << 11 | 4, 1 | 1 << 31, 2**32 - 1]
    (tmp_path / "a.raw").write_bytes(b"% evt 4.0\n% geometry 64x8\n% end\n" + np.array(words, "<u4").tobytes())
    events, report = read_evt4(tmp_path / "a.raw", policy="strict")
    assert rows(events) == [(69, 7, 3, 1), (70, 32, 4, 0), (70, 63, 4, 0)]
    assert report.skipped_words == 1
    assert open_recording(tmp_path / "a.raw").format == "evt4"


def test_es_bytes_are_those_of_the_specification(tmp_path: Path) -> None:
    # 3 us after zero, then 300 us later: two overflows of 127 us and 46 us. Row 0 is the top, 4 from below.
    events = Events.from_columns(t=[3, 303], x=[2, 258], y=[0, 4], p=[1, 0])
    write_es(tmp_path / "a.es", events, SensorSize(5, 300))
    assert (tmp_path / "a.es").read_bytes() == (
        b"Event Stream\x02\x00\x00\x01\x2c\x01\x05\x00"
        b"\x07\x02\x00\x04\x00"
        b"\xff\xff\x5c\x02\x01\x00\x00"
    )  # fmt: skip


def test_es_of_other_tools_is_read_the_same(tmp_path: Path) -> None:
    events = random_events(5000, width=640, height=480, last_us=5_000_000)
    write_es(tmp_path / "a.es", events, VGA)
    assert_equal(events, by_faery(tmp_path / "a.es", VGA))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Event Stream", "header is cut, at byte 12"),
        (b"Event Stream\x02\x00\x00\x01\x01", "header is cut, at byte 17"),
        (b"Event Stream\x01\x00\x00\x01\x01\x00\x01\x00", "version must be 2, got 1, at byte 12"),
        (b"Event Stream\x02\x00\x00\x00", r"got 0 \(generic\), at byte 15"),
        (b"Event Stream\x02\x00\x00\x02\x01\x00\x01\x00", r"got 2 \(ATIS\), at byte 15"),
        (b"Event Stream\x02\x00\x00\x04\x01\x00\x01\x00", r"got 4 \(colour\), at byte 15"),
        (b"Event Stream\x02\x00\x00\x01\x00\x00\x01\x00", "sensor_size must be"),
        (b"Something else", "no Event Stream header"),
    ],
    ids=["magic-alone", "no-size", "version", "generic", "atis", "colour", "no-width", "other"],
)
def test_es_of_a_broken_header_raises_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.es").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_es(tmp_path / "a.es")


def test_es_cut_within_an_event_counts_its_bytes(tmp_path: Path) -> None:
    write_es(tmp_path / "a.es", Events.from_columns(t=[1, 2], x=[1, 2], y=[0, 0], p=[0, 1]), SMALL)
    (tmp_path / "a.es").write_bytes((tmp_path / "a.es").read_bytes()[:-2])
    events, report = read_es(tmp_path / "a.es")
    assert (len(events), report.repairs) == (1, {"trailing_bytes": 3})
    with pytest.raises(FormatError, match="last event is cut, at byte 25"):
        read_es(tmp_path / "a.es", policy="strict")


def test_aer40_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    # 2**23 us is one more than 23 bits hold: a mark of 8192 us goes before it.
    events = Events.from_columns(t=[0x012345, 1 << 23], x=[7, 8], y=[9, 10], p=[1, 0])
    write_aer40(tmp_path / "a.bin", events, SMALL)
    assert (tmp_path / "a.bin").read_bytes() == (
        bytes([7, 9, 0x81, 0x23, 0x45]) + bytes([0, 240, 0, 0, 0]) + bytes([8, 10, 0x7F, 0xE0, 0x00])
    )


@pytest.mark.parametrize("size", [SensorSize(241, 10), SensorSize(10, 257)])
def test_aer40_of_a_larger_sensor_raises(tmp_path: Path, size: SensorSize) -> None:
    with pytest.raises(OptionError, match="at most 256x240"):
        write_aer40(tmp_path / "a.bin", Events.empty(), size)


@pytest.mark.parametrize("write", [write_es, write_aer40])
def test_stamps_beyond_an_hour_of_silence_raise(tmp_path: Path, write: Write) -> None:
    with pytest.raises(OptionError, match="must not pass"):
        write(tmp_path / "a", Events.from_columns(t=[1_600_000_000_000_000], x=[0], y=[0], p=[0]), SMALL)
    assert list(tmp_path.iterdir()) == []


def test_aer40_is_recognised_by_growing_stamps(tmp_path: Path) -> None:
    write_aer40(tmp_path / "a.bin", small_events(500), SMALL)
    assert detect_format(tmp_path / "a.bin") == "aer40"
    with pytest.raises(GeometryError, match="sensor size is not in the header"):
        open_recording(tmp_path / "a.bin")
    for content in (b"\x00" * 1000, np.random.default_rng(0).bytes(1000), b"0.001,5,7,1\n" * 100):
        assert not is_aer40(content)


def aedat2_file(path: Path, header: bytes, records: list[tuple[int, int]]) -> Path:
    path.write_bytes(b"#!AER-DAT2.0\r\n" + header + np.array(records, ">u4").tobytes())
    return path


def test_aedat2_of_a_davis_is_read(tmp_path: Path) -> None:
    # x 5, row 2 from below, ON; a frame sample; an external event; x 345 in the uppermost row, OFF.
    records = [(2 << 22 | 5 << 12 | 1 << 11, 10), (1 << 31, 11), (1 << 10, 12), (259 << 22 | 345 << 12, 13)]
    header = b'# AEChip: eu.seebetter.ini.chips.davis.Davis346blue\r\n#\t<entry key="a"/>\r\n#End Of ASCII Header\r\n'
    path = aedat2_file(tmp_path / "a.aedat", header, records)
    recording = open_recording(path, policy="strict")
    assert (recording.format, recording.sensor_size) == ("aedat2", (260, 346))
    assert rows(recording.slice(0, 100)) == [(10, 5, 257, 1), (13, 345, 0, 0)]
    assert (recording.report.skipped_words, recording.report.trigger_words) == (1, 1)


def test_aedat2_of_a_dvs128_is_read(tmp_path: Path) -> None:
    # The first address byte of a record may be that of '#': what follows is no text.
    header = b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"
    path = aedat2_file(tmp_path / "a.aedat", header, [(0x23 << 24 | 3 << 8 | 7 << 1 | 1, 10), (1 << 15, 11)])
    events, report = read_aedat2(path, policy="strict")
    assert rows(events) == [(10, 7, 124, 1)]
    assert report.trigger_words == 1


def test_aedat2_without_a_camera_asks_for_the_size(tmp_path: Path) -> None:
    path = aedat2_file(tmp_path / "a.aedat", b"# Timestamps tick is 1 us\r\n", [(3 << 8 | 7 << 1 | 1, 10)])
    with pytest.raises(GeometryError, match="camera is not named"):
        read_aedat2(path)
    assert rows(read_aedat2(path, sensor_size=SensorSize(128, 128))[0]) == [(10, 7, 124, 1)]
    assert rows(read_aedat2(path, sensor_size=SensorSize(180, 240))[0]) == [(10, 0, 179, 0)]
    (tmp_path / "b.aedat").write_bytes(b"#!AER-DAT3.1\r\n")
    with pytest.raises(FormatError, match=r"no AEDAT 2\.0 header"):
        read_aedat2(tmp_path / "b.aedat")


def test_dat_version_1_is_read_in_its_own_layout(tmp_path: Path) -> None:
    header = b"% Data file containing TD events\n% Version 1\n% Height 240\n% Width 304\n\x00\x08"
    (tmp_path / "a.dat").write_bytes(header + np.array([(9, 1 << 17 | 239 << 9 | 303), (10, 5)], "<u4").tobytes())
    events, report = read_dat(tmp_path / "a.dat", policy="strict")
    assert rows(events) == [(9, 303, 239, 1), (10, 5, 0, 0)]
    assert report.num_events == 2
    recording = open_recording(tmp_path / "a.dat")
    assert (recording.format, recording.num_events) == ("dat", 2)
    assert rows(recording.slice(10, 11)) == [(10, 5, 0, 0)]


def test_dat_with_the_header_of_n_cars_takes_the_given_size(tmp_path: Path) -> None:
    header = b"% Data file containing Event2D events.\n% Version 2\n% Date 2017-4-6 14:8:42\n\x00\x08"
    (tmp_path / "a.dat").write_bytes(header + np.array([(9, 1 << 28 | 99 << 14 | 119)], "<u4").tobytes())
    with pytest.raises(GeometryError, match="sensor size is not in the header"):
        read_dat(tmp_path / "a.dat")
    assert rows(read_dat(tmp_path / "a.dat", sensor_size=GEN1, policy="strict")[0]) == [(9, 119, 99, 1)]


@pytest.mark.parametrize(
    ("name", "size", "num_events", "duration_us", "num_on"),
    # Counts from the README beside the files; ON fractions 0.571 and 0.496 there.
    [
        ("fan_es_320x240.es", None, 473_225, 999_000, 270_001),
        ("nmnist_sample.bin", SensorSize(34, 34), 4_325, 310_521, 2_145),
    ],
)
def test_real_recording_holds_what_its_source_says(
    real_data: Path, name: str, size: SensorSize | None, num_events: int, duration_us: int, num_on: int
) -> None:
    recording = open_recording(real_data / name, sensor_size=size, policy="strict")
    assert (recording.num_events, recording.duration_us) == (num_events, duration_us)
    assert int(recording.slice(0, 1 << 40).p.sum()) == num_on


def test_real_es_is_read_the_same_by_faery(real_data: Path) -> None:
    recording = open_recording(real_data / "fan_es_320x240.es")
    assert_equal(Events.concatenate(recording.chunks(10_000)), by_faery(recording.path, recording.sensor_size))
