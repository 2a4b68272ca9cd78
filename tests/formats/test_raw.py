from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import FormatError, GeometryError, OptionError
from eventdet.events import Events
from eventdet.formats import EVT2, EVT3, Decoder, read_evt2, read_evt3, write_evt2, write_evt3
from eventdet.formats._evt2_kernels import encode_evt2
from eventdet.formats._evt3_kernels import encode_evt3
from eventdet.formats._raw_header import raw_encoding, read_raw_header
from eventdet.formats.evt2 import is_evt2
from eventdet.formats.evt3 import is_evt3
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport

from .reference import random_events, rows

Write: TypeAlias = Callable[..., None]
Read: TypeAlias = Callable[..., tuple[Events, ReadReport]]

VGA = SensorSize(480, 640)
both_formats = pytest.mark.parametrize(
    ("write", "read"), [(write_evt2, read_evt2), (write_evt3, read_evt3)], ids=["evt2", "evt3"]
)


def bursts(num_events: int, *, seed: int = 0) -> Events:
    """Synthetic events that share stamp, row and polarity in runs of eight, as a sensor's arbiter sends them."""
    generator = np.random.default_rng(seed)
    run = np.repeat(np.arange(num_events // 8), 8)
    return Events.from_columns(
        t=run * 3,
        x=generator.integers(0, 600, num_events // 8)[run] + np.tile(np.arange(8), num_events // 8) * 4,
        y=generator.integers(0, 480, num_events // 8)[run],
        p=generator.integers(0, 2, num_events // 8)[run],
    )


@both_formats
@pytest.mark.parametrize(
    "events",
    [
        random_events(5000),
        bursts(4000),
        random_events(3000, last_us=0),
        random_events(500, last_us=10**9),
        Events.empty(),
    ],
    ids=["random", "bursts", "one-stamp", "sparse", "empty"],
)
def test_raw_round_trip_keeps_every_event(tmp_path: Path, write: Write, read: Read, events: Events) -> None:
    write(tmp_path / "a.raw", events, VGA)
    back, report = read(tmp_path / "a.raw", policy="strict")
    assert rows(back) == rows(events)
    assert report.repairs == {}


@both_formats
def test_raw_round_trip_across_overflows_and_silences_keeps_time(tmp_path: Path, write: Write, read: Read) -> None:
    # EVT3 overflows every 16.8 s, EVT2 every 4.77 h: hours of silence, and a first event beyond both.
    t = np.array([20_000_000_000, 20_000_000_001, 20_017_000_000, 20_060_000_000, 60_000_000_000, 90_000_000_000])
    zeros = np.zeros(len(t), int)
    write(tmp_path / "a.raw", Events.from_columns(t=t, x=zeros, y=zeros, p=zeros), VGA)
    back, _ = read(tmp_path / "a.raw", policy="strict")
    np.testing.assert_array_equal(back.t, t)


@both_formats
def test_raw_write_of_batches_reads_back_as_the_whole(tmp_path: Path, write: Write, read: Read) -> None:
    events = bursts(800)
    write(tmp_path / "a.raw", [events[:3], events[3:411], events[411:]], VGA)
    assert rows(read(tmp_path / "a.raw")[0]) == rows(events)


@both_formats
def test_raw_write_beyond_eleven_bits_or_half_a_year_raises(tmp_path: Path, write: Write, read: Read) -> None:
    with pytest.raises(OptionError, match="at most 2048 on both sides"):
        write(tmp_path / "a.raw", Events.empty(), SensorSize(480, 2049))
    with pytest.raises(OptionError, match="must not pass"):
        write(tmp_path / "a.raw", Events.from_columns(t=[1_600_000_000_000_000], x=[0], y=[0], p=[0]), VGA)
    assert list(tmp_path.iterdir()) == []


def test_encode_evt2_of_two_events_gives_the_words_of_the_specification() -> None:
    # t = 64 + 5 and 64 + 6: one TIME_HIGH of 1, then ON at (3, 2) and OFF at (4, 2).
    words = np.zeros(8, np.uint32)
    events = Events.from_columns(t=[69, 70], x=[3, 4], y=[2, 2], p=[1, 0])
    count = encode_evt2(events.t, events.x, events.y, events.p, np.full(2, -1, np.int64), words)
    assert words[:count].tolist() == [
        0x8 << 28 | 1,
        0x1 << 28 | 5 << 22 | 3 << 11 | 2,
        0x0 << 28 | 6 << 22 | 4 << 11 | 2,
    ]


def test_encode_evt3_writes_five_neighbours_as_one_vector() -> None:
    # t = 4096 + 7, row 9, ON, columns 32 + (0, 1, 13, 24, 31): base, 12 + 12 + 8 bits; then one event alone at 70.
    words = np.zeros(40, np.uint16)
    x = [32, 33, 45, 56, 63, 70]
    events = Events.from_columns(t=[4103] * 6, x=x, y=[9] * 6, p=[1] * 6)
    count = encode_evt3(events.t, events.x, events.y, events.p, np.full(2, -1, np.int64), words)
    assert words[:count].tolist() == [
        0x8001, 0x6007, 0x0009, 0x3800 | 32, 0x4003, 0x4002, 0x5081, 0x2800 | 70,
    ]  # fmt: skip


event_lists = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 70), st.integers(0, 1), st.integers(0, 1)), max_size=60
).map(sorted)


@given(event_lists)
def test_encoders_and_decoders_are_inverse(listed: list[tuple[int, int, int, int]]) -> None:
    # Sorted by (t, x): long ascending runs with breaks in y and p.
    t, x, y, p = zip(*listed, strict=True) if listed else ((), (), (), ())
    columns = (np.array(t, np.int64), np.array(x, np.uint16), np.array(y, np.uint16), np.array(p, np.uint8))
    events = Events(*columns)
    for encoding, encode in ((EVT2, encode_evt2), (EVT3, encode_evt3)):
        words = np.zeros(4 * len(events) + 1, encoding.record_dtype)
        count = encode(events.t, events.x, events.y, events.p, np.full(2, -1, np.int64), words)
        decoder = Decoder(encoding, VGA, policy="strict")
        assert rows(decoder.feed(words[:count].tobytes())) == rows(events)


@pytest.mark.parametrize(
    ("lines", "encoding"),
    [
        ("evt 3.0", "evt3"),
        ("evt 2.0", "evt2"),
        ("evt 2.1", "evt21"),
        ("format EVT3;height=720;width=1280", "evt3"),
        ("format EVT2", "evt2"),
        ("format EVT21;endianness=legacy", "evt21"),
        ("format EVT3\n% evt 2.0", "evt3"),
        ("date 2020-01-01", ""),
    ],
)
def test_raw_encoding_is_read_from_either_key(lines: str, encoding: str) -> None:
    head = f"% {lines}\n% end\n".encode()
    assert raw_encoding(head) == encoding
    assert is_evt2(head) == (encoding == "evt2")
    assert is_evt3(head) == (encoding == "evt3")


@pytest.mark.parametrize(
    ("lines", "size"),
    [
        ("% geometry 640x480\n", (480, 640)),
        ("% format EVT3;height=720;width=1280\n", (720, 1280)),
        ("% geometry 1x1\n% format EVT3;height=720;width=1280\n", (720, 1280)),
        ("% plugin_name hal_plugin_gen41_evk3\n", None),
    ],
    ids=["geometry", "format", "both", "camera"],
)
def test_raw_header_gives_the_size_of_its_lines(tmp_path: Path, lines: str, size: tuple[int, int] | None) -> None:
    (tmp_path / "a.raw").write_bytes(f"% evt 3.0\n{lines}% end\n".encode())
    assert read_raw_header(tmp_path / "a.raw").sensor_size == size


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("plugin_name hal_plugin_gen3_fx3", (480, 640)),
        ("plugin_name hal_plugin_gen31_evk2", (480, 640)),
        ("plugin_name hal_plugin_gen41_evk3", (720, 1280)),
        ("plugin_name hal_plugin_imx636_evk4", (720, 1280)),
        ("plugin_name hal_plugin_genx320", (320, 320)),
        ("sensor_name Gen4.1", (720, 1280)),
        ("sensor_name IMX636", (720, 1280)),
        ("system_ID 21", (480, 640)),
        ("system_ID 48", (720, 1280)),
        ("system_ID 9999", (7, 8)),
    ],
)
def test_raw_size_falls_to_the_camera_then_to_the_given_one(tmp_path: Path, line: str, size: tuple[int, int]) -> None:
    x, y = size[1] - 1, size[0] - 1
    (tmp_path / "a.raw").write_bytes(
        f"% evt 2.0\n% {line}\n% end\n".encode() + np.array([8 << 28, x << 11 | y], "<u4").tobytes()
    )
    events, _ = read_evt2(tmp_path / "a.raw", sensor_size=SensorSize(7, 8), policy="strict")
    assert rows(events) == [(0, x, y, 0)]


