"""A TCP or UNIX socket that any number of receivers connect to, each with a thread and a bounded queue of its own."""

import contextlib
import queue
import socket
import stat
import threading
import time
from pathlib import Path

from eventdet.errors import OutputError
from eventdet.wire import Address

from .report import PublishReport

__all__ = ["StreamServer"]

_POLL_S = 0.1
_QUEUE_MESSAGES = 64
_STALL_S = 30.0


class _Client:
    """One receiver: what it is sent waits in a queue that its thread empties."""

    def __init__(self, connection: socket.socket, *, greeting: bytes, report: PublishReport, stall_s: float) -> None:
        self._connection = connection
        self._connection.settimeout(stall_s)
        self._report = report
        self._queue: queue.Queue[bytes | None] = queue.Queue(_QUEUE_MESSAGES)
        self._queue.put(greeting)
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eventdet client", daemon=True)
        self._thread.start()

    @property
    def is_gone(self) -> bool:
        """Whether it has closed its end, or was let go."""
        return self._gone.is_set()

    def put(self, message: bytes | None, *, waits: bool) -> None:
        """Queue a message; a full queue is waited for, or the message dropped and counted."""
        while not self.is_gone:
            try:
                self._queue.put(message, block=waits, timeout=_POLL_S)
            except queue.Full:
                if not waits:
                    self._report.dropped_messages += 1
                    return
            else:
                return

    def finish(self) -> None:
        """Send what is queued and close."""
        self.put(None, waits=True)
        self._thread.join()

    def abort(self) -> None:
        """Close at once."""
        self._gone.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (message := self._queue.get()) is not None and not self.is_gone:
                self._connection.sendall(message)
        except TimeoutError:
            self._report.stalled_clients += 1
        except OSError:
            # The receiver has closed its end; the server goes on with the others.
            pass
        finally:
            self._gone.set()
            self._connection.close()


class StreamServer:
    """Sends every message to every receiver that is connected.

    Parameters
    ----------
    address : Address
        Where to listen; with port 0 the system chooses one.
    greeting : bytes
        What each receiver gets first.
    report : PublishReport
        Receivers and dropped messages are counted in it.
    num_clients : int
        Receivers that `wait` waits for.
    waits : bool
        Whether the slowest receiver holds back all, or loses messages.
    stall_s : float
        A receiver that takes nothing for this long is let go, seconds.

    Raises
    ------
    OutputError
        When the address cannot be bound.
    """

    is_connected = True

    def __init__(
        self, address: Address, *, greeting: bytes, report: PublishReport, num_clients: int = 1, waits: bool = True,
        stall_s: float = _STALL_S,
    ) -> None:  # fmt: skip
        self._greeting = greeting
        self._report = report
        self._num_clients = num_clients
        self._waits = waits
        self._stall_s = stall_s
        self._path = Path(address.path) if address.scheme == "unix" else None
        self._socket = _listen(address)
        self._socket.settimeout(_POLL_S)
        self.address = address.endpoint
        """The address, with the port that the system chose."""
        if self._path is None:
            host = f"[{address.host}]" if ":" in address.host else address.host
            self.address = f"tcp://{host}:{self._socket.getsockname()[1]}"
        self._clients: list[_Client] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="eventdet server", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the first receivers."""
        while len(self._connected()) < self._num_clients:
            time.sleep(_POLL_S / 10)

    def send(self, message: bytes, *, is_last: bool = False) -> None:
        """Queue a message for every receiver; when messages may not be lost and all have gone, wait for one."""
        clients = self._connected()
        while not clients and self._waits and not is_last:
            time.sleep(_POLL_S / 10)
            clients = self._connected()
        for client in clients:
            client.put(message, waits=self._waits or is_last)

    def close(self, *, at_once: bool = False) -> None:
        """Send what is queued and close, or close at once."""
        self._stop.set()
        self._thread.join()
        self._socket.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        for client in self._clients:
            client.abort() if at_once else client.finish()

    def _connected(self) -> list[_Client]:
        with self._lock:
            self._clients = [client for client in self._clients if not client.is_gone]
            return list(self._clients)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(connection, greeting=self._greeting, report=self._report, stall_s=self._stall_s)
            with self._lock:
                self._clients.append(client)
                self._report.clients += 1


def _listen(address: Address) -> socket.socket:
    try:
        if address.scheme == "unix":
            return _listen_unix(Path(address.path))
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise OutputError(
            f"{address.endpoint}: cannot be bound: {error.strerror or error}", hint="give another"
        ) from error


def _listen_unix(path: Path) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on any more; anything else stays, and binding says so."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
