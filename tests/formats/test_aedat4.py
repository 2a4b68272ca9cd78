import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import FormatError, GeometryError, InputError, MissingExtraError
from eventdet.events import Events
from eventdet.formats import AEDAT4, Decoder, open_recording, read_aedat4, write_aedat4
from eventdet.formats._aedat4_layout import events_of, pack_events, pack_header, pack_table
from eventdet.formats._flatbuffers import BrokenBufferError, Table, sized_prefix
from eventdet.formats._frames import BrokenFrameError, lz4_compress, unpack_lz4, unpack_zstd
from eventdet.formats.aedat4 import read_aedat4_header
from eventdet.geometry import GEN1, SensorSize

from .reference import Decoded, random_events, rows
from .reference_binary import admit
from .test_oracles import assert_equal, by_faery

MAGIC = b"#!AER-DAT4.0\r\n"
UNIX_US = 1_605_537_493_718_345
EVENTS = random_events(20_000)


def packet(content: bytes, *, stream: int = 0) -> bytes:
    return struct.pack("<ii", stream, len(content)) + content


def plain_file(path: Path, *packets: bytes, info: Callable[[bytes], bytes] = bytes) -> Path:
    """Write a file without compression and without a table, its description changed by `info`."""
    header = bytes(pack_header(GEN1, compression=0, synthetic=False))
    length = struct.unpack_from("<I", header, 44)[0]
    text = info(header[48 : 48 + length])
    body = header[8:44] + struct.pack("<I", len(text)) + text + b"\x00"
    path.write_bytes(MAGIC + struct.pack("<II", 4 + len(body), 20) + body + b"".join(packets))
    return path


@pytest.mark.parametrize(
    "events",
    [EVENTS, EVENTS[:1], Events.empty(), Events(EVENTS.t + UNIX_US, EVENTS.x, EVENTS.y, EVENTS.p)],
    ids=["random", "one", "empty", "unix"],
)
def test_aedat4_round_trip_keeps_every_event(tmp_path: Path, events: Events) -> None:
    write_aedat4(tmp_path / "a.aedat4", [events[:9000], events[9000:]], GEN1)
    back, report = read_aedat4(tmp_path / "a.aedat4", policy="strict")
    assert rows(back) == rows(events)
    assert report.repairs == {}
    recording = open_recording(tmp_path / "a.aedat4")
    assert (recording.format, recording.sensor_size, recording.synthetic) == ("aedat4", GEN1, False)
    assert recording.num_events == len(events)


def test_aedat4_of_ours_is_read_the_same_by_faery(tmp_path: Path) -> None:
    events = Events(EVENTS.t + UNIX_US, EVENTS.x, EVENTS.y, EVENTS.p)
    write_aedat4(tmp_path / "a.aedat4", events, GEN1)
    assert_equal(events, by_faery(tmp_path / "a.aedat4", GEN1))


@pytest.mark.parametrize("compression", [None, ("lz4", 1), ("zstd", 3)], ids=["none", "lz4", "zstd"])
def test_aedat4_of_faery_is_read(tmp_path: Path, compression: tuple[str, int] | None) -> None:
    faery = pytest.importorskip("faery")
    array = np.empty(len(EVENTS), faery.EVENTS_DTYPE)
    for name, column in zip(array.dtype.names, EVENTS, strict=True):
        array[name] = column
    stream = faery.events_stream_from_array(array, (GEN1.width, GEN1.height))
    stream.to_file(tmp_path / "a.aedat4", compression=compression)
    assert rows(read_aedat4(tmp_path / "a.aedat4", policy="strict")[0]) == rows(EVENTS)


def test_real_aedat4_holds_what_its_source_says(real_data: Path) -> None:
    recording = open_recording(real_data / "person_aedat4_320x240.aedat4", policy="strict")
    assert (recording.sensor_size, recording.num_events) == (SensorSize(240, 320), 111_954)
    assert (recording.duration_us, recording.t_first_us) == (589_917, UNIX_US)
    assert_equal(Events.concatenate(recording.chunks(5000)), by_faery(recording.path, recording.sensor_size))


def test_aedat4_synthetic_mark_is_kept(tmp_path: Path) -> None:
    write_aedat4(tmp_path / "a.aedat4", EVENTS[:5], GEN1, synthetic=True)
    assert open_recording(tmp_path / "a.aedat4").synthetic


def test_aedat4_other_streams_are_passed_over(tmp_path: Path) -> None:
    path = plain_file(
        tmp_path / "a.aedat4", packet(b"anything", stream=2), packet(pack_events(EVENTS[:3])), packet(b"", stream=1)
    )
    assert rows(read_aedat4(path, policy="strict")[0]) == rows(EVENTS[:3])


