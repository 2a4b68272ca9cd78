"""Durations with their unit in the value: ``50ms``, ``33333us``, ``2.5s``, ``1min``, ``2h``."""

import re
from fractions import Fraction

from .errors import OptionError

__all__ = ["MICROSECONDS_PER_SECOND", "format_duration", "parse_duration_us", "parse_pace"]

MICROSECONDS_PER_SECOND = 1_000_000

_UNITS_US = {"us": 1, "µs": 1, "ms": 1_000, "s": MICROSECONDS_PER_SECOND, "min": 60 * MICROSECONDS_PER_SECOND}
_UNITS_US |= {"m": _UNITS_US["min"], "h": 60 * _UNITS_US["min"]}
_DURATION = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(us|µs|ms|s|min|m|h)\s*")


def parse_duration_us(text: str | int, *, name: str = "duration") -> int:
    """Return a duration in whole microseconds.

    Parameters
    ----------
    text : str or int
        A number with a unit (``us``, ``ms``, ``s``, ``min`` or ``m``, ``h``), or an int that counts microseconds.
    name : str
        Name of the argument, for the message.

    Returns
    -------
    int
        Microseconds, >= 0.

    Raises
    ------
    OptionError
        When the unit is missing or unknown, the value is negative, or it is not a whole number of microseconds.

    Examples
    --------
    >>> parse_duration_us("50ms"), parse_duration_us("33333us"), parse_duration_us("2.5s")
    (50000, 33333, 2500000)
    """
    if isinstance(text, int) and not isinstance(text, bool):
        if text < 0:
            raise OptionError(f"{name} must be >= 0, got {text}")
        return text
    match = _DURATION.fullmatch(str(text))
    if match is None:
        raise OptionError(
            f"{name} must be a number with a unit (us, ms, s, min, h), got {text!r}",
            hint="write it like 50ms or 33333us",
        )
    microseconds = Fraction(match[1]) * _UNITS_US[match[2]]
    if microseconds.denominator != 1:
        raise OptionError(
            f"{name} must be a whole number of microseconds, got {text!r}",
            hint=f"use {round(microseconds)}us",
        )
    return int(microseconds)


def format_duration(duration_us: int) -> str:
    """Return a duration in the largest unit that keeps it exact.

    Parameters
    ----------
    duration_us : int
        Microseconds.

    Returns
    -------
    str
        What :func:`parse_duration_us` reads back to the same number.

    Examples
    --------
    >>> format_duration(50_000), format_duration(33_333), format_duration(60_000_000)
    ('50ms', '33333us', '1min')
    """
    for unit in ("min", "s", "ms"):
        if duration_us and duration_us % _UNITS_US[unit] == 0:
            return f"{duration_us // _UNITS_US[unit]}{unit}"
    return f"{duration_us}us"


def parse_pace(text: str) -> float:
    """Return the replay speed as recorded seconds per wall second.

    Parameters
    ----------
    text : str
        ``max`` (as fast as possible), ``realtime``, or a factor such as ``2x`` or ``0.5x``.

    Returns
    -------
    float
        The factor; ``inf`` for ``max``.

    Raises
    ------
    OptionError
        When the text is none of these or the factor is not positive.

    Examples
    --------
    >>> parse_pace("max"), parse_pace("realtime"), parse_pace("0.5x")
    (inf, 1.0, 0.5)
    """
    if text == "max":
        return float("inf")
    if text == "realtime":
        return 1.0
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)x", text)
    if match is None or float(match[1]) <= 0.0:
        raise OptionError(f"pace must be max, realtime or a factor like 2x, got {text!r}", hint="use --pace realtime")
    return float(match[1])
