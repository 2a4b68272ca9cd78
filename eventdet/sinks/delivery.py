"""Windows to a network, without the loop ever waiting for it.

Each sink has a thread and a bounded queue of its own. A receiver that is slow or gone fills the queue, and then the
oldest window makes room: what is newest is worth most to whoever watches. Connections are made again with growing
pauses. Everything is counted, so that ``windows = sent + dropped + queued`` holds at any time.
"""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from eventdet.errors import EventdetError

from .base import Sink
from .jsonl import header_record, result_record, totals_record
from .result import StreamHeader, StreamTotals, WindowResult

__all__ = ["HEADER", "SUMMARY", "WINDOW", "DeliveryReport", "NetworkSink", "Transport"]

HEADER, WINDOW, SUMMARY = "header", "window", "summary"
"""Kinds of records."""

QUEUE_WINDOWS = 256
"""Windows that wait: 13 s of 50 ms windows; without their events, a few kilobytes each."""

POLL_S = 0.1
"""Longest wait of the thread before it looks around."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 5.0

FLUSH_S = 2.0
"""How long the end of a run waits for what is queued."""


@dataclass(slots=True)
class DeliveryReport:
    """What became of the windows given to one sink."""

    sent: int = 0
    """Handed to the receiver, or to the system where nobody confirms."""

    dropped: int = 0
    """Given up, since too many waited, they were too long, or the run ended."""

    queued: int = 0
    """Waiting now."""

    reconnects: int = 0
    """Times that the connection was made again."""

    is_connected: bool = False
    """Whether there is a connection now."""

    error: str = ""
    """Why there is none, or was none the last time."""

    def __str__(self) -> str:
        """Return the counts in one line."""
        line = f"sent {self.sent:,}, dropped {self.dropped:,}, reconnects {self.reconnects:,}"
        return f"{line}; {self.error}" if self.error and not self.is_connected else line


class Transport(Protocol):
    """One way out. All but `prepare` is called by the thread of the sink alone."""

    def prepare(self) -> None:
        """Do what must work before the run starts, such as to bind a port; raises OutputError."""

    def open(self) -> None:
        """Connect; raises OSError when that fails for now."""

    def send(self, kind: str, data: bytes) -> bool:
        """Send a record; return False when it can never be sent; raises OSError when the connection broke."""

    def wants_header(self) -> bool:
        """Return whether somebody new has come who needs the header; called often; may raise OSError."""

    def close(self, *, is_last: bool) -> None:
        """Let go of the connection; `is_last`: for good, after what was sent has left."""


class _Waiting(NamedTuple):
    kind: str
    value: WindowResult | StreamTotals


class NetworkSink(Sink):
    """Give windows to a transport, from a thread.

    Parameters
    ----------
    target : str
        As the user wrote it.
    transport : Transport
        Way out.
    header : StreamHeader
        Sent first on every connection.

    Raises
    ------
    OutputError
        When the transport cannot be prepared.
    """

    def __init__(self, target: str, transport: Transport, *, header: StreamHeader) -> None:
        self.target = target
        self.note = ""
        self._class_names = header.class_names
        self._header = _encode(header_record(header))
        self._transport = transport
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._counts = DeliveryReport()
        self._is_closing = False
        self._is_closed = False
        self._deadline_s = float("inf")
        transport.prepare()
        self._thread = threading.Thread(target=self._run, name=f"eventdet sink {target}", daemon=True)
        self._thread.start()

    @property
    def report(self) -> DeliveryReport:
        """The counts so far, a copy; any thread may ask."""
        with self._changed:
            return replace(self._counts)

    def write(self, result: WindowResult) -> None:
        """Queue a window; the oldest one makes room when too many wait."""
        # The events may be megabytes, and no record says more of them than their number.
        waiting = _Waiting(WINDOW, replace(result, events=None))
        with self._changed:
            if self._counts.queued >= QUEUE_WINDOWS:
                self._waiting.popleft()
                self._counts.queued -= 1
                self._counts.dropped += 1
            self._waiting.append(waiting)
            self._counts.queued += 1
            self._changed.notify()

    def conclude(self, totals: StreamTotals) -> None:
        """Queue the closing record."""
        with self._changed:
            self._waiting.append(_Waiting(SUMMARY, totals))
            self._changed.notify()

    def close(self) -> None:
        """Send what is queued, for `FLUSH_S` at most, and count the rest as dropped."""
        with self._changed:
            if self._is_closing:
                return
            self._is_closing = True
            self._deadline_s = time.monotonic() + FLUSH_S
            self._changed.notify()
        # A little more than the deadline: the thread may be in the middle of a wait.
        self._thread.join(FLUSH_S + 5 * POLL_S)
        with self._changed:
            self._is_closed = True
            self._counts.dropped += self._counts.queued
            self._counts.queued = 0
            self._waiting.clear()
        self.note = str(self._counts)

    def discard(self) -> None:
        """Let go; what was sent cannot be taken back."""
        self.close()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        was_connected = False
        try:
            while not self._is_over():
                try:
                    self._transport.open()
                    self._transport.send(HEADER, self._header)
                    self._connected(again=was_connected)
                    was_connected = True
                    pause_s = _FIRST_PAUSE_S
                    self._pump()
                except OSError as error:
                    if isinstance(error, EventdetError):
                        raise
                    self._broken(error)
                    self._transport.close(is_last=False)
                    self._pause(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        except EventdetError as error:
            self._broken(error)
        finally:
            self._transport.close(is_last=True)

    def _pump(self) -> None:
        """Send what comes until the end; raises OSError when the connection breaks, with the record put back."""
        while not self._is_over():
            if self._transport.wants_header():
                self._transport.send(HEADER, self._header)
            record = self._next()
            if record is None:
                continue
            try:
                is_sent = self._transport.send(record.kind, self._encoded(record))
            except OSError:
                self._put_back(record)
                raise
            self._count(record, is_sent=is_sent)

    def _next(self) -> _Waiting | None:
        """Return the oldest record, after a short wait for one; a window counts as queued until it is sent."""
        with self._changed:
            if not self._waiting and not self._is_closing:
                self._changed.wait(POLL_S)
            if not self._waiting:
                return None
            return self._waiting.popleft()

    def _put_back(self, record: _Waiting) -> None:
        with self._changed:
            if not self._is_closed:
                self._waiting.appendleft(record)

    def _count(self, record: _Waiting, *, is_sent: bool) -> None:
        if record.kind != WINDOW:
            return
        with self._changed:
            # A thread that was stuck beyond the end comes too late: its window is counted already.
            if self._is_closed:
                return
            self._counts.queued -= 1
            if is_sent:
                self._counts.sent += 1
            else:
                self._counts.dropped += 1

    def _encoded(self, record: _Waiting) -> bytes:
        if isinstance(record.value, StreamTotals):
            return _encode(totals_record(record.value))
        return _encode(result_record(record.value, self._class_names))

    def _is_over(self) -> bool:
        with self._changed:
            if not self._is_closing:
                return False
            # Without a connection the end of the run is no time to wait for one: one more try, no second.
            is_hopeless = bool(self._counts.error) and not self._counts.is_connected
            return not self._waiting or is_hopeless or time.monotonic() > self._deadline_s

    def _pause(self, pause_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, pause_s)

    def _connected(self, *, again: bool) -> None:
        with self._changed:
            self._counts.is_connected = True
            self._counts.reconnects += again

    def _broken(self, error: OSError | EventdetError) -> None:
        with self._changed:
            self._counts.is_connected = False
            self._counts.error = (error.strerror if isinstance(error, OSError) else "") or str(error)


def _encode(record: dict[str, object]) -> bytes:
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode()
