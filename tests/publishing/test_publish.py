import socket
import sys
import threading
from pathlib import Path

import pytest

from eventdet.errors import MissingExtraError, OptionError, OutputError
from eventdet.events import Events
from eventdet.formats import Recording, Window, open_recording, write_dat
from eventdet.publishing import Publisher, PublishOptions, open_publisher, publish
from eventdet.publishing._server import StreamServer
from eventdet.publishing.report import PublishReport
from eventdet.sources import LiveSource, open_source
from eventdet.sources.filtered import filter_source
from eventdet.wire import parse_address
from tests.sources.network import SIZE, WAIT_S, assert_same_windows, cut, random_events

MAX = float("inf")


@pytest.fixture
def events() -> Events:
    # Two seconds of silence in the middle, and stamps on both sides of a wrap.
    first = random_events(num_events=20_000, start_us=2**32 - 2_100_000)
    return Events.concatenate([first, random_events(num_events=20_000, start_us=2**32 - 50_000)])


@pytest.fixture
def recording(events: Events, tmp_path: Path) -> Recording:
    write_dat(tmp_path / "a.dat", events, SIZE, synthetic=True)
    return open_recording(tmp_path / "a.dat")


def receive(publisher: Publisher, recording: Recording, source: LiveSource, *, pace: float = MAX) -> list[Window]:
    """Publish in a thread while the windows are taken here."""

    def run() -> None:
        with publisher:
            publish(recording, publisher, pace=pace)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    windows = list(source.windows(7_000))
    thread.join(WAIT_S)
    assert not thread.is_alive()
    return windows


@pytest.mark.parametrize("to", ["tcp://127.0.0.1:0", "tcp://[::1]:0", "unix", "zmq://127.0.0.1:0"])
def test_windows_from_a_network_are_those_of_the_file(
    to: str, recording: Recording, events: Events, tmp_path: Path
) -> None:
    if "::1" in to and not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    if to.startswith("zmq"):
        pytest.importorskip("zmq")
    publisher = open_publisher(f"unix://{tmp_path}/s" if to == "unix" else to, recording)
    with live(publisher.address) as source:
        assert_same_windows(receive(publisher, recording, source), cut(events, 7_000))
    assert source.synthetic
    assert source.link_report.faults == {}
    assert source.link_report.frames == publisher.report.messages
    assert publisher.report.num_events == len(events)


def test_filters_pass_the_same_events_of_a_network_and_a_file(recording: Recording) -> None:
    texts = ["refractory:time=2ms", "transpose", "flip"]
    filtered = filter_source(recording, texts)
    publisher = open_publisher("tcp://127.0.0.1:0", recording)
    with live(publisher.address) as source:
        assert filter_source(source, texts) is source
        assert source.sensor_size == filtered.sensor_size
        assert_same_windows(receive(publisher, recording, source), filtered.windows(7_000))


def live(address: str) -> LiveSource:
    source = open_source(address)
    assert isinstance(source, LiveSource)
    return source


@pytest.mark.parametrize("name", [None, "spif", "faery13", "faery8"])
def test_windows_from_datagrams_are_those_of_the_file_when_none_is_lost(name: str | None, tmp_path: Path) -> None:
    # So few that the buffer of the system holds all of them.
    events = random_events(num_events=3000)
    write_dat(tmp_path / "a.dat", events, SIZE)
    recording = open_recording(tmp_path / "a.dat")
    layout = "" if name is None else f"&format={name}&size=64x48"
    with live(f"udp://127.0.0.1:0?timeout=2{layout}") as source:
        publisher = open_publisher(source.name, recording, PublishOptions(format=name))
        assert_same_windows(receive(publisher, recording, source), cut(events, 7_000))
    assert source.link_report.faults == {}


def test_several_receivers_get_all_of_it(recording: Recording, events: Events) -> None:
    publisher = open_publisher("tcp://127.0.0.1:0", recording, PublishOptions(num_clients=2))
    found: list[list[Window]] = []
    other = threading.Thread(target=lambda: found.append(list(live(publisher.address).windows(7_000))), daemon=True)
    other.start()
    with live(publisher.address) as source:
        assert_same_windows(receive(publisher, recording, source), cut(events, 7_000))
    other.join(WAIT_S)
    assert_same_windows(found[0], cut(events, 7_000))
    assert publisher.report.clients == 2


