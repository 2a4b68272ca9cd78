"""From what the user typed to a source."""

from urllib.parse import parse_qsl, urlsplit

from eventdet.errors import OptionError
from eventdet.formats import ReadPolicy, Recording
from eventdet.geometry import SensorSize
from eventdet.simulation import SimulationConfig
from eventdet.units import MICROSECONDS_PER_SECOND

from ._open_live import LIVE_SCHEMES, LiveOptions, open_live
from ._protocol import EventSource
from .stored import open_file_or_store
from .synthetic import SyntheticSource

__all__ = ["open_finite", "open_source"]

_LONGEST_SYNTHETIC_S = 600.0
"""A simulated source lies in memory: ten minutes of traffic are about 4 GB."""

_SYNTHETIC = frozenset({"seed", "seconds", "sensor", "rate"})
"""What an address of a simulated source may say; its host is the preset."""


def open_source(
    target: str,
    *,
    sensor_size: SensorSize | None = None,
    policy: str | ReadPolicy = "repair",
    format: str | None = None,  # noqa: A002 - the name that the address has for it
    allow_remote: bool = False,
) -> EventSource:
    """Return the source that an address or path names.

    Parameters
    ----------
    target : str
        Path of a recording or of a store, ``synthetic://night?seed=1&seconds=5`` (see :class:`SyntheticSource`), ``-``
        for the standard input, or the
        address of a live stream: ``tcp://host:port``, ``unix://path``, ``udp://host:port``, ``zmq://host:port``,
        ``camera://``.
    sensor_size : SensorSize, optional
        Used where the file or stream does not name its size.
    policy : str or ReadPolicy
        What to do with dirty input.
    format : str, optional
        What a live stream carries, when it is not the framing of ``eventdet serve``: ``dat``, ``evt2`` or ``evt3`` for
        raw camera words, ``spif``, ``faery13`` or ``faery8`` for the datagrams of other tools.
    allow_remote : bool
        Whether a UDP socket may be bound to an address that other machines reach.

    Returns
    -------
    EventSource
        Ready to be cut into windows; a live one is being read from now on.

    Raises
    ------
    OptionError
        When the scheme or a parameter is unknown.
    InputError
        When the file cannot be read or the socket not be bound.
    MissingExtraError
        When a package for the address is missing.

    Examples
    --------
    >>> open_source("synthetic://?seed=3&seconds=0.1").name
    'synthetic://?seed=3&seconds=0.1'
    """
    scheme, separator, _ = target.partition("://")
    if target == "-" or scheme in LIVE_SCHEMES:
        return open_live(target, LiveOptions(format, sensor_size, policy, allow_remote))
    if format is not None:
        raise OptionError(f"source {target!r}: format is for live streams, got {format!r}", hint="leave it out")
    if separator and scheme != "synthetic":
        known = ", ".join(("synthetic", *LIVE_SCHEMES))
        raise OptionError(f"source {target!r}: unknown scheme {scheme!r}", hint=f"give a file, or one of {known}")
    return open_finite(target, sensor_size=sensor_size, policy=policy)


def open_finite(
    target: str, *, sensor_size: SensorSize | None = None, policy: str | ReadPolicy = "repair"
) -> Recording | SyntheticSource:
    """Return the source that a path or a synthetic address names: one with an end, that can be read again.

    Raises
    ------
    OptionError
        When a parameter is unknown, or the address is that of a live stream.
    InputError
        When the file cannot be read.
    """
    scheme, separator, _ = target.partition("://")
    if scheme == "synthetic":
        return _synthetic(target)
    if separator or target == "-":
        raise OptionError(f"source {target!r}: a recording is needed", hint="give a file, or synthetic://?seed=1")
    return open_file_or_store(target, sensor_size=sensor_size, policy=policy)


def _synthetic(target: str) -> SyntheticSource:
    address = urlsplit(target)
    given = dict(parse_qsl(address.query))
    unknown = sorted(given.keys() - _SYNTHETIC)
    if unknown:
        raise OptionError(
            f"source {target!r}: unknown parameter {unknown[0]!r}", hint=f"known are {', '.join(sorted(_SYNTHETIC))}"
        )
    try:
        seed, seconds = int(given.get("seed", "1")), float(given.get("seconds", "5"))
        rate_hz = 1e6 * float(given["rate"]) if "rate" in given else None
    except ValueError:
        seed, seconds, rate_hz = -1, 0.0, None
    if seed < 0 or not 0 < seconds <= _LONGEST_SYNTHETIC_S:
        raise OptionError(
            f"source {target!r}: seed must be an integer >= 0, seconds in (0, {_LONGEST_SYNTHETIC_S:g}], "
            "rate a number of Mev/s",
            hint="write it like synthetic://?seed=1&seconds=5",
        )
    preset, sensor = address.netloc or "plain", given.get("sensor", "atis")
    duration_us = round(seconds * MICROSECONDS_PER_SECOND)
    return SyntheticSource(SimulationConfig(seed, duration_us, preset=preset, sensor=sensor, rate_hz=rate_hz))
