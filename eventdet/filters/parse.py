"""Filters by name, as the command line writes them: ``name:arg=value,arg=value``."""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from eventdet.errors import OptionError, check_option
from eventdet.units import parse_duration_us

from .base import EventFilter
from .moves import Crop, Flip, Rotate, Scale, Transpose
from .noise import Background, HotPixels, RateLimit, Refractory
from .pixels import Mask, Polarity, Region

__all__ = ["FILTERS", "parse_filter"]

FILTERS: dict[str, Callable[..., EventFilter]] = {
    "background": Background,
    "crop": Crop,
    "flip": Flip,
    "hot": HotPixels,
    "mask": Mask,
    "polarity": Polarity,
    "rate": RateLimit,
    "refractory": Refractory,
    "roi": Region,
    "rotate": Rotate,
    "scale": Scale,
    "transpose": Transpose,
}
"""Every filter by its name."""


def parse_filter(text: str) -> EventFilter:
    """Return the filter that a text names.

    Parameters
    ----------
    text : str
        The name, then maybe ``:`` and arguments joined by commas. A time has a unit: ``refractory:time=1ms``.

    Raises
    ------
    OptionError
        When the name or an argument is unknown, an argument is missing, or a value breaks its rule.

    Examples
    --------
    >>> parse_filter("refractory:time=1ms"), parse_filter("crop:x=0,y=0,w=64,h=48")
    (Refractory(time_us=1000), Crop(x=0, y=0, w=64, h=48))
    """
    name, _, rest = text.partition(":")
    make = FILTERS[check_option("filter", name, FILTERS)]
    known: dict[str, Field[Any]] = {field.name.removesuffix("_us"): field for field in fields(make)}  # type: ignore[arg-type]  # each is a dataclass
    values = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in known:
            raise OptionError(
                f"filter {name} takes {_usage(known)}, got {part!r}", hint=f"write {name}:{_usage(known)}"
            )
        values[known[key].name] = _value(f"filter {name}: {key}", value, known[key])
    missing = [key for key, field in known.items() if field.default is MISSING and field.name not in values]
    if missing:
        raise OptionError(f"filter {name} needs {', '.join(missing)}", hint=f"write {name}:{_usage(known)}")
    return make(**values)


def _usage(known: dict[str, Field[Any]]) -> str:
    return ",".join(f"{key}=…" for key in known) or "no arguments"


def _value(name: str, text: str, field: Field[Any]) -> object:
    if field.name.endswith("_us"):
        return parse_duration_us(text, name=name)
    if field.type is str or field.type is Path:
        return field.type(text)
    try:
        return int(text) if field.type is int else float(text)
    except ValueError:
        raise OptionError(f"{name} must be a number, got {text!r}") from None