def test_aedat4_without_its_table_is_read_to_the_end(tmp_path: Path) -> None:
    write_aedat4(tmp_path / "a.aedat4", EVENTS, GEN1)
    content = bytearray((tmp_path / "a.aedat4").read_bytes())
    end = read_aedat4_header(tmp_path / "a.aedat4").data_end
    content[len(MAGIC) + 32 : len(MAGIC) + 40] = struct.pack("<q", -1)
    (tmp_path / "b.aedat4").write_bytes(content[:end])
    assert rows(read_aedat4(tmp_path / "b.aedat4", policy="strict")[0]) == rows(EVENTS)


@pytest.mark.parametrize("place", ["first packet", "within a packet"])
def test_aedat4_with_a_wrong_place_of_its_table_is_read_to_the_end(tmp_path: Path, place: str) -> None:
    path = tmp_path / "a.aedat4"
    write_aedat4(path, EVENTS, GEN1)
    header = read_aedat4_header(path)
    # The place of the table stands 32 bytes behind the magic.
    at = len(MAGIC) + 32
    content = bytearray(path.read_bytes())
    assert content[at : at + 8] == struct.pack("<q", header.data_end)
    wrong = header.data_offset + (0 if place == "first packet" else 1000)
    content[at : at + 8] = struct.pack("<q", wrong)
    path.write_bytes(content)
    events, report = read_aedat4(path)
    assert rows(events) == rows(EVENTS)
    # The table itself is no packet.
    assert report.repairs == {"trailing_bytes": len(content) - header.data_end}
    with pytest.raises(FormatError, match="last packet is cut"):
        read_aedat4(path, policy="strict")


def test_aedat4_cut_within_a_packet_counts_its_bytes(tmp_path: Path) -> None:
    whole, part = packet(pack_events(EVENTS[:5])), packet(pack_events(EVENTS[5:9]))
    path = plain_file(tmp_path / "a.aedat4", whole, part[:-10])
    events, report = read_aedat4(path)
    assert rows(events) == rows(EVENTS[:5])
    assert report.repairs == {"trailing_bytes": len(part) - 10}
    with pytest.raises(FormatError, match=rf"last packet is cut, at byte {path.stat().st_size - len(part) + 10}"):
        read_aedat4(path, policy="strict")


def test_aedat4_broken_packet_is_dropped_and_counted(tmp_path: Path) -> None:
    whole = pack_events(EVENTS[:5])
    lying = bytearray(whole)
    lying[28:32] = struct.pack("<I", 2**32 - 1)
    path = plain_file(tmp_path / "a.aedat4", packet(b"no buffer at all"), packet(bytes(lying)), packet(whole))
    events, report = read_aedat4(path)
    assert rows(events) == rows(EVENTS[:5])
    assert report.repairs == {"packets_dropped": 2}
    with pytest.raises(FormatError, match="packet cannot be unpacked"):
        read_aedat4(path, policy="strict")


