"""Filters by name, as the command line writes them: ``name:arg=value,arg=value``."""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any

from eventdet.arguments import parse_arguments
from eventdet.errors import OptionError, check_option

from .base import EventFilter
from .moves import Crop, Downsample, Flip, Rotate, Scale, Transpose
from .noise import Background, HotPixels, RateLimit, Refractory
from .pixels import Mask, Polarity, Region
from .tonic import parse_tonic_transform

__all__ = ["FILTERS", "parse_filter"]

FILTERS: dict[str, Callable[..., EventFilter]] = {
    "background": Background,
    "crop": Crop,
    "downsample": Downsample,
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
        The name, then maybe ``:`` and arguments joined by commas. A time has a unit: ``refractory:time=1ms``. A
        transform of tonic is written ``tonic:Name,arg=value``.

    Raises
    ------
    MissingExtraError
        When a transform of tonic is named and tonic is not installed.
    OptionError
        When the name or an argument is unknown, an argument is missing, or a value breaks its rule.

    Examples
    --------
    >>> parse_filter("refractory:time=1ms"), parse_filter("crop:x=0,y=0,w=64,h=48")
    (Refractory(time_us=1000), Crop(x=0, y=0, w=64, h=48))
    """
    name, _, rest = text.partition(":")
    if check_option("filter", name, (*FILTERS, "tonic")) == "tonic":
        return parse_tonic_transform(rest)
    make = FILTERS[name]
    known: tuple[Field[Any], ...] = fields(make)  # type: ignore[arg-type]  # each is a dataclass
    values = parse_arguments(f"filter {name}", rest, {field.name: field.type for field in known})
    needed = [field.name for field in known if field.default is MISSING]
    missing = [name.removesuffix("_us") for name in needed if name not in values]
    if missing:
        usage = ",".join(f"{key}=…" for key in missing)
        raise OptionError(f"filter {name} needs {', '.join(missing)}", hint=f"add {usage}")
    return make(**values)
