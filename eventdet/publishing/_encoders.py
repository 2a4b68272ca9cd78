"""Events to messages: our framing, or the datagrams of other tools."""

from collections.abc import Iterator
from typing import Protocol

from eventdet.events import Events
from eventdet.formats import pack_dat
from eventdet.wire import PacketFormat, WireFrame, WireHeader, encode_frame, encode_header

__all__ = ["Encoder", "PacketEncoder", "WireEncoder"]


class Encoder(Protocol):
    """Makes the messages of one stream."""

    greeting: bytes
    """What a receiver gets first."""

    def events(self, events: Events) -> Iterator[bytes]:
        """Yield the messages of the next events."""

    def heartbeat(self, t_us: int) -> Iterator[bytes]:
        """Yield what says that no event before `t_us` comes any more."""

    def end(self, t_us: int) -> Iterator[bytes]:
        """Yield what says that nothing more comes after the event at `t_us`."""


class WireEncoder:
    """Our framing.

    Parameters
    ----------
    header : WireHeader
        What the stream says about itself.
    max_events : int
        Events in a frame.
    is_connected : bool
        Whether a receiver gets all bytes in order. If not, each message begins with the header, and the last is said
        three times.
    """

    def __init__(self, header: WireHeader, *, max_events: int, is_connected: bool) -> None:
        encoded = encode_header(header)
        self.greeting = encoded if is_connected else b""
        self._prefix = b"" if is_connected else encoded
        self._ends = 1 if is_connected else 3
        self._max_events = max_events
        self._seq = 0

    def events(self, events: Events) -> Iterator[bytes]:
        """Yield frames of at most `max_events`."""
        for start in range(0, len(events), self._max_events):
            part = events[start : start + self._max_events]
            yield self._frame(int(part.t[0]), pack_dat(*part).tobytes())

    def heartbeat(self, t_us: int) -> Iterator[bytes]:
        """Yield a frame without events."""
        yield self._frame(t_us)

    def end(self, t_us: int) -> Iterator[bytes]:
        """Yield the last frame."""
        for _ in range(self._ends):
            yield self._frame(t_us, is_last=True)

    def _frame(self, t_us: int, payload: bytes = b"", *, is_last: bool = False) -> bytes:
        self._seq += 1
        return self._prefix + encode_frame(WireFrame(self._seq - 1, t_us, payload, is_last))


class PacketEncoder:
    """Datagrams of another tool, which know neither heartbeats nor an end."""

    greeting = b""

    def __init__(self, packets: PacketFormat) -> None:
        self._packets = packets

    def events(self, events: Events) -> Iterator[bytes]:
        """Yield datagrams of as many events as that tool puts in one."""
        for start in range(0, len(events), self._packets.max_events):
            yield self._packets.encode(events[start : start + self._packets.max_events])

    def heartbeat(self, t_us: int) -> Iterator[bytes]:
        """Yield nothing."""
        yield from ()

    def end(self, t_us: int) -> Iterator[bytes]:
        """Yield nothing."""
        yield from ()
