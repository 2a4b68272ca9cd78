import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import FormatError, OptionError
from eventdet.geometry import GEN1, SensorSize
from eventdet.wire import LinkReport, WireFrame, WireHeader, WireParser, encode_frame, encode_header

HEADER = WireHeader(GEN1, stream_id=7, synthetic=True)

frames = st.lists(
    st.builds(
        WireFrame,
        seq=st.integers(0, 2**64 - 1),
        t_us=st.integers(0, 2**60 - 1),
        payload=st.integers(0, 20).flatmap(lambda count: st.binary(min_size=8 * count, max_size=8 * count)),
        is_last=st.booleans(),
    ),
    max_size=8,
)


def parse(*pieces: bytes) -> tuple[list[WireHeader | WireFrame], LinkReport]:
    report = LinkReport()
    parser = WireParser(report)
    items = [item for piece in pieces for item in parser.feed(piece)]
    parser.cut()
    return items, report


def test_header_layout_is_the_documented_one() -> None:
    head = b"\x89EVS" + struct.pack("<HBBHHQ", 1, 1, 1, 304, 240, 7)
    assert encode_header(HEADER) == head + struct.pack("<I", crc32(head))


def test_frame_layout_is_the_documented_one() -> None:
    payload = bytes(range(16))
    head = b"\x89EVF" + struct.pack("<B3xIQqI", 1, 2, 5, 50_000, crc32(payload))
    assert encode_frame(WireFrame(5, 50_000, payload, is_last=True)) == head + struct.pack("<I", crc32(head)) + payload


@given(frames, st.integers(1, 60))
def test_pieces_of_any_size_give_what_was_sent(sent: list[WireFrame], size: int) -> None:
    data = encode_header(HEADER) + b"".join(map(encode_frame, sent))
    items, report = parse(*(data[at : at + size] for at in range(0, len(data), size)))
    assert items == [HEADER, *sent]
    assert report == LinkReport(frames=len(sent))


@given(frames, st.binary(max_size=80), st.integers(0, 8), st.integers(1, 60))
def test_garbage_between_frames_costs_no_frame_and_is_counted(
    sent: list[WireFrame], garbage: bytes, where: int, size: int
) -> None:
    # A whole magic in the garbage would make it a frame that waits for its end.
    garbage = garbage.replace(b"\x89EV", b"")
    encoded = [encode_header(HEADER), *map(encode_frame, sent)]
    # Behind the last frame, the first bytes of a magic would have to wait for the others.
    encoded.insert(min(where, len(encoded) - 1), garbage)
    data = b"".join(encoded)
    items, report = parse(*(data[at : at + size] for at in range(0, len(data), size)))
    assert items == [HEADER, *sent]
    assert report == LinkReport(frames=len(sent), garbage_bytes=len(garbage))


@given(st.binary(max_size=400), st.integers(1, 50))
def test_random_bytes_are_no_frames_and_all_are_counted(data: bytes, size: int) -> None:
    items, report = parse(*(data[at : at + size] for at in range(0, len(data), size)))
    assert items == []
    assert report.garbage_bytes == len(data)


@given(st.integers(0, 3 * (36 + 24) - 1), st.integers(1, 255))
def test_a_flipped_byte_costs_its_frame_alone(at: int, flip: int) -> None:
    sent = [WireFrame(seq, 100 * seq, bytes(range(24))) for seq in range(3)]
    data = bytearray(b"".join(map(encode_frame, sent)))
    data[at] ^= flip
    items, report = parse(bytes(data))
    assert items == [frame for frame in sent if frame.seq != at // 60]
    assert report.garbage_bytes == 60


def test_a_frame_cut_by_the_end_of_the_connection_is_counted() -> None:
    data = encode_frame(WireFrame(0, 0, bytes(8)))
    items, report = parse(data, data[:40])
    assert len(items) == 1
    assert report == LinkReport(frames=1, cut_frames=1, garbage_bytes=40)


@pytest.mark.parametrize(
    ("count", "t_us"), [(65_537, 0), (2**32 - 1, 0), (0, -1), (0, 2**60)], ids=["events", "most", "before", "after"]
)
def test_a_frame_that_claims_too_much_is_refused_before_it_is_held(count: int, t_us: int) -> None:
    head = b"\x89EVF" + struct.pack("<B3xIQqI", 0, count, 0, t_us, 0)
    following = WireFrame(1, 10)
    items, report = parse(head + struct.pack("<I", crc32(head)) + encode_frame(following))
    assert items == [following]
    assert report == LinkReport(frames=1, refused_frames=1, garbage_bytes=36)


def _header(version: int = 1, encoding: int = 1, width: int = 304) -> bytes:
    head = b"\x89EVS" + struct.pack("<HBBHHQ", version, encoding, 0, width, 240, 7)
    return head + struct.pack("<I", crc32(head))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_header(version=2), "got 2 and 1"),
        (_header(encoding=9), "got 1 and 9"),
        (_header(width=0), r"got \(240, 0\)"),
    ],
    ids=["version", "encoding", "width"],
)
def test_a_sound_header_of_another_kind_is_an_error(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse(data)


@pytest.mark.parametrize(
    "frame",
    [WireFrame(0, 0, bytes(7)), WireFrame(0, 0, bytes(8 * 65_537)), WireFrame(0, -1), WireFrame(0, 2**60)],
    ids=["half a record", "too many", "before zero", "too late"],
)
def test_a_frame_outside_its_rule_is_not_encoded(frame: WireFrame) -> None:
    with pytest.raises(OptionError):
        encode_frame(frame)


def test_a_header_of_an_impossible_size_is_not_encoded() -> None:
    with pytest.raises(OptionError, match="sensor_size"):
        encode_header(WireHeader(SensorSize(0, 5), 1))
