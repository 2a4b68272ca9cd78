"""Health and metrics of a running stream, over HTTP on this machine.

One small server of the standard library: two fixed answers need no framework. It answers on loopback alone, and only to
requests that name it so: a page of another origin whose name was made to point here (DNS rebinding) is refused.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from eventdet.errors import MissingExtraError, OutputError, check_option

__all__ = ["Health", "MetricsServer", "Sample"]

_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_KINDS = ("counter", "gauge")
_REQUEST_S = 5.0
"""A client that says nothing for this long is let go."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a metric."""

    name: str
    """Name in Prometheus' way, without the prefix ``eventdet_`` and the suffix ``_total`` of counters."""

    value: float
    """The number."""

    help: str
    """What it counts, in which unit."""

    kind: str = "counter"
    """``counter`` or ``gauge``."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """What tells samples of one name apart."""

    def __post_init__(self) -> None:
        """Check the kind.

        Raises
        ------
        OptionError
            When it is neither of the two.
        """
        check_option("kind", self.kind, _KINDS)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a stream does what it should."""

    is_healthy: bool
    """Whether it does."""

    details: Mapping[str, object] = field(default_factory=dict)
    """Plain values that say why."""


class MetricsServer:
    """Serves ``/metrics`` (Prometheus text) and ``/healthz`` (JSON, status 200 or 503) on 127.0.0.1 until closed.

    Parameters
    ----------
    port : int
        Port, 0: the system chooses one.
    samples : callable
        Returns the samples of now; called by the server's threads.
    health : callable
        Likewise.

    Raises
    ------
    MissingExtraError
        When prometheus-client is not installed.
    OutputError
        When the port cannot be bound.
    """

    def __init__(self, port: int, samples: Callable[[], Iterable[Sample]], health: Callable[[], Health]) -> None:
        try:
            from prometheus_client import CollectorRegistry, generate_latest
        except ImportError as error:
            raise MissingExtraError("--metrics-port", extra="metrics") from error
        registry = CollectorRegistry()
        registry.register(_Collector(samples))
        pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/metrics": lambda: (200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(registry)),
            "/healthz": lambda: _health_page(health()),
        }
        try:
            self._server = _Server(("127.0.0.1", port), _handler(pages))
        except OSError as error:
            raise OutputError(
                f"metrics port {port} cannot be bound: {error.strerror or error}", hint="use --metrics-port 0"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Return the server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop answering."""
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that leaves in the middle is no event of the stream."""


class _Collector:
    """What prometheus-client asks for the metrics of now."""

    def __init__(self, samples: Callable[[], Iterable[Sample]]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Any]:
        """Yield one family a name."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, list[Sample]] = {}
        for sample in self._samples():
            families.setdefault(sample.name, []).append(sample)
        for name, group in families.items():
            make = CounterMetricFamily if group[0].kind == "counter" else GaugeMetricFamily
            labels = list(group[0].labels)
            family = make(f"eventdet_{name}", group[0].help, labels=labels)
            for sample in group:
                family.add_metric([sample.labels[label] for label in labels], sample.value)
            yield family


def _health_page(health: Health) -> tuple[int, str, bytes]:
    record = {"status": "ok" if health.is_healthy else "failing", **health.details}
    return (200 if health.is_healthy else 503), "application/json", json.dumps(record).encode() + b"\n"


def _handler(pages: Mapping[str, Callable[[], tuple[int, str, bytes]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_S
        server_version = "eventdet"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer a request."""
            host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
            page = pages.get(self.path.partition("?")[0])
            if host not in _HOSTS:
                self._answer(403, "text/plain", b"this host is not served\n")
            elif page is None:
                self._answer(404, "text/plain", b"there are /metrics and /healthz\n")
            else:
                self._answer(*page())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Say nothing: scrapes are no news."""

    return Handler
