"""From an address to a live source."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from eventdet.errors import OptionError
from eventdet.formats import DAT, EVT2, EVT3, EVT4, EVT21, EVT21_SWAPPED, Encoding, ReadPolicy
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.wire import PACKET_FORMATS, Address, LinkReport, PacketFormat, parse_address, require_local

from ._camera import CameraLink, CameraReading
from ._links import DatagramLink, StdinLink, StreamLink
from ._readings import PacketReading, RawReading, Reading, ReadingContext, WireReading
from ._zmq_link import ZmqLink
from .live import LiveSource

__all__ = ["LIVE_SCHEMES", "LiveOptions", "open_live"]

_PARAMETERS = ("format", "size", "timeout")
_RAW_ENCODINGS = {
    "dat": DAT,
    "evt2": EVT2,
    "evt21": EVT21,
    # A stream is not looked into before it is read: which order a camera sends has to be said.
    "evt21-swapped": EVT21_SWAPPED,
    "evt3": EVT3,
    "evt4": EVT4,
}
_TIMEOUT_S = 10.0

_LONGEST_TIMEOUT_S = 1e9

LIVE_SCHEMES = ("camera", "tcp", "udp", "unix", "zmq")
"""Every scheme of a live source."""


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How to read a live source; what the address itself says goes before."""

    format: str | None = None
    """``dat``, ``evt2``, ``evt3`` for raw camera words, or the name of a datagram layout; None: our framing."""

    sensor_size: SensorSize | None = None
    """Needed for every format but our framing, which says it."""

    policy: str | ReadPolicy = "repair"
    """What to do with dirty input."""

    allow_remote: bool = False
    """Whether a socket may be bound to an address that other machines reach."""


def open_live(target: str, options: LiveOptions) -> LiveSource:
    """Return the live source that an address names; it is being read from now on.

    Parameters
    ----------
    target : str
        ``-`` for the standard input, or an address with one of `LIVE_SCHEMES`.
    options : LiveOptions
        How to read it.

    Raises
    ------
    OptionError
        When the address breaks its rule, or the sensor size is missing.
    InputError
        When a socket cannot be bound.
    MissingExtraError
        When a package is missing.
    """
    if target == "-":
        # A pipe ends when its writer does; until then it may be silent as long as it likes.
        context = _context("-", options)
        return LiveSource(StdinLink(), _reading(_RAW_ENCODINGS, options, context), context, timeout_s=0.0)
    address = parse_address(target, known=_PARAMETERS)
    timeout_s = _timeout_s(address)
    size = address.parameters.get("size")
    options = replace(
        options,
        format=address.parameters.get("format", options.format),
        sensor_size=options.sensor_size if size is None else SensorSize.parse(size),
    )
    if address.scheme == "camera":
        context = _context(address.endpoint, options)
        camera = CameraLink(address.path, report=context.report)
        return LiveSource(camera, CameraReading(camera, context), context, timeout_s=timeout_s)
    if address.scheme == "udp":
        return _open_datagrams(address, options, timeout_s=timeout_s)
    if address.scheme != "unix" and not address.port:
        raise OptionError(f"address {target!r}: names no port", hint=f"write it like {address.scheme}://127.0.0.1:7770")
    context = _context(address.endpoint, options)
    reading = _reading(_RAW_ENCODINGS, options, context)
    link = ZmqLink(address) if address.scheme == "zmq" else StreamLink(address)
    return LiveSource(link, reading, context, timeout_s=timeout_s)


def _open_datagrams(address: Address, options: LiveOptions, *, timeout_s: float) -> LiveSource:
    require_local(address, allow_remote=options.allow_remote)
    context = _context(address.endpoint, options)
    link = DatagramLink(address, report=context.report)
    host = f"[{address.host}]" if ":" in address.host else address.host
    context = context._replace(where=f"udp://{host}:{link.port}")
    try:
        return LiveSource(link, _reading(PACKET_FORMATS, options, context), context, timeout_s=timeout_s)
    except OptionError:
        link.close()
        raise


def _context(where: str, options: LiveOptions) -> ReadingContext:
    return ReadingContext(where, options.policy, LinkReport(), ReadReport())


def _timeout_s(address: Address) -> float:
    text = address.parameters.get("timeout", f"{_TIMEOUT_S:g}")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= _LONGEST_TIMEOUT_S:
        raise OptionError(f"address {address.text!r}: timeout must be seconds >= 0, got {text!r}")
    return seconds


def _reading(
    known: Mapping[str, Encoding] | Mapping[str, PacketFormat], options: LiveOptions, context: ReadingContext
) -> Reading:
    if options.format is None:
        return WireReading(context)
    layout = known.get(options.format)
    if layout is None:
        raise OptionError(
            f"{context.where}: format must be one of {', '.join(known)}, got {options.format!r}",
            hint="leave it out for what eventdet serve sends",
        )
    if options.sensor_size is None:
        raise OptionError(
            f"{context.where}: format {options.format} does not say the sensor size", hint="give --sensor-size 304x240"
        )
    if isinstance(layout, Encoding):
        return RawReading(layout, options.sensor_size, context)
    return PacketReading(layout, options.sensor_size, context)
