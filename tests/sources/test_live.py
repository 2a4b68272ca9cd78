import os
import struct
import sys
import threading
from itertools import islice
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from eventdet.errors import FormatError, InputError, MissingExtraError, OptionError
from eventdet.events import Events
from eventdet.formats import pack_dat, read_evt3, write_evt3
from eventdet.sources import LiveSource, live, open_source
from eventdet.sources._links import DatagramLink
from eventdet.wire import PACKET_FORMATS, LinkReport, WireFrame, WireHeader, encode_frame, encode_header, parse_address

from .network import (
    HEADER,
    SIZE,
    WAIT_S,
    assert_same_windows,
    cut,
    end,
    frame,
    random_events,
    send_datagrams,
    tcp_sender,
)


def open_live(target: str, **options: object) -> LiveSource:
    source = open_source(target, **options)  # type: ignore[arg-type] # by name
    assert isinstance(source, LiveSource)
    return source


def test_a_stream_says_its_size_and_that_it_is_synthetic_and_has_no_known_extent() -> None:
    with tcp_sender(HEADER + end(0)) as address, open_live(address) as source:
        assert source.sensor_size == SIZE
        assert (source.name, source.format, source.synthetic) == (address, "dat", True)
        assert (source.t_first_us, source.t_last_us) == (None, None)
        assert list(source.windows(1000)) == []


def test_a_window_comes_as_soon_as_a_heartbeat_says_it_is_complete() -> None:
    events = random_events(duration_us=10_000)
    # Nothing follows the heartbeat: the window may not wait for more.
    data = HEADER + frame(0, events) + encode_frame(WireFrame(1, 30_000))
    with tcp_sender(data, HEADER) as address, open_live(address) as source:
        windows = source.windows(10_000)
        assert_same_windows(islice(windows, 1), cut(events, 10_000))
        assert [len(window.events) for window in islice(windows, 2)] == [0, 0]


def test_chunks_are_the_events_as_they_came_up_to_a_duration() -> None:
    events = random_events(num_events=900, duration_us=90_000)
    data = HEADER + frame(0, events[:300]) + frame(1, events[300:]) + end(2)
    with tcp_sender(data) as address, open_live(address) as source:
        batches = list(source.chunks())
    assert all(len(batch) for batch in batches)
    np.testing.assert_array_equal(Events.concatenate(batches).t, events.t)
    # Half-open, from the first event on.
    later = Events.from_columns(t=[40, 60, 139, 140, 141], x=[1] * 5, y=[2] * 5, p=[0] * 5)
    with tcp_sender(HEADER + frame(0, later) + end(1)) as address, open_live(address) as source:
        assert [batch.t.tolist() for batch in source.chunks(100)] == [[40, 60, 139]]


def test_chunks_of_a_duration_end_by_a_heartbeat_in_silence() -> None:
    events = Events.from_columns(t=[5], x=[1], y=[2], p=[1])
    data = HEADER + frame(0, events) + encode_frame(WireFrame(1, 1005))
    # The sender says no more, and no end.
    with tcp_sender(data, HEADER) as address, open_live(address) as source:
        assert [len(batch) for batch in source.chunks(1000)] == [1]
        assert source.link_report.ended == ""


def test_a_sender_killed_in_a_frame_costs_that_frame_and_the_stream_goes_on() -> None:
    events = random_events(num_events=900)
    parts = [events[:300], events[300:600], events[600:]]
    first = HEADER + frame(0, parts[0]) + frame(1, parts[1])[:1000]
    second = HEADER + frame(2, parts[2]) + end(3)
    with tcp_sender(first, second) as address, open_live(address) as source:
        windows = list(source.windows(10_000))
    kept = Events.concatenate([parts[0], parts[2]])
    assert_same_windows(windows, cut(kept, 10_000))
    assert source.link_report.faults == {"lost_frames": 1, "cut_frames": 1, "garbage_bytes": 1000, "reconnects": 1}
    assert source.link_report.ended == "the stream ended"


def test_garbage_and_claims_between_frames_are_skipped_and_counted() -> None:
    events = random_events(num_events=200)
    claim = bytearray(frame(1, events[:0]))
    struct.pack_into("<I", claim, 8, 2**31)
    data = HEADER + frame(0, events[:100]) + b"garbage" + bytes(claim) + frame(1, events[100:]) + end(2)
    with tcp_sender(data) as address, open_live(address) as source:
        assert_same_windows(source.windows(10_000), cut(events, 10_000))
    # The claim was changed after its checksum was made.
    assert source.link_report.faults == {"bad_frames": 1, "garbage_bytes": 7 + 36}


def test_frames_that_come_again_or_late_are_dropped_and_counted() -> None:
    events = random_events(num_events=300)
    frames = [frame(seq, events[100 * seq : 100 * seq + 100]) for seq in range(3)]
    data = HEADER + frames[0] + frames[2] + frames[1] + frames[2] + end(3)
    with tcp_sender(data) as address, open_live(address) as source:
        windows = list(source.windows(200_000))
    assert [len(window.events) for window in windows] == [200]
    assert source.link_report.faults == {"lost_frames": 1, "repeated_frames": 2}


