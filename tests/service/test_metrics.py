"""Health and metrics over HTTP, read by a client and by prometheus-client's own parser."""

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from eventdet import Boxes
from eventdet.errors import OutputError
from eventdet.service import Health, MetricsServer, Sample, StreamState
from eventdet.service.state import LINK_FAULTS, delivery_samples, link_samples
from eventdet.sinks import WindowResult
from eventdet.sinks.delivery import DeliveryReport
from eventdet.wire import LinkReport

parser = pytest.importorskip("prometheus_client.parser", reason="the extra metrics is not installed")

RESULT = WindowResult(3, 150_000, 200_000, 1200, Boxes.from_xywh([[1, 2, 3, 4]]), {"inference": 12.5, "total": 14.0}, 2)


class _Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def server(clock: _Clock) -> Iterator[MetricsServer]:
    state = StreamState(stale_s=30.0, clock=clock)
    state.add(replace(RESULT, reset_reason="gap"))
    state.add(RESULT)

    def samples() -> Iterator[Sample]:
        yield from state.samples()
        yield from delivery_samples({"zmq://a": DeliveryReport(5, 2, 3, 1, True), "udp://b": DeliveryReport(9)})
        yield from link_samples(LinkReport(frames=7, lost_frames=2))

    with MetricsServer(0, samples, state.health) as running:
        yield running


def _get(server: MetricsServer, path: str, *, host: str | None = None, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.address.rpartition(":")[2]), timeout=30)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def test_prometheus_reads_every_count(server: MetricsServer) -> None:
    status, text = _get(server, "/metrics")
    assert status == 200
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }
    expected = {
        ("eventdet_windows_total",): 2,
        ("eventdet_events_total",): 2400,
        ("eventdet_boxes_total",): 2,
        ("eventdet_state_resets_total",): 1,
        ("eventdet_windows_skipped_total",): 2,
        ("eventdet_stream_time_seconds",): 0.2,
        ("eventdet_seconds_since_window",): 0,
        ("eventdet_latency_seconds", "inference"): 0.0125,
        ("eventdet_latency_seconds", "total"): 0.014,
        ("eventdet_latency_sum_seconds_total", "inference"): 0.025,
        ("eventdet_latency_sum_seconds_total", "total"): 0.028,
        ("eventdet_output_sent_total", "zmq://a"): 5,
        ("eventdet_output_dropped_total", "zmq://a"): 2,
        ("eventdet_output_reconnects_total", "zmq://a"): 1,
        ("eventdet_output_queued", "zmq://a"): 3,
        ("eventdet_output_connected", "zmq://a"): 1,
        ("eventdet_output_sent_total", "udp://b"): 9,
        ("eventdet_link_frames_total",): 7,
        ("eventdet_link_faults_total", "lost_frames"): 2,
        ("eventdet_link_faults_total", "reconnects"): 0,
    }
    assert {key: found[key] for key in expected} == pytest.approx(expected)


def test_health_turns_when_windows_stay_away(server: MetricsServer, clock: _Clock) -> None:
    status, body = _get(server, "/healthz")
    assert (status, json.loads(body)["status"], json.loads(body)["windows"]) == (200, "ok", 2)
    clock.now_s += 31
    status, body = _get(server, "/healthz")
    assert (status, json.loads(body)["status"], json.loads(body)["seconds_since_window"]) == (503, "failing", 31)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_foreign_host_is_refused(server: MetricsServer, host: str) -> None:
    assert _get(server, "/metrics", host=host)[0] == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "[::1]:1", "127.0.0.1"])
def test_names_of_this_machine_are_served(server: MetricsServer, host: str) -> None:
    assert _get(server, "/healthz", host=host)[0] == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("GET", "/../etc", 404), ("POST", "/", 501)])
def test_anything_else_is_not_there(server: MetricsServer, method: str, path: str, status: int) -> None:
    assert _get(server, path, method=method)[0] == status


def test_a_client_that_says_nothing_or_garbage_stops_nobody(server: MetricsServer) -> None:
    port = int(server.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)) as other:
        other.sendall(b"\x00\xff\r\n\r\n")
        assert _get(server, "/healthz")[0] == 200


def test_a_port_that_is_taken_is_an_error(server: MetricsServer) -> None:
    port = int(server.address.rpartition(":")[2])
    with pytest.raises(OutputError, match=f"metrics port {port} cannot be bound: Address already in use"):
        MetricsServer(port, list, lambda: Health(True))


def test_every_fault_of_a_link_is_told() -> None:
    assert set(LINK_FAULTS) == {name for name in LinkReport.__dataclass_fields__ if name not in ("frames", "ended")}