def test_a_receiver_that_is_too_slow_loses_frames_that_both_ends_count(tmp_path: Path) -> None:
    # 6 M events are 48 MB, more than both queues and the buffers of the system hold.
    events = random_events(num_events=6_000_000, duration_us=1_000_000)
    write_dat(tmp_path / "a.dat", events, SIZE)
    recording = open_recording(tmp_path / "a.dat")
    publisher = open_publisher("tcp://127.0.0.1:0", recording, PublishOptions(overflow="drop"))
    with live(publisher.address) as source:
        sender = threading.Thread(target=publish, args=(recording, publisher), kwargs={"pace": MAX}, daemon=True)
        sender.start()
        while not publisher.report.dropped_messages:
            sender.join(0.01)
        windows = list(source.windows(10_000))
        sender.join(WAIT_S)
        publisher.close()
    assert source.link_report.faults == {"lost_frames": publisher.report.dropped_messages}
    assert source.link_report.frames + source.link_report.lost_frames == publisher.report.messages
    assert 0 < sum(len(window.events) for window in windows) < len(events)


def test_a_receiver_that_takes_nothing_is_let_go() -> None:
    report = PublishReport()
    server = StreamServer(parse_address("tcp://127.0.0.1:0"), greeting=b"", report=report, stall_s=0.1)
    port = int(server.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S):
        server.wait()
        while not report.stalled_clients:
            server.send(bytes(1 << 20), is_last=True)
    server.close()
    assert (report.clients, report.stalled_clients) == (1, 1)


def test_a_server_whose_receiver_left_waits_for_the_next() -> None:
    report = PublishReport()
    server = StreamServer(parse_address("tcp://127.0.0.1:0"), greeting=b"hello", report=report)
    port = int(server.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S):
        server.wait()
    # 64 kB each, more than the queue of the one that left can hold.
    messages = [bytes([number]) * (1 << 16) for number in range(200)]

    def send() -> None:
        for message in messages:
            server.send(message)
        server.close()

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as second:
        received = b"".join(iter(lambda: second.recv(1 << 20), b""))
    sender.join(WAIT_S)
    assert received.startswith(b"hello")
    # Some went to the one that left; none after that is lost.
    assert len(received) > 5 + (1 << 16)
    assert b"".join(messages).endswith(received[5:])
    assert report.clients == 2


def test_a_recording_without_events_is_a_stream_without_windows(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", Events.empty(), SIZE)
    recording = open_recording(tmp_path / "a.dat")
    publisher = open_publisher("tcp://127.0.0.1:0", recording)
    with live(publisher.address) as source:
        assert receive(publisher, recording, source) == []
        assert source.sensor_size == SIZE


def test_an_interrupted_publication_says_no_end(recording: Recording) -> None:
    publisher = open_publisher("tcp://127.0.0.1:0", recording)
    source = live(f"{publisher.address}?timeout=1")
    publisher.wait()
    publisher.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert list(source.windows(1000)) == []
    assert "for 1 s" in source.link_report.ended


def test_a_socket_that_a_killed_server_left_is_taken_over(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with open_publisher(f"unix://{path}", recording), pytest.raises(OutputError, match="cannot be bound"):
        open_publisher(f"unix://{path}", recording)
    assert not path.exists()
    path.write_text("a file")
    with pytest.raises(OutputError, match="cannot be bound"):
        open_publisher(f"unix://{path}", recording)
    assert path.read_text() == "a file"


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        ("tcp://0.0.0.0:0", {}, "other machines"),
        ("zmq://192.168.1.1:0", {}, "other machines"),
        ("http://127.0.0.1:0", {}, "scheme of the address must be one of tcp, unix, udp, zmq, got 'http'"),
        ("file.dat", {}, "scheme of the address"),
        ("tcp://127.0.0.1:0", {"format": "spif"}, "format spif is for udp"),
        ("udp://127.0.0.1:9", {"format": "evt3"}, "format must be one of spif, faery13, faery8, got 'evt3'"),
        ("tcp://127.0.0.1:0", {"overflow": "explode"}, "overflow must be one of wait, drop"),
        ("tcp://127.0.0.1:0", {"num_clients": 0}, "num_clients must be >= 1"),
    ],
)
def test_an_option_outside_its_rule_is_refused(
    to: str, options: dict[str, object], message: str, recording: Recording
) -> None:
    with pytest.raises(OptionError, match=message):
        open_publisher(to, recording, PublishOptions(**options))  # type: ignore[arg-type] # by name


def test_an_address_in_use_is_an_output_error(recording: Recording) -> None:
    with (
        open_publisher("tcp://127.0.0.1:0", recording) as publisher,
        pytest.raises(OutputError, match="cannot be bound"),
    ):
        open_publisher(publisher.address, recording)


def test_zeromq_without_its_package_is_a_missing_extra(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    with pytest.raises(MissingExtraError, match="zmq"):
        open_publisher("zmq://127.0.0.1:0", recording)
