"""The ways for bytes to come in that the standard library offers: sockets and the standard input."""

import contextlib
import os
import select
import socket
import sys
from array import array

from eventdet.errors import InputError
from eventdet.wire import Address, LinkReport

from ._receiver import ARRIVAL_BYTES, POLL_S

__all__ = ["DatagramLink", "StdinLink", "StreamLink"]

_CONNECT_S = 5.0

_RECEIVE_BUFFER_BYTES = 8 << 20
"""What the system is asked to hold of datagrams; it may grant less (net.core.rmem_max)."""

_SO_MEMINFO = 55
"""Linux's option for the state of a socket's memory, unsigned 32-bit numbers; Python has no name for it."""

_MEMINFO_DROPS = 8
"""Place of the number of datagrams that found no room."""

_DATAGRAM_BYTES = 1 << 16

_SMALLEST_DATAGRAM = 256
"""What a datagram counts for at least: empty ones take memory and time too."""


class StreamLink:
    """Client of a TCP or UNIX socket."""

    is_lossy = False
    reconnects = True

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Connect."""
        if self._address.scheme == "unix":
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(_CONNECT_S)
            self._socket.connect(self._address.path)
        else:
            self._socket = socket.create_connection((self._address.host, self._address.port), timeout=_CONNECT_S)
        self._socket.settimeout(POLL_S)

    def read(self) -> list[bytes] | None:
        """Return the next piece of the stream."""
        if self._socket is None:
            return []
        try:
            data = self._socket.recv(ARRIVAL_BYTES)
        except TimeoutError:
            return None
        return [data] if data else []

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class DatagramLink:
    """Bound UDP socket; one datagram is one message.

    Parameters
    ----------
    address : Address
        Where to bind.
    report : LinkReport
        Datagrams that the system dropped for want of room are counted in it, on Linux.

    Raises
    ------
    InputError
        When the address cannot be bound.
    """

    is_lossy = True
    reconnects = False

    def __init__(self, address: Address, *, report: LinkReport) -> None:
        self._report = report
        self._num_dropped = 0
        # Bound here and not in `open`: what is sent from now on is held by the system until the thread reads.
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            self._socket.bind((address.host, address.port))
        except OSError as error:
            self._socket.close()
            raise InputError(f"{address.endpoint}: cannot be bound: {error.strerror or error}") from error
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self.port: int = self._socket.getsockname()[1]
        """The port, also where the system chose it."""

    def open(self) -> None:
        """Do nothing: the socket is bound already."""

    def read(self) -> list[bytes] | None:
        """Return the datagrams that wait, after waiting for the first."""
        self._count_dropped()
        if not self._poll.poll(POLL_S * 1e3):
            return None
        messages: list[bytes] = []
        room = ARRIVAL_BYTES
        with contextlib.suppress(BlockingIOError):
            while room > 0:
                messages.append(self._socket.recv(_DATAGRAM_BYTES))
                room -= max(len(messages[-1]), _SMALLEST_DATAGRAM)
        return messages or None

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _count_dropped(self) -> None:
        """Add what the system has dropped since the last call: most layouts have no numbers that would tell."""
        if sys.platform == "linux":
            state = array("I", self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 4 * (_MEMINFO_DROPS + 1)))
            self._report.dropped_messages += state[_MEMINFO_DROPS] - self._num_dropped
            self._num_dropped = state[_MEMINFO_DROPS]


class StdinLink:
    """The standard input."""

    is_lossy = False
    reconnects = False

    def open(self) -> None:
        """Do nothing: it is open."""

    def read(self) -> list[bytes] | None:
        """Return the next piece of the stream."""
        descriptor = sys.stdin.fileno()
        if not select.select([descriptor], [], [], POLL_S)[0]:
            return None
        data = os.read(descriptor, ARRIVAL_BYTES)
        return [data] if data else []

    def close(self) -> None:
        """Leave it open: it belongs to the process."""