def test_aedat4_dirty_events_are_repaired_and_counted(tmp_path: Path) -> None:
    listed = [(50, 3, 4, 1), (40, 5, 6, 0), (60, -1, 0, 0), (60, 304, 0, 0), (70, 303, 239, 7)]
    content = bytearray(pack_events(EVENTS[: len(listed)]))
    for i, event in enumerate(listed):
        struct.pack_into("<qhhB", content, 32 + 16 * i, *event)
    path = plain_file(tmp_path / "a.aedat4", packet(bytes(content)))
    events, report = read_aedat4(path)
    assert rows(events) == [(50, 3, 4, 1), (50, 5, 6, 0), (70, 303, 239, 1)]
    assert report.repairs == {"backward_clamped": 1, "out_of_range_dropped": 2, "polarity_repaired": 1}
    with pytest.raises(FormatError, match="in its unpacked events: stamp steps back"):
        read_aedat4(path, policy="strict")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"EVTS", b"FRME", "no stream of events"),
        (b"</dv>", b"</du>", "broken description of streams"),
        (b">304<", b">0<", "sensor_size must be"),
        (b">304<", b">wide<", "sensor size must look like"),
    ],
    ids=["no-events", "xml", "zero", "text"],
)
def test_aedat4_of_a_broken_description_raises_one_line(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    path = plain_file(tmp_path / "a.aedat4", info=lambda text: text.replace(old, new))
    with pytest.raises(FormatError, match=message) as caught:
        read_aedat4(path)
    assert "\n" not in str(caught.value)


def test_aedat4_without_a_size_takes_the_given_one(tmp_path: Path) -> None:
    path = plain_file(tmp_path / "a.aedat4", info=lambda text: text.replace(b"sizeX", b"sides"))
    with pytest.raises(GeometryError, match="sensor size is not in the header"):
        read_aedat4(path)
    assert open_recording(path, sensor_size=GEN1).sensor_size == GEN1


def test_aedat4_of_an_unknown_compression_raises(tmp_path: Path) -> None:
    header = bytes(pack_header(GEN1, compression=9, synthetic=False))
    (tmp_path / "a.aedat4").write_bytes(MAGIC + header)
    with pytest.raises(FormatError, match="compression must be 0 to 4, got 9, at byte 14"):
        read_aedat4(tmp_path / "a.aedat4")


@pytest.mark.parametrize("size", range(0, 1100, 23))
def test_aedat4_cut_anywhere_reads_or_raises_an_input_error(tmp_path: Path, size: int) -> None:
    write_aedat4(tmp_path / "a.aedat4", EVENTS[:20], GEN1)
    content = (tmp_path / "a.aedat4").read_bytes()
    (tmp_path / "a.aedat4").write_bytes(content[:size])
    outcome = ""
    try:
        assert len(read_aedat4(tmp_path / "a.aedat4", sensor_size=GEN1)[0]) <= 20
    except InputError as error:
        outcome = str(error)
    assert "\n" not in outcome


@given(data=st.data())
def test_aedat4_with_bytes_changed_reads_or_raises_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("mutated") / "a.aedat4"
    write_aedat4(path, EVENTS[:20], GEN1)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    outcome = ""
    try:
        read_aedat4(path, sensor_size=GEN1)
    except InputError as error:
        outcome = str(error)
    assert "\n" not in outcome


@given(
    st.lists(
        st.tuples(st.integers(-5, 60), st.integers(-2, 42), st.integers(-2, 22), st.integers(0, 255)), max_size=30
    ),
    st.integers(1, 40),
)
def test_aedat4_kernel_agrees_with_its_definition(listed: list[tuple[int, int, int, int]], cut: int) -> None:
    expected, clock = Decoded(), 0
    for t, x, y, p in listed:
        before = len(expected.rows)
        clock = admit(expected, clock, (t, x, y, min(p, 1)), 40, 20)
        expected.counts["polarity_repaired"] += len(expected.rows) > before and p > 1
    data = b"".join(struct.pack("<qhhB3x", *event) for event in listed)
    decoder = Decoder(AEDAT4, SensorSize(20, 40))
    got = rows(decoder.feed(data[:cut])) + rows(decoder.feed(data[cut:]))
    assert got == expected.rows
    assert decoder.report.repairs == {name: count for name, count in expected.counts.items() if count}


def test_packet_of_events_is_what_the_description_says() -> None:
    # Positions: size 0, root 4, identifier 8, layout 12, table 20, offset of the vector 24, its length 28, events 32.
    events = Events.from_columns(t=[1 << 40], x=[3], y=[4], p=[1])
    content = pack_events(events)
    assert struct.unpack_from("<II4s3H2xiII", content) == (44, 16, b"EVTS", 6, 8, 4, 8, 4, 1)
    assert content[32:] == struct.pack("<qhhB3x", 1 << 40, 3, 4, 1)
    assert events_of(content).tolist() == [1 << 40, 3 | 4 << 16 | 1 << 32]


def test_table_of_no_packets_is_valid() -> None:
    assert Table.root(pack_table([]), b"FTAB").vector(0, item_bytes=4) == (48, 0)


@pytest.mark.parametrize("content", [b"", b"\x10\x00\x00\x00", b"\xff\xff\xff\xff" * 8])
def test_buffer_that_is_none_raises(content: bytes) -> None:
    with pytest.raises(BrokenBufferError):
        Table.root(sized_prefix(content), b"EVTS").vector(0, item_bytes=16)


@pytest.mark.parametrize("unpack", [unpack_lz4, unpack_zstd])
@pytest.mark.parametrize("content", [b"", b"no frame", lz4_compress(bytes(5000))[:-9]], ids=["none", "other", "cut"])
def test_frame_that_is_none_or_cut_raises(unpack: Callable[[bytes], bytes], content: bytes) -> None:
    if content or unpack is unpack_lz4:
        with pytest.raises(BrokenFrameError):
            unpack(content)


def test_frame_that_unpacks_to_too_much_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventdet.formats._frames.LARGEST_FRAME", 1 << 20)
    with pytest.raises(BrokenFrameError, match="frame holds more than"):
        unpack_lz4(lz4_compress(bytes(1 << 23)))


def test_packed_aedat4_without_the_extra_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_aedat4(tmp_path / "a.aedat4", EVENTS[:5], GEN1)
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    with pytest.raises(MissingExtraError, match="needs the extra 'aedat'"):
        read_aedat4(tmp_path / "a.aedat4")
