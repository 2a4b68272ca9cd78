"""From the bytes of a link to events: our framing, raw camera bytes, or the datagrams of other tools.

All of them decode with the `Decoder` that reads files, so that a live stream is repaired and counted by the same rules.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from eventdet.errors import FormatError
from eventdet.events import Events
from eventdet.formats import DAT, Decoder, Encoding, ReadPolicy
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.wire import LinkReport, PacketFormat, WireFrame, WireHeader, WireParser

__all__ = ["Batch", "PacketReading", "RawReading", "Reading", "ReadingContext", "WireReading"]


class ReadingContext(NamedTuple):
    """What every reading is given."""

    where: str
    """Address of the stream, for messages."""

    policy: str | ReadPolicy
    """What to do with dirty input."""

    report: LinkReport
    """Takes the counts of frames and bytes."""

    events_report: ReadReport
    """Takes the counts of events and repairs."""

    def decoder(self, encoding: Encoding, sensor_size: SensorSize) -> Decoder:
        """Return a decoder that counts in `events_report`."""
        return Decoder(encoding, sensor_size, policy=self.policy, where=self.where, report=self.events_report)


class Batch(NamedTuple):
    """Events, and how far the stream has come."""

    events: Events
    """In time order; maybe none."""

    now_us: int | None = None
    """No event before this stamp comes any more; None: nothing is known beyond the events."""


class Reading(Protocol):
    """Turns messages into events."""

    @property
    def format(self) -> str:
        """Format of the events."""

    @property
    def sensor_size(self) -> SensorSize | None:
        """Rows and columns of the camera; None until the stream has said them."""

    @property
    def synthetic(self) -> bool:
        """Whether the stream says that its events are simulated."""

    @property
    def is_over(self) -> bool:
        """Whether the stream has said that it ends."""

    def feed(self, message: bytes, *, arrived_us: int) -> Iterator[Batch]:
        """Yield the events of a message that came at `arrived_us`, microseconds since the link was opened."""

    def idle(self, *, now_us: int) -> Batch | None:
        """Return how far the stream has come when nothing arrived until `now_us`; None: that cannot be known."""

    def cut(self) -> None:
        """Forget what is not whole: the connection broke."""


class WireReading:
    """Our framing; numbers tell what was lost, and heartbeats that nothing moved."""

    format = "dat"

    def __init__(self, context: ReadingContext) -> None:
        self._context = context
        self._report = context.report
        self._parser = WireParser(context.report)
        self._header: WireHeader | None = None
        self._decoder: Decoder | None = None
        self._next_seq: int | None = None
        self.is_over = False

    @property
    def sensor_size(self) -> SensorSize | None:
        """Rows and columns, once the header came."""
        return self._header.sensor_size if self._header else None

    @property
    def synthetic(self) -> bool:
        """Whether the header says that the events are simulated."""
        return self._header is not None and self._header.synthetic

    def feed(self, message: bytes, *, arrived_us: int) -> Iterator[Batch]:
        """Yield the events of each frame that is whole with this message."""
        for item in self._parser.feed(message):
            if self.is_over:
                return
            if isinstance(item, WireHeader):
                self._begin(item)
            else:
                yield from self._take(item)

    def idle(self, *, now_us: int) -> Batch | None:
        """Return None: the sender's clock is not ours, its heartbeats tell the time."""
        return None

    def cut(self) -> None:
        """Forget the frame that is not whole."""
        self._parser.cut()

    def _begin(self, header: WireHeader) -> None:
        if self._header is None:
            self._header = header
            self._decoder = self._context.decoder(DAT, header.sensor_size)
        elif header != self._header:
            # Its clock starts anew: no window may hold events of both.
            self.is_over = True
            self._report.ended = "another stream began"

    def _take(self, frame: WireFrame) -> Iterator[Batch]:
        if self._decoder is None:
            # A frame whose header was lost has no sensor size.
            self._report.garbage_bytes += len(frame.payload)
            return
        if self._next_seq is not None and frame.seq < self._next_seq:
            self._report.repeated_frames += 1
            return
        if self._next_seq is not None:
            self._report.lost_frames += frame.seq - self._next_seq
        self._next_seq = frame.seq + 1
        self._decoder.advance_to(frame.t_us)
        if frame.is_last:
            self.is_over = True
            self._report.ended = "the stream ended"
        yield Batch(self._decoder.feed(frame.payload, is_whole=True), frame.t_us)


class RawReading:
    """The words of a camera as they are, without a frame around them."""

    synthetic = False
    is_over = False

    def __init__(self, encoding: Encoding, sensor_size: SensorSize, context: ReadingContext) -> None:
        self.sensor_size = sensor_size
        self.format = encoding.name
        self._context = context
        self._decoder = context.decoder(encoding, sensor_size)
        self._is_first = True

    def feed(self, message: bytes, *, arrived_us: int) -> Iterator[Batch]:
        """Yield the events of a piece of the stream.

        Raises
        ------
        FormatError
            When the stream begins like a file: its header would be read as events.
        """
        if self._is_first and message.startswith(b"% "):
            raise FormatError(
                f"{self._context.where}: begins like a file, at byte 0",
                hint="give the file itself as the source",
            )
        self._is_first = False
        self._context.report.frames += 1
        yield Batch(self._decoder.feed(message))

    def idle(self, *, now_us: int) -> Batch | None:
        """Return None: the camera's clock is not ours."""
        return None

    def cut(self) -> None:
        """Forget the record that is not whole."""
        self._decoder.cut()


class PacketReading:
    """The datagrams of another tool; each stands for itself."""

    format = "dat"
    synthetic = False
    is_over = False

    def __init__(self, packets: PacketFormat, sensor_size: SensorSize, context: ReadingContext) -> None:
        self.sensor_size = sensor_size
        self._packets = packets
        self._report = context.report
        self._decoder = context.decoder(DAT, sensor_size)
        self._is_untimed = False

    def feed(self, message: bytes, *, arrived_us: int) -> Iterator[Batch]:
        """Yield the events of a datagram."""
        packet = self._packets.decode(message, arrived_us)
        self._report.frames += 1
        self._report.garbage_bytes += packet.odd_bytes
        self._is_untimed = packet.is_untimed
        if packet.t_us is not None:
            self._decoder.advance_to(packet.t_us)
        yield Batch(self._decoder.feed(packet.records, is_whole=True))

    def idle(self, *, now_us: int) -> Batch | None:
        """Return the present for events without a stamp, whose clock is ours."""
        if not self._is_untimed:
            return None
        self._decoder.advance_to(now_us)
        return Batch(Events.empty(), now_us)

    def cut(self) -> None:
        """Do nothing: a datagram is whole."""
