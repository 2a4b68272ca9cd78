"""eventdet: from raw event-camera recordings to boxes.

``import eventdet`` is cheap: it loads NumPy and the value types alone. What needs Numba, torch, OpenCV or Zarr is
loaded when first used.
"""

import importlib
from typing import TYPE_CHECKING

from .boxes import GEN1_CLASSES, Boxes
from .errors import (
    EventdetError,
    FormatError,
    GeometryError,
    InputError,
    MissingExtraError,
    OptionError,
    PartialError,
)
from .events import EVENT_DTYPE, Events
from .geometry import GEN1, SensorSize
from .report import ReadReport
from .units import parse_duration_us

if TYPE_CHECKING:
    from .formats import Recording, open_recording

__version__ = "0.1.0"

__all__ = [
    "EVENT_DTYPE",
    "GEN1",
    "GEN1_CLASSES",
    "Boxes",
    "EventdetError",
    "Events",
    "FormatError",
    "GeometryError",
    "InputError",
    "MissingExtraError",
    "OptionError",
    "PartialError",
    "ReadReport",
    "Recording",
    "SensorSize",
    "__version__",
    "open_recording",
    "parse_duration_us",
]

_LAZY = {"Recording": "eventdet.formats", "open_recording": "eventdet.formats"}


def __getattr__(name: str) -> object:
    """Load a public name on first use, so that the import itself stays cheap."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'eventdet' has no attribute {name!r}")
