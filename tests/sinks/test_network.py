"""Windows over real sockets and a real broker, and what becomes of those that nobody takes."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eventdet.errors import OutputError
from eventdet.sinks import Outputs, StreamHeader, StreamTotals, WindowResult, open_sink
from eventdet.sinks.delivery import QUEUE_WINDOWS, NetworkSink
from eventdet.sinks.jsonl import header_record, result_record, totals_record

from .broker import WAIT_S, broker, free_port

TOTALS = StreamTotals(5, 1600, 8, recorded_s=0.25, wall_s=0.5)


def _network_sink(target: str, header: StreamHeader) -> NetworkSink:
    sink = open_sink(target, header=header)
    assert isinstance(sink, NetworkSink)
    return sink


def _wait(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _expected(header: StreamHeader, results: list[WindowResult]) -> list[dict[str, object]]:
    records = [result_record(result, header.class_names) for result in results]
    return [header_record(header), *records, totals_record(TOTALS)]


def _write_all(sink: NetworkSink, results: list[WindowResult]) -> None:
    with sink:
        for result in results:
            sink.write(result)
        sink.conclude(TOTALS)


def _plain(records: list[dict[str, object]]) -> list[dict[str, object]]:
    return [json.loads(json.dumps(record)) for record in records]


def test_datagrams_are_the_records_of_json_lines(header: StreamHeader, results: list[WindowResult]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(WAIT_S)
        sink = _network_sink(f"udp://127.0.0.1:{listener.getsockname()[1]}", header)
        _write_all(sink, results)
        found = [json.loads(listener.recv(65_536)) for _ in range(7)]
    assert found == _plain(_expected(header, results))
    assert sink.note == "sent 5, dropped 0, reconnects 0"


def test_a_record_that_fits_no_datagram_is_counted(header: StreamHeader, results: list[WindowResult]) -> None:
    long = replace(results[0], latency_ms={f"stage {number}": 1.0 for number in range(5000)})
    sink = _network_sink("udp://127.0.0.1:9", header)
    _write_all(sink, [results[0], long, results[1]])
    assert sink.note == "sent 2, dropped 1, reconnects 0"


@contextlib.contextmanager
def _subscriber(endpoint: str, *topics: bytes) -> Iterator[Any]:
    zmq = pytest.importorskip("zmq", reason="the extra zmq is not installed")
    context = zmq.Context()
    reader = context.socket(zmq.SUB)
    reader.setsockopt(zmq.RCVTIMEO, round(1e3 * WAIT_S))
    for topic in topics:
        reader.setsockopt(zmq.SUBSCRIBE, topic)
    reader.connect(endpoint)
    try:
        yield reader
    finally:
        context.destroy(linger=0)


def test_subscribers_get_the_header_first_whenever_they_come(header: StreamHeader, results: list[WindowResult]) -> None:
    port = free_port()
    sink = _network_sink(f"zmq://127.0.0.1:{port}", header)
    with _subscriber(f"tcp://127.0.0.1:{port}", b"") as first:
        assert first.recv_multipart()[0] == b"header"
        for result in results[:2]:
            sink.write(result)
        found = [first.recv_multipart() for _ in range(2)]
        with _subscriber(f"tcp://127.0.0.1:{port}", b"") as late:
            assert json.loads(late.recv_multipart()[1]) == _plain([header_record(header)])[0]
            _write_all(sink, results[2:])
            rest = [late.recv_multipart() for _ in range(4)]
    assert [json.loads(data) for _, data in found + rest] == _plain(_expected(header, results))[1:]
    assert [kind for kind, _ in rest] == [b"window"] * 3 + [b"summary"]
    assert sink.note == "sent 5, dropped 0, reconnects 0"


def test_a_subscriber_that_does_not_read_holds_nobody_up(header: StreamHeader, results: list[WindowResult]) -> None:
    port = free_port()
    sink = _network_sink(f"zmq://127.0.0.1:{port}", header)
    with _subscriber(f"tcp://127.0.0.1:{port}", b""):
        for _ in range(20):
            for result in results:
                sink.write(result)
        _wait(lambda: sink.report.sent == 100)
        sink.close()
    assert sink.note == "sent 100, dropped 0, reconnects 0"


def test_a_port_that_is_taken_is_an_error_before_the_run(header: StreamHeader) -> None:
    pytest.importorskip("zmq", reason="the extra zmq is not installed")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(OutputError, match=f"output tcp://127.0.0.1:{port} cannot be bound: Address already in use"):
            open_sink(f"zmq://127.0.0.1:{port}", header=header)


class _Listener:
    """Subscribes to everything, by paho's own thread."""

    def __init__(self, port: int, topic: str) -> None:
        mqtt = pytest.importorskip("paho.mqtt.client", reason="the extra mqtt is not installed")
        self.messages: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _client, _data, message: self.messages.append((message.topic, message.payload))
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S)

    def records(self, name: str) -> list[bytes]:
        return [payload for topic, payload in list(self.messages) if topic.endswith(name)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def _listening(port: int, topic: str) -> Iterator[_Listener]:
    listener = _Listener(port, topic)
    try:
        yield listener
    finally:
        listener.close()


@pytest.mark.parametrize("qos", ["", "?qos=1", "?qos=2"], ids=["qos0", "qos1", "qos2"])
def test_a_broker_passes_every_record_on(
    qos: str, tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    port = free_port()
    with broker(port, tmp_path), _listening(port, "cams/1/#") as listener:
        sink = _network_sink(f"mqtt://127.0.0.1:{port}/cams/1{qos}", header)
        _write_all(sink, results)
        _wait(lambda: listener.records("/status") == [b"online", b"offline"])
        found = listener.records("/header") + listener.records("/window") + listener.records("/summary")
        # Who comes when all is over still learns what it was.
        with _listening(port, "cams/1/#") as late:
            _wait(lambda: len(late.messages) == 2)
            assert late.records("/status") == [b"offline"]
            assert json.loads(late.records("/header")[0])["type"] == "header"
    assert [json.loads(record) for record in found] == _plain(_expected(header, results))
    assert sink.note == "sent 5, dropped 0, reconnects 0"


def test_a_broker_that_comes_late_and_dies_costs_no_queued_window(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    port = free_port()
    sink = _network_sink(f"mqtt://127.0.0.1:{port}/cam?qos=1", header)
    sink.write(results[0])
    _wait(lambda: sink.report.error)
    assert (sink.report.sent, sink.report.queued, sink.report.is_connected) == (0, 1, False)
    for number in (1, 2):
        with broker(port, tmp_path), _listening(port, "cam/#") as listener:
            _wait(lambda number=number: sink.report.sent == 2 * number - 1)  # type: ignore[misc]
            sink.write(results[number])
            _wait(lambda number=number: sink.report.sent == 2 * number)  # type: ignore[misc]
            _wait(lambda number=number: str(number) in _seqs(listener))  # type: ignore[misc]
        _wait(lambda: not sink.report.is_connected)
        sink.write(results[number + 1])
    sink.close()
    assert (sink.report.sent, sink.report.dropped, sink.report.queued) == (4, 1, 0)
    assert sink.report.reconnects == 1
    assert sink.note.startswith("sent 4, dropped 1, reconnects 1; ")


def _seqs(listener: _Listener) -> list[str]:
    return [str(json.loads(record)["seq"]) for record in listener.records("/window")]


def test_a_frozen_broker_holds_up_neither_the_loop_nor_the_end(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    port = free_port()
    with broker(port, tmp_path) as process:
        outputs = Outputs([f"mqtt://127.0.0.1:{port}/cam?qos=1", str(tmp_path / "a.jsonl")], header=header)
        with outputs:
            _wait(lambda: outputs.deliveries[f"mqtt://127.0.0.1:{port}/cam?qos=1"].is_connected)
            process.send_signal(signal.SIGSTOP)
            count = QUEUE_WINDOWS + 50
            for number in range(count):
                outputs.write(replace(results[number % 5], seq=number))
        report = outputs.deliveries[f"mqtt://127.0.0.1:{port}/cam?qos=1"]
        process.send_signal(signal.SIGCONT)
    assert report.sent + report.dropped == count
    assert report.sent == report.queued == 0
    # The file has them all.
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line.get("seq") for line in lines[1:]] == list(range(count))


def test_a_refusal_of_the_broker_is_said(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    port = free_port()
    with broker(port, tmp_path, anonymous=False):
        sink = _network_sink(f"mqtt://127.0.0.1:{port}/cam", header)
        sink.write(results[0])
        _wait(lambda: sink.report.error)
        sink.close()
    assert sink.note == "sent 0, dropped 1, reconnects 0; the broker refuses: Not authorized"


def test_a_name_and_password_come_from_the_environment(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    maker = shutil.which("mosquitto_passwd")
    if maker is None:
        pytest.skip("mosquitto_passwd is not installed: apt install mosquitto")
    subprocess.run([maker, "-c", "-b", str(tmp_path / "passwords"), "cam", "secret"], check=True)
    monkeypatch.setenv("EVENTDET_MQTT_USERNAME", "cam")
    for password, note in (("wrong", "sent 0, dropped 1, .*Not authorized"), ("secret", "sent 1, dropped 0, ")):
        monkeypatch.setenv("EVENTDET_MQTT_PASSWORD", password)
        with broker(port, tmp_path, anonymous=False, passwords=tmp_path / "passwords"):
            sink = _network_sink(f"mqtt://127.0.0.1:{port}/cam?qos=1", header)
            sink.write(results[0])
            _wait(lambda sink=sink: sink.report.error or sink.report.sent)  # type: ignore[misc]
            sink.close()
        assert re.match(note, sink.note)
