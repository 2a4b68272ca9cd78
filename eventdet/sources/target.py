"""From what the user typed to a source."""

from urllib.parse import parse_qsl, urlsplit

from eventdet.errors import OptionError
from eventdet.formats import open_recording
from eventdet.geometry import SensorSize

from ._protocol import EventSource
from .synthetic import SyntheticSource

__all__ = ["open_source"]

_LONGEST_SYNTHETIC_S = 600.0
"""A simulated source lies in memory: ten minutes of traffic are about 4 GB."""


def open_source(target: str, *, sensor_size: SensorSize | None = None, policy: str = "repair") -> EventSource:
    """Return the source that an address or path names.

    Parameters
    ----------
    target : str
        Path of a recording, or ``synthetic://?seed=1&seconds=5``.
    sensor_size : SensorSize, optional
        Used where the file does not name its size.
    policy : {"repair", "strict"}
        What to do with dirty input.

    Returns
    -------
    EventSource
        Ready to be cut into windows.

    Raises
    ------
    OptionError
        When the scheme or a parameter is unknown.
    InputError
        When the file cannot be read.

    Examples
    --------
    >>> open_source("synthetic://?seed=3&seconds=0.1").name
    'synthetic://?seed=3&seconds=0.1'
    """
    scheme, separator, _ = target.partition("://")
    if not separator:
        return open_recording(target, sensor_size=sensor_size, policy=policy)
    if scheme != "synthetic":
        raise OptionError(f"source {target!r}: unknown scheme {scheme!r}", hint="give a file, or synthetic://?seed=1")
    return _synthetic(target)


def _synthetic(target: str) -> SyntheticSource:
    given = dict(parse_qsl(urlsplit(target).query))
    unknown = sorted(given.keys() - {"seed", "seconds"})
    if unknown:
        raise OptionError(f"source {target!r}: unknown parameter {unknown[0]!r}", hint="known are seed and seconds")
    try:
        seed, seconds = int(given.get("seed", "1")), float(given.get("seconds", "5"))
    except ValueError:
        seed, seconds = -1, 0.0
    if seed < 0 or not 0 < seconds <= _LONGEST_SYNTHETIC_S:
        raise OptionError(
            f"source {target!r}: seed must be an integer >= 0 and seconds in (0, {_LONGEST_SYNTHETIC_S:g}]",
            hint="write it like synthetic://?seed=1&seconds=5",
        )
    return SyntheticSource(seed=seed, duration_us=round(seconds * 1_000_000))
