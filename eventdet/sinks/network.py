"""Ways out to a network: ZeroMQ, MQTT and UDP. Each carries the records of JSON lines.

None encrypts, so that addresses of other machines are refused unless they are allowed.
"""

import contextlib
import os
import secrets
import socket
import time
from typing import Any

from eventdet.errors import MissingExtraError, OptionError, OutputError
from eventdet.wire import Address, parse_address, require_local

from .base import Sink
from .delivery import HEADER, POLL_S, NetworkSink
from .request import SinkRequest

__all__ = ["check_mqtt", "check_udp", "check_zmq", "open_mqtt", "open_udp", "open_zmq"]

_MQTT_PORT = 1883
_CONNECT_S = 5.0
"""Longest wait for a broker to answer."""

_STALL_S = 10.0
"""A broker that takes nothing for this long is given up, and connected to again."""

_KEEPALIVE_S = 30

_SEND_WINDOWS = 256
"""Records that ZeroMQ holds for one slow subscriber, before it loses some."""

_LINGER_MS = 500

_MOST_DATAGRAM_BYTES = 65_507
"""Of UDP over IPv4: 65,535 less both headers."""

_HEADER_PERIOD_S = 2.0
"""Datagrams have no subscribers whose coming would show: the header is said again this often."""


class ZmqTransport:
    """Publish on a bound XPUB socket, as two frames: the kind of the record, which can be subscribed to, and JSON.

    Whoever subscribes gets the header at once, at most behind the window in hand.
    """

    def __init__(self, address: Address, zmq: Any) -> None:
        self._zmq = zmq
        self._endpoint = f"tcp://{address.host}:{address.port}"
        self._context: Any = None
        self._socket: Any = None

    def prepare(self) -> None:
        """Bind; the socket passes to the thread with its start."""
        zmq = self._zmq
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.SNDHWM, _SEND_WINDOWS)
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        try:
            self._socket.bind(self._endpoint)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise OutputError(f"output {self._endpoint} cannot be bound: {error.strerror}") from error

    def open(self) -> None:
        """Do nothing: subscribers come by themselves."""

    def send(self, kind: str, data: bytes) -> bool:
        """Publish; never waits, since a subscriber that is too slow loses records by itself."""
        self._socket.send_multipart([kind.encode(), data])
        return True

    def wants_header(self) -> bool:
        """Return whether somebody has subscribed since the last call."""
        came = False
        with contextlib.suppress(self._zmq.Again):
            while True:
                message = self._socket.recv(self._zmq.NOBLOCK)
                came = came or message[:1] == b"\x01"
        return came

    def close(self, *, is_last: bool) -> None:
        """Close the socket after what it holds has left."""
        if is_last and self._context is not None:
            self._context.destroy(linger=_LINGER_MS)
            self._context = None


