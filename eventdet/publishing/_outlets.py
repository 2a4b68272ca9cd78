"""Where messages go: what every outlet can do, and those that need no server."""

import socket
import sys
from typing import Any, Protocol

from eventdet.errors import MissingExtraError, OutputError
from eventdet.wire import Address

from .report import PublishReport

__all__ = ["DatagramOutlet", "Outlet", "StdoutOutlet", "ZmqOutlet"]

_POLL_MS = 100
_HIGH_WATER_MESSAGES = 64
_LINGER_MS = 5000


class Outlet(Protocol):
    """Takes messages."""

    address: str
    """Where receivers find it."""

    is_connected: bool
    """Whether receivers get all bytes in order, or are let go."""

    def wait(self) -> None:
        """Wait until somebody receives, where that can be known."""

    def send(self, message: bytes, *, is_last: bool = False) -> None:
        """Send a message; the last one is never dropped for a slow receiver."""

    def close(self, *, at_once: bool = False) -> None:
        """Let go, after what is queued has been sent or at once."""


class StdoutOutlet:
    """The standard output, for a pipe."""

    address = "-"
    is_connected = True

    def __init__(self, *, greeting: bytes) -> None:
        self._stream = sys.stdout.buffer
        self._stream.write(greeting)

    def wait(self) -> None:
        """Do nothing: a pipe waits for its reader."""

    def send(self, message: bytes, *, is_last: bool = False) -> None:
        """Write a message."""
        self._stream.write(message)
        self._stream.flush()

    def close(self, *, at_once: bool = False) -> None:
        """Leave it open: it belongs to the process."""


class DatagramOutlet:
    """UDP to one address. Nobody may listen there, and no one would know.

    Raises
    ------
    OutputError
        When the address names no machine.
    """

    is_connected = False

    def __init__(self, address: Address) -> None:
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        except OSError as error:
            raise OutputError(f"{address.endpoint}: {error.strerror or error}") from error
        self.address = address.endpoint
        self._target = found[4]
        self._socket = socket.socket(found[0], found[1])

    def wait(self) -> None:
        """Do nothing: it cannot be known who listens."""

    def send(self, message: bytes, *, is_last: bool = False) -> None:
        """Send a datagram."""
        self._socket.sendto(message, self._target)

    def close(self, *, at_once: bool = False) -> None:
        """Close the socket."""
        self._socket.close()


class ZmqOutlet:
    """ZeroMQ PUSH: several receivers share the messages, each gets a part of them.

    Raises
    ------
    MissingExtraError
        When pyzmq is not installed.
    OutputError
        When the address cannot be bound.
    """

    is_connected = True

    def __init__(self, address: Address, *, report: PublishReport, waits: bool) -> None:
        try:
            import zmq
        except ImportError as error:
            raise MissingExtraError("sending over ZeroMQ", extra="zmq") from error
        self._zmq: Any = zmq
        self._report = report
        self._waits = waits
        self._context: Any = zmq.Context()
        self._socket: Any = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, _HIGH_WATER_MESSAGES)
        port = address.port or "*"
        try:
            self._socket.bind(f"tcp://{address.host}:{port}")
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise OutputError(f"{address.endpoint}: cannot be bound: {error}") from error
        bound: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.address = f"zmq://{bound.partition('://')[2]}"

    def wait(self) -> None:
        """Wait for a receiver."""
        while not self._socket.poll(_POLL_MS, self._zmq.POLLOUT):
            pass

    def send(self, message: bytes, *, is_last: bool = False) -> None:
        """Queue a message; a full queue is waited for, or the message dropped and counted."""
        while (self._waits or is_last) and not self._socket.poll(_POLL_MS, self._zmq.POLLOUT):
            pass
        try:
            self._socket.send(message, self._zmq.NOBLOCK)
        except self._zmq.Again:
            self._report.dropped_messages += 1

    def close(self, *, at_once: bool = False) -> None:
        """Close the socket; what is queued is sent for some seconds more."""
        self._context.destroy(linger=0 if at_once else _LINGER_MS)
