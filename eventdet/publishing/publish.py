"""A source out to a network, interval by interval."""

import secrets
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.pace import Pacer
from eventdet.sources import EventSource
from eventdet.wire import PACKET_FORMATS, WireHeader, parse_address, require_local

from ._encoders import Encoder, PacketEncoder, WireEncoder
from ._outlets import DatagramOutlet, Outlet, StdoutOutlet, ZmqOutlet
from ._server import StreamServer
from .report import PublishReport

__all__ = ["PublishOptions", "Publisher", "open_publisher", "publish"]

INTERVAL_US = 10_000
"""Events leave every 10 ms of the recording: what a receiver waits at most, well below a window."""

_FRAME_EVENTS = 8192
"""64 KiB a frame: beyond it the cost of a frame no longer counts, and a lost one costs little."""

_DATAGRAM_EVENTS = 176
"""With both headers 1468 bytes, the most that one Ethernet packet carries."""

_OVERFLOWS = ("wait", "drop")
_SCHEMES = ("tcp", "unix", "udp", "zmq")

_LAST_WORDS_S = 0.05
"""Pause before the end is said, and said again: what filled the receiver's buffer is read by then."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How to publish."""

    format: str | None = None
    """Layout of the datagrams, one of ``eventdet.wire.PACKET_FORMATS``; None: our framing."""

    num_clients: int = 1
    """Receivers to wait for before the first event, where they connect."""

    overflow: str = "wait"
    """``wait``: the slowest receiver holds back all; ``drop``: it loses messages, which are counted at both ends."""

    allow_remote: bool = False
    """Whether other machines may connect."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        OptionError
            When a value is outside its rule.
        """
        check_option("overflow", self.overflow, _OVERFLOWS)
        if self.num_clients < 1:
            raise OptionError(f"num_clients must be >= 1, got {self.num_clients}")
        if self.format is not None:
            check_option("format", self.format, PACKET_FORMATS)


class Publisher:
    """Sends events as messages; leaving its block closes it, at once when an exception passes."""

    def __init__(self, encoder: Encoder, outlet: Outlet, report: PublishReport) -> None:
        self._encoder = encoder
        self._outlet = outlet
        self.report = report
        """What was sent so far."""

    @property
    def address(self) -> str:
        """Where receivers find it, with the port that the system chose."""
        return self._outlet.address

    def wait(self) -> None:
        """Wait until somebody receives, where that can be known."""
        self._outlet.wait()

    def send(self, events: Events) -> None:
        """Send events that follow those before in time."""
        self.report.num_events += len(events)
        for message in self._encoder.events(events):
            self._send(message)

    def heartbeat(self, t_us: int) -> None:
        """Say that no event before `t_us` comes any more."""
        for message in self._encoder.heartbeat(t_us):
            self._send(message)

    def end(self, t_us: int) -> None:
        """Say that nothing more comes after the event at `t_us`."""
        for message in self._encoder.end(t_us):
            if not self._outlet.is_connected:
                time.sleep(_LAST_WORDS_S)
            self._send(message, is_last=True)

    def close(self, *, at_once: bool = False) -> None:
        """Let go, after what is queued has been sent or at once."""
        self._outlet.close(at_once=at_once)

    def __enter__(self) -> Self:
        """Return the publisher."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let go."""
        self.close(at_once=kind is not None)

    def _send(self, message: bytes, *, is_last: bool = False) -> None:
        self.report.messages += 1
        self._outlet.send(message, is_last=is_last)


def open_publisher(to: str, source: EventSource, options: PublishOptions | None = None) -> Publisher:
    """Return a publisher for a source; receivers can connect from now on.

    Parameters
    ----------
    to : str
        ``tcp://127.0.0.1:7770``, ``unix://path`` and ``zmq://127.0.0.1:7770`` are listened on, with port 0 the system
        chooses one; ``udp://host:port`` is sent to; ``-`` is the standard output.
    source : EventSource
        Names sensor size and whether its events are simulated.
    options : PublishOptions, optional
        How to publish.

    Raises
    ------
    OptionError
        When the address breaks its rule, or other machines could connect and may not.
    OutputError
        When the address cannot be bound.
    MissingExtraError
        When a package for it is missing.
    """
    options = options or PublishOptions()
    scheme = "-" if to == "-" else check_option("scheme of the address", to.partition("://")[0], _SCHEMES)
    if options.format is not None and scheme != "udp":
        raise OptionError(f"format {options.format} is for udp, got {to!r}", hint="leave --format out")
    report = PublishReport()
    encoder = _encoder(scheme, source, options)
    return Publisher(encoder, _outlet(to, encoder, options, report), report)


def _encoder(scheme: str, source: EventSource, options: PublishOptions) -> Encoder:
    if options.format is not None:
        return PacketEncoder(PACKET_FORMATS[options.format])
    return WireEncoder(
        WireHeader(source.sensor_size, secrets.randbits(64), source.synthetic),
        max_events=_DATAGRAM_EVENTS if scheme == "udp" else _FRAME_EVENTS,
        is_connected=scheme not in ("udp", "zmq"),
    )


def _outlet(to: str, encoder: Encoder, options: PublishOptions, report: PublishReport) -> Outlet:
    if to == "-":
        return StdoutOutlet(greeting=encoder.greeting)
    address = parse_address(to)
    if address.scheme == "udp":
        return DatagramOutlet(address)
    require_local(address, allow_remote=options.allow_remote)
    waits = options.overflow == "wait"
    if address.scheme == "zmq":
        return ZmqOutlet(address, report=report, waits=waits)
    return StreamServer(address, greeting=encoder.greeting, report=report, num_clients=options.num_clients, waits=waits)


def publish(source: EventSource, publisher: Publisher, *, pace: float = 1.0) -> PublishReport:
    """Send every event of a source, and say its end.

    Parameters
    ----------
    source : EventSource
        Where events come from.
    publisher : Publisher
        Where they go; it stays open.
    pace : float
        Recorded seconds per wall second; infinite: as fast as the receivers take them.

    Returns
    -------
    PublishReport
        What was sent.
    """
    pacer = Pacer(pace)
    t_last_us = source.t_last_us
    t_us = 0
    publisher.wait()
    for interval in source.windows(INTERVAL_US):
        pacer.wait_until(interval.t1_us, start_us=interval.t0_us)
        publisher.send(interval.events)
        if len(interval.events):
            t_us = int(interval.events.t[-1])
        if t_last_us is None or interval.t1_us <= t_last_us:
            # Not beyond the last event: the receiver would see silence that the recording does not have.
            publisher.heartbeat(interval.t1_us)
            t_us = interval.t1_us
    publisher.end(t_us)
    return publisher.report
