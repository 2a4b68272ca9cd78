"""Health and metrics over HTTP, read by a client and by prometheus-client's own parser."""

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from eventdet.errors import OutputError
from eventdet.report import ReadReport
from eventdet.service import Health, MetricsServer, Sample, StreamHealth
from eventdet.service.state import LINK_FAULTS, delivery_samples, link_samples, stream_samples
from eventdet.sinks.delivery import DeliveryReport
from eventdet.streaming import LatencySummary, StreamSummary
from eventdet.wire import LinkReport

parser = pytest.importorskip("prometheus_client.parser", reason="the extra metrics is not installed")

LATENCY = LatencySummary(p50=12.5, p95=20.0, p99=30.0, max=40.0, mean=14.0)
SUMMARY = StreamSummary(
    num_windows=2,
    num_events=2400,
    num_boxes=3,
    events_cut=0,
    recorded_s=0.2,
    wall_s=0.3,
    report=ReadReport(),
    notes=(),
    latency_ms={"total": LATENCY},
    windows_skipped=4,
    events_dropped=5,
    resets={"start": 1, "gap": 6},
)


class _Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def server(clock: _Clock) -> Iterator[MetricsServer]:
    beats = StreamHealth(stale_s=30.0, clock=clock)
    beats.beat()

    def samples() -> Iterator[Sample]:
        yield from stream_samples(SUMMARY)
        yield from delivery_samples({"zmq://a": DeliveryReport(5, 2, 3, 1, True), "udp://b": DeliveryReport(9)})
        yield from link_samples(LinkReport(frames=7, lost_frames=2))

    with MetricsServer(0, samples, lambda: beats.health(SUMMARY)) as running:
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
        ("eventdet_boxes_total",): 3,
        ("eventdet_windows_skipped_total",): 4,
        ("eventdet_events_dropped_total",): 5,
        ("eventdet_recorded_seconds_total",): 0.2,
        ("eventdet_state_resets_total", "gap"): 6,
        ("eventdet_latency_seconds", "0.5", "total"): 0.0125,
        ("eventdet_latency_seconds", "0.99", "total"): 0.03,
        ("eventdet_latency_seconds", "1", "total"): 0.04,
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
    assert (status, json.loads(body)["status"], json.loads(body)["num_windows"]) == (200, "ok", 2)
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
