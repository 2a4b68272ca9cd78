"""ZeroMQ PUSH/PULL, the extra ``zmq``: no broker, no loss, and a slow reader holds its sender back."""

import contextlib
from typing import Any

from eventdet.errors import MissingExtraError
from eventdet.wire import MAX_FRAME_BYTES, Address

from ._receiver import ARRIVAL_BYTES, POLL_S

__all__ = ["ZmqLink"]

_HIGH_WATER_MESSAGES = 64
"""The default of 1000 would let hundreds of megabytes wait."""

_SMALLEST_MESSAGE = 256
"""What a message counts for at least: empty ones take memory and time too."""


class ZmqLink:
    """Pulls messages; ZeroMQ itself connects again.

    Raises
    ------
    MissingExtraError
        When pyzmq is not installed.
    """

    is_lossy = False
    reconnects = False

    def __init__(self, address: Address) -> None:
        try:
            import zmq
        except ImportError as error:
            raise MissingExtraError("receiving over ZeroMQ", extra="zmq") from error
        self._zmq: Any = zmq
        self._endpoint = f"tcp://{address.host}:{address.port}"
        self._context: Any = None
        self._socket: Any = None

    def open(self) -> None:
        """Connect; a socket belongs to the thread that makes it."""
        zmq = self._zmq
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, _HIGH_WATER_MESSAGES)
        # Whoever sends more is disconnected before the message is held in memory.
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        self._socket.connect(self._endpoint)

    def read(self) -> list[bytes] | None:
        """Return the messages that wait, after waiting for the first."""
        if not self._socket.poll(round(POLL_S * 1e3)):
            return None
        messages: list[bytes] = []
        room = ARRIVAL_BYTES
        with contextlib.suppress(self._zmq.Again):
            while room > 0:
                messages.append(self._socket.recv(self._zmq.NOBLOCK))
                room -= max(len(messages[-1]), _SMALLEST_MESSAGE)
        return messages or None

    def close(self) -> None:
        """Close the socket."""
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None
