"""A thread that reads a link into a bounded queue, and connects again when the link breaks.

The thread does nothing but read: it decouples the network from a detector that is busy for a whole window, above all
for datagrams, which the system drops when nobody takes them.
"""

import queue
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from eventdet.errors import EventdetError
from eventdet.wire import LinkReport

__all__ = ["ARRIVAL_BYTES", "POLL_S", "Arrival", "Link", "Receiver"]

POLL_S = 0.1
"""Longest wait of a link for data: how soon a source that is closed lets go."""

ARRIVAL_BYTES = 1 << 18
"""A link hands over no more at once than this and the rest of one message."""

_QUEUE_ARRIVALS = 64
"""So 16 MiB wait for the detector; then a stream is held back and datagrams drop."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0


class Link(Protocol):
    """One way for bytes to come in. `open`, `read` and `close` are called by the receiver's thread alone."""

    is_lossy: bool
    """Whether messages are dropped rather than held back when they come too fast."""

    reconnects: bool
    """Whether an end that the sender did not announce is a break."""

    def open(self) -> None:
        """Connect; raises OSError when that fails for now."""

    def read(self) -> list[bytes] | None:
        """Return what came within `POLL_S`: messages or pieces of a stream; None: nothing, an empty list: the end."""

    def close(self) -> None:
        """Let go of the connection; a second call does nothing."""


class Arrival(NamedTuple):
    """What the thread hands over."""

    messages: list[bytes]
    """In the order in which they came."""

    arrived_ns: int
    """`time.perf_counter_ns` when they came."""

    is_cut: bool = False
    """Whether the connection broke: what comes next does not continue what came before."""

    end: str = ""
    """Why nothing more comes; empty otherwise."""

    error: EventdetError | None = None
    """What the link raised, to be raised again where the stream is read."""


class Receiver:
    """Reads a link from its construction on, until `close`.

    Parameters
    ----------
    link : Link
        Where bytes come from.
    timeout_s : float
        The stream is over when nothing came, or no connection could be made, for this long; 0 waits for ever.
    report : LinkReport
        Dropped messages are counted in it.
    """

    def __init__(self, link: Link, *, timeout_s: float, report: LinkReport) -> None:
        self._link = link
        self._timeout_s = timeout_s
        self._report = report
        self._heard_s = time.monotonic()
        self._queue: queue.Queue[Arrival] = queue.Queue(_QUEUE_ARRIVALS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="eventdet receiver", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Arrival | None]:
        """Yield what came, None after each `POLL_S` without anything, and last an arrival with an end or error."""
        while not self._stop.is_set():
            try:
                arrival = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                if not self._thread.is_alive() and self._queue.empty():
                    return
                yield None
                continue
            yield arrival
            if arrival.end or arrival.error:
                return

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._connect() and self._pump():
                self._link.close()
                if not self._link.reconnects:
                    self._put(Arrival([], time.perf_counter_ns(), end="the stream ended"))
                    return
                self._put(Arrival([], time.perf_counter_ns(), is_cut=True))
        except EventdetError as error:
            self._put(Arrival([], time.perf_counter_ns(), error=error))
        finally:
            self._link.close()

    def _connect(self) -> bool:
        """Connect, with pauses that double; return whether it worked."""
        pause_s = _FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                self._link.open()
            except OSError as error:
                if isinstance(error, EventdetError):
                    raise
                self._link.close()
                if self._gives_up(f"no connection: {error.strerror or error}"):
                    return False
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                return True
        return False

    def _pump(self) -> bool:
        """Read until the link ends or breaks; return False when it fell silent for too long, or nobody reads on."""
        while not self._stop.is_set():
            try:
                messages = self._link.read()
            except OSError as error:
                if isinstance(error, EventdetError):
                    raise
                return True
            if messages is None:
                if self._gives_up("nothing came"):
                    return False
                continue
            if not messages:
                return True
            self._put(Arrival(messages, time.perf_counter_ns()))
            # Behind the put: that nobody takes what came is no silence of the sender.
            self._heard_s = time.monotonic()
        return False

    def _gives_up(self, why: str) -> bool:
        """Return whether the silence has lasted too long, after having said so."""
        if not self._timeout_s or time.monotonic() - self._heard_s < self._timeout_s:
            return False
        self._put(Arrival([], time.perf_counter_ns(), end=f"{why} for {self._timeout_s:g} s"))
        return True

    def _put(self, arrival: Arrival) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(arrival, timeout=POLL_S)
            except queue.Full:
                if self._link.is_lossy and arrival.messages:
                    self._report.dropped_messages += len(arrival.messages)
                    return
            else:
                return