def test_an_event_before_a_heartbeat_is_late_and_counted() -> None:
    late = Events.from_columns(t=[5], x=[1], y=[1], p=[1])
    data = HEADER + encode_frame(WireFrame(0, 100, pack_dat(*late).tobytes())) + end(1, 100)
    with tcp_sender(data) as address, open_live(address) as source:
        (window,) = source.windows(10)
    assert window.events.t.tolist() == [100]
    assert source.report.repairs == {"backward_clamped": 1}


def test_stamps_are_carried_over_the_wrap_of_32_bits_also_when_joining_after_it() -> None:
    events = random_events(start_us=3 * 2**32 - 50_000)
    middle = int(np.searchsorted(events.t, 3 * 2**32))
    data = HEADER + frame(0, events[:middle]) + frame(1, events[middle:]) + end(2)
    with tcp_sender(data) as address, open_live(address) as source:
        assert_same_windows(source.windows(10_000), cut(events, 10_000))


def test_another_stream_at_the_same_address_ends_this_one() -> None:
    events = random_events(num_events=100)
    other = encode_header(WireHeader(SIZE, stream_id=2))
    with tcp_sender(HEADER + frame(0, events), other + frame(0, events)) as address, open_live(address) as source:
        assert_same_windows(source.windows(10_000), cut(events, 10_000))
    assert source.link_report.ended == "another stream began"


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "28 bytes were none"), (b"", "no stream header")],
    ids=["garbage", "nothing"],
)
def test_what_is_no_stream_is_an_error_after_the_timeout(data: bytes, message: str) -> None:
    with (
        tcp_sender(data) as address,
        open_live(f"{address}?timeout=1") as source,
        pytest.raises(InputError, match=message),
    ):
        _ = source.sensor_size


def test_what_never_ends_and_is_no_stream_is_an_error() -> None:
    with (
        tcp_sender(bytes(1 << 22)) as address,
        open_live(address) as source,
        pytest.raises(InputError, match="something else comes"),
    ):
        _ = source.sensor_size


def test_a_sender_of_another_version_is_an_error() -> None:
    header = bytearray(HEADER)
    header[4] = 2
    header[20:] = struct.pack("<I", crc32(header[:20]))
    with (
        tcp_sender(bytes(header)) as address,
        open_live(address) as source,
        pytest.raises(FormatError, match="version"),
    ):
        _ = source.sensor_size


def test_no_sender_is_an_error_after_the_timeout(tmp_path: Path) -> None:
    with (
        open_live(f"unix://{tmp_path}/nobody?timeout=0.2") as source,
        pytest.raises(InputError, match="no connection: No such file"),
    ):
        _ = source.sensor_size


def test_silence_ends_a_stream_after_the_timeout_and_gives_the_windows_so_far() -> None:
    events = random_events(num_events=100)
    with tcp_sender(HEADER + frame(0, events)) as address, open_live(f"{address}?timeout=1") as source:
        assert_same_windows(source.windows(10_000), cut(events, 10_000))
    assert "for 1 s" in source.link_report.ended


def test_strict_policy_raises_at_the_first_repair() -> None:
    outside = Events.from_columns(t=[5], x=[SIZE.width], y=[1], p=[1])
    with (
        tcp_sender(HEADER + frame(0, outside)) as address,
        open_live(address, policy="strict") as source,
        pytest.raises(FormatError, match="outside"),
    ):
        list(source.windows(10))


def test_a_sender_whose_clock_stands_still_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_MOST_HELD", 250)
    same = Events.from_columns(t=[7] * 100, x=[1] * 100, y=[1] * 100, p=[1] * 100)
    data = HEADER + b"".join(frame(seq, same) for seq in range(4)) + end(4, 7)
    with tcp_sender(data) as address, open_live(address) as source:
        assert [len(window.events) for window in source.windows(10)] == [200]
    assert source.link_report.faults == {"overflow_events": 200}


def test_closing_early_lets_go_of_the_thread() -> None:
    before = threading.active_count()
    with tcp_sender(HEADER + frame(0, random_events()), HEADER) as address:
        windows = open_live(address).windows(1000)
        next(windows)
        windows.close()  # type: ignore[attr-defined] # the iterator is a generator
    assert threading.active_count() == before


def test_datagrams_of_our_framing_are_counted_when_lost() -> None:
    events = random_events(num_events=1000)
    datagrams = [HEADER + frame(seq, events[100 * seq : 100 * seq + 100]) for seq in range(10)]
    kept = datagrams[:3] + datagrams[5:]
    with open_live("udp://127.0.0.1:0") as source:
        send_datagrams(source.name, [*kept, HEADER + end(10), HEADER + end(11)])
        windows = list(source.windows(10_000))
    assert_same_windows(windows, cut(Events.concatenate([events[:300], events[500:]]), 10_000))
    assert source.link_report.faults == {"lost_frames": 2}