def test_raw_without_any_size_raises(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"% evt 2.0\n% end\n")
    with pytest.raises(GeometryError, match="sensor size is not in the header"):
        read_evt2(tmp_path / "a.raw")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("% evt 3.0\n% geometry wide\n", "sensor size must look like 304x240, got 'wide', in its header"),
        ("% evt 3.0\n% geometry 0x5\n", "sensor_size must be"),
        ("% format EVT3;height=5;width=5;endianness=big\n", "words must be little-endian, got 'big'"),
        ("% evt 2.0\n", "header must name evt3, got 'evt2', at byte 0"),
        ("no header", "header must name evt3, got 'no encoding', at byte 0"),
    ],
    ids=["geometry-text", "geometry-zero", "endianness", "other-encoding", "no-header"],
)
def test_raw_of_a_broken_header_raises_one_line(tmp_path: Path, header: str, message: str) -> None:
    (tmp_path / "a.raw").write_bytes(header.encode())
    with pytest.raises(FormatError, match=message) as caught:
        read_evt3(tmp_path / "a.raw", sensor_size=VGA)
    assert "\n" not in str(caught.value)


def test_raw_header_stops_at_end_or_before_the_first_byte_of_data(tmp_path: Path) -> None:
    # 0x2025 as the first word spells "% ": after "% end", or followed by bytes that are no text, it is data.
    data = np.array([0x2025, 0x8000], "<u2").tobytes()
    for header in (b"% evt 3.0\n% end\n", b"% evt 3.0\n"):
        (tmp_path / "a.raw").write_bytes(header + data)
        assert read_raw_header(tmp_path / "a.raw").data_offset == len(header)


def test_raw_cut_within_a_word_counts_the_bytes(tmp_path: Path) -> None:
    write_evt2(tmp_path / "a.raw", random_events(10), VGA)
    with (tmp_path / "a.raw").open("ab") as file:
        file.write(b"\x00\x00\x00")
    events, report = read_evt2(tmp_path / "a.raw")
    assert len(events) == 10
    assert report.repairs == {"trailing_bytes": 3}
    with pytest.raises(FormatError, match="3 bytes after the last whole record"):
        read_evt2(tmp_path / "a.raw", policy="strict")