class MqttTransport:
    """Publish to a broker under ``TOPIC/header``, ``TOPIC/window`` and ``TOPIC/summary``.

    The header is retained, so that late subscribers get it, and so is ``TOPIC/status``, ``online`` or ``offline``:
    the broker says the latter for a process that died. Name and password come from ``EVENTDET_MQTT_USERNAME`` and
    ``EVENTDET_MQTT_PASSWORD``; on a command line others would read them.
    """

    def __init__(self, address: Address, mqtt: Any) -> None:
        self._mqtt = mqtt
        self._address = address
        self._topic = address.path.strip("/")
        self._qos = int(address.parameters.get("qos", "0"))
        self._id = f"eventdet-{secrets.token_hex(6)}"
        self._client: Any = None
        self._refusal = ""

    def prepare(self) -> None:
        """Do nothing: a broker may start later than we do."""

    def open(self) -> None:
        """Connect and wait for the broker's word; raises OSError when it does not come or is a refusal."""
        self._refusal = ""
        client = self._client = self._mqtt.Client(self._mqtt.CallbackAPIVersion.VERSION2, client_id=self._id)
        client.connect_timeout = _CONNECT_S
        client.on_connect = self._on_connect
        client.will_set(f"{self._topic}/status", "offline", qos=1, retain=True)
        if "EVENTDET_MQTT_USERNAME" in os.environ:
            client.username_pw_set(os.environ["EVENTDET_MQTT_USERNAME"], os.environ.get("EVENTDET_MQTT_PASSWORD"))
        client.connect(self._address.host, self._address.port or _MQTT_PORT, keepalive=_KEEPALIVE_S)
        self._wait(client.is_connected, _CONNECT_S)
        self._publish("status", b"online", retain=True)

    def send(self, kind: str, data: bytes) -> bool:
        """Publish, and wait until it has left, or for QoS 1 and 2 until the broker has it."""
        self._publish(kind, data, retain=kind == HEADER)
        return True

    def wants_header(self) -> bool:
        """Keep the connection alive; return False, since the broker keeps the header."""
        self._turn(0.0)
        return False

    def close(self, *, is_last: bool) -> None:
        """Say goodbye, where somebody listens."""
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if is_last and client.is_connected():
                self._client = client
                self._publish("status", b"offline", retain=True)
            client.disconnect()
        self._client = None

    def _publish(self, name: str, data: bytes, *, retain: bool) -> None:
        info = self._client.publish(f"{self._topic}/{name}", data, qos=self._qos, retain=retain)
        if info.rc != self._mqtt.MQTT_ERR_SUCCESS:
            raise ConnectionResetError(f"the broker is gone: {self._mqtt.error_string(info.rc)}")
        self._wait(info.is_published, _STALL_S)

    def _wait(self, is_done: Any, limit_s: float) -> None:
        deadline_s = time.monotonic() + limit_s
        while not is_done():
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"no answer of the broker within {limit_s:g} s")
            self._turn(POLL_S)

    def _turn(self, wait_s: float) -> None:
        """Let the client read and write; raises OSError when the connection is gone."""
        code = self._client.loop(wait_s)
        if self._refusal:
            raise ConnectionRefusedError(f"the broker refuses: {self._refusal}")
        if code != self._mqtt.MQTT_ERR_SUCCESS:
            raise ConnectionResetError(f"the broker is gone: {self._mqtt.error_string(code)}")

    def _on_connect(self, _client: object, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            self._refusal = str(reason)


class UdpTransport:
    """Send each record as one datagram. Nobody confirms them: a gap in ``seq`` tells the receiver of a loss."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._place: Any = None
        self._said_s = 0.0

    def prepare(self) -> None:
        """Do nothing: there is no connection."""

    def open(self) -> None:
        """Look the machine up."""
        family, _, _, _, self._place = socket.getaddrinfo(
            self._address.host, self._address.port, type=socket.SOCK_DGRAM
        )[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)

    def send(self, kind: str, data: bytes) -> bool:
        """Send a datagram; False when it does not fit into one."""
        if kind == HEADER:
            self._said_s = time.monotonic()
        if len(data) > _MOST_DATAGRAM_BYTES or self._socket is None:
            return False
        self._socket.sendto(data, self._place)
        return True

    def wants_header(self) -> bool:
        """Return whether the header was last said long ago."""
        return time.monotonic() - self._said_s > _HEADER_PERIOD_S

    def close(self, *, is_last: bool) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def check_zmq(request: SinkRequest) -> Address:
    """Return the address of a ZeroMQ output after finding nothing wrong with it.

    Raises
    ------
    OptionError
        When it breaks its rule, or other machines could connect and may not.
    MissingExtraError
        When pyzmq is not installed.
    """
    _import_zmq()
    return _address(request)


def open_zmq(request: SinkRequest) -> Sink:
    """Return a sink that publishes over ZeroMQ; raises `OutputError` when the port is taken."""
    transport = ZmqTransport(check_zmq(request), _import_zmq())
    return NetworkSink(request.target, transport, header=request.header)


def check_mqtt(request: SinkRequest) -> Address:
    """Return the address of an MQTT output after finding nothing wrong with it; raises as `check_zmq` does."""
    _import_mqtt()
    address = _address(request, known=("qos",), needs_port=False)
    topic = address.path.strip("/")
    if not topic or set(topic) & set("+#\0"):
        raise OptionError(
            f"output {request.target!r}: must name a topic without + and #", hint="use mqtt://127.0.0.1:1883/cameras/1"
        )
    if address.parameters.get("qos", "0") not in ("0", "1", "2"):
        raise OptionError(f"output {request.target!r}: qos must be 0, 1 or 2")
    return address


def open_mqtt(request: SinkRequest) -> Sink:
    """Return a sink that publishes to an MQTT broker, which may start later."""
    transport = MqttTransport(check_mqtt(request), _import_mqtt())
    return NetworkSink(request.target, transport, header=request.header)


def check_udp(request: SinkRequest) -> Address:
    """Return the address that datagrams go to after finding nothing wrong with it; raises as `check_zmq` does."""
    return _address(request)


def open_udp(request: SinkRequest) -> Sink:
    """Return a sink that sends datagrams."""
    return NetworkSink(request.target, UdpTransport(check_udp(request)), header=request.header)


def _address(request: SinkRequest, *, known: tuple[str, ...] = (), needs_port: bool = True) -> Address:
    address = parse_address(request.target, known=known)
    if needs_port and not address.port:
        raise OptionError(
            f"output {request.target!r}: names no port", hint=f"write it like {address.scheme}://127.0.0.1:5556"
        )
    require_local(address, allow_remote=request.allow_remote)
    return address


def _import_zmq() -> Any:
    try:
        import zmq
    except ImportError as error:
        raise MissingExtraError("publishing over ZeroMQ", extra="zmq") from error
    return zmq


def _import_mqtt() -> Any:
    try:
        from paho.mqtt import client
    except ImportError as error:
        raise MissingExtraError("publishing over MQTT", extra="mqtt") from error
    return client