@pytest.mark.parametrize("name", PACKET_FORMATS)
def test_datagrams_of_other_tools_give_their_events(name: str) -> None:
    events = random_events(num_events=2000)
    packets = PACKET_FORMATS[name]
    step = packets.max_events
    datagrams = [packets.encode(events[start : start + step]) for start in range(0, len(events), step)]
    with open_live(f"udp://127.0.0.1:0?format={name}&size=64x48&timeout=1") as source:
        send_datagrams(source.name, [*datagrams, b"odd"])
        assert_same_windows(source.windows(10_000), cut(events, 10_000))
    assert source.link_report.frames == len(datagrams) + 1
    assert source.link_report.faults == {"garbage_bytes": 3}


def test_windows_of_events_without_stamps_come_while_nothing_arrives() -> None:
    with open_live("udp://127.0.0.1:0?format=spif&size=64x48") as source:
        send_datagrams(source.name, [struct.pack("<I", 1 << 31 | 5 << 16 | 6)])
        first, second, third = islice(source.windows(1000), 3)
    assert [len(window.events) for window in (first, second, third)] == [1, 0, 0]
    assert (first.events.x.tolist(), first.events.y.tolist()) == ([5], [6])


def evt3_words(path: Path) -> tuple[bytes, Events]:
    """Return the words of an EVT3 file without its header, and its events."""
    write_evt3(path, random_events(), SIZE)
    data = path.read_bytes()
    at = 0
    while data[at : at + 1] == b"%":
        at = data.index(b"\n", at) + 1
    return data[at:], read_evt3(path)[0]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_datagrams_that_the_system_drops_are_counted() -> None:
    # Nobody reads before all are sent: 36 MB find no place in a buffer of 8 MB.
    num_sent, report = 600, LinkReport()
    link = DatagramLink(parse_address("udp://127.0.0.1:0"), report=report)
    send_datagrams(f"udp://127.0.0.1:{link.port}", [bytes(60_000)] * num_sent)
    num_read = 0
    while messages := link.read():
        num_read += len(messages)
    link.close()
    assert 0 < report.dropped_messages == num_sent - num_read


@pytest.mark.parametrize("piece", [1 << 20, 333])
def test_raw_words_on_the_standard_input_give_the_events_of_the_file(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, events = evt3_words(tmp_path / "a.raw")
    reading, writing = os.pipe()

    def write() -> None:
        for start in range(0, len(words), piece):
            os.write(writing, words[start : start + piece])
        os.close(writing)

    with os.fdopen(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        with open_live("-", format="evt3", sensor_size=SIZE) as source:
            assert_same_windows(source.windows(10_000), cut(events, 10_000))
        thread.join(WAIT_S)
    assert source.format == "evt3"


def test_raw_words_over_tcp_give_the_events_of_the_file(tmp_path: Path) -> None:
    words, events = evt3_words(tmp_path / "a.raw")
    with tcp_sender(words) as address, open_live(f"{address}?format=evt3&size=64x48&timeout=1") as source:
        assert_same_windows(source.windows(10_000), cut(events, 10_000))


def test_a_file_in_place_of_raw_words_is_an_error() -> None:
    with (
        tcp_sender(b"% evt 3.0\n") as address,
        open_live(f"{address}?format=evt3&size=64x48") as source,
        pytest.raises(FormatError, match="begins like a file"),
    ):
        list(source.windows(1000))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("tcp://127.0.0.1", "names no port"),
        ("tcp://127.0.0.1:5?format=spif&size=2x2", "format must be one of dat, evt2, evt21, evt21-swapped, evt3, "),
        ("udp://127.0.0.1:0?format=evt3&size=2x2", "format must be one of spif, faery13, faery8, got 'evt3'"),
        ("udp://127.0.0.1:0?format=spif", "does not say the sensor size"),
        ("udp://0.0.0.0:0", "other machines"),
        ("tcp://127.0.0.1:5?timeout=soon", "timeout must be seconds"),
        ("tcp://127.0.0.1:5?timeout=nan", "timeout must be seconds"),
    ],
)
def test_an_address_outside_its_rule_is_refused(target: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        open_source(target)


def test_an_address_in_use_is_an_input_error() -> None:
    with open_live("udp://127.0.0.1:0") as source, pytest.raises(InputError, match="cannot be bound"):
        open_source(source.name)


def test_a_format_for_a_file_is_refused() -> None:
    with pytest.raises(OptionError, match="format is for live streams"):
        open_source("a.dat", format="evt3")


def test_zeromq_without_its_package_is_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    with pytest.raises(MissingExtraError, match="zmq"):
        open_source("zmq://127.0.0.1:5555")
