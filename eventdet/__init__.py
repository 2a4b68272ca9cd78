"""eventdet: from raw event-camera recordings to boxes.

``import eventdet`` loads nothing else: every public name is brought in when first used, so that a command line that
prints its help does not pay for NumPy, Numba, torch, OpenCV or Zarr.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .boxes import GEN1_CLASSES, Boxes
    from .drawing import render_frame
    from .errors import (
        EventdetError,
        FormatError,
        GeometryError,
        InputError,
        MissingExtraError,
        OptionError,
        OutputError,
        PartialError,
    )
    from .events import EVENT_DTYPE, Events
    from .formats import Recording, read_boxes, write_boxes
    from .geometry import GEN1, SensorSize
    from .preprocessing import convert
    from .report import ReadReport
    from .sources import open_source
    from .sources.stored import open_file_or_store as open  # noqa: A004 - as h5py and rasterio name it
    from .streaming import Detector, Streamer, StreamOptions
    from .units import parse_duration_us

__version__ = "0.1.0"

_HOMES = {
    "EVENT_DTYPE": "events",
    "GEN1": "geometry",
    "GEN1_CLASSES": "boxes",
    "Boxes": "boxes",
    "Detector": "streaming",
    "EventdetError": "errors",
    "Events": "events",
    "FormatError": "errors",
    "GeometryError": "errors",
    "InputError": "errors",
    "MissingExtraError": "errors",
    "OptionError": "errors",
    "OutputError": "errors",
    "PartialError": "errors",
    "ReadReport": "report",
    "Recording": "formats",
    "SensorSize": "geometry",
    "StreamOptions": "streaming",
    "Streamer": "streaming",
    "convert": "preprocessing",
    "open": "sources.stored:open_file_or_store",
    "open_source": "sources",
    "parse_duration_us": "units",
    "read_boxes": "formats",
    "render_frame": "drawing",
    "write_boxes": "formats",
}
"""The module that each public name lives in, and its name there where that is another."""

__all__ = [
    "EVENT_DTYPE",
    "GEN1",
    "GEN1_CLASSES",
    "Boxes",
    "Detector",
    "EventdetError",
    "Events",
    "FormatError",
    "GeometryError",
    "InputError",
    "MissingExtraError",
    "OptionError",
    "OutputError",
    "PartialError",
    "ReadReport",
    "Recording",
    "SensorSize",
    "StreamOptions",
    "Streamer",
    "__version__",
    "convert",
    "open",
    "open_source",
    "parse_duration_us",
    "read_boxes",
    "render_frame",
    "write_boxes",
]


def __getattr__(name: str) -> object:
    """Bring in a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'eventdet' has no attribute {name!r}")
    home, _, original = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(f"eventdet.{home}"), original or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, so that completion shows them before they are loaded."""
    return __all__
