"""Where detections go: JSON lines, Prophesee boxes, video, pictures.

The value types and the `Sink` protocol need NumPy alone; what writes a file is loaded when a sink is opened.
"""

import importlib
from typing import TYPE_CHECKING

from .base import Sink
from .result import StreamHeader, WindowResult

if TYPE_CHECKING:
    from .detections import read_detections
    from .registry import open_sink
    from .visualize import Clip, VisualizeSummary, visualize

__all__ = [
    "Clip",
    "Sink",
    "StreamHeader",
    "VisualizeSummary",
    "WindowResult",
    "open_sink",
    "read_detections",
    "visualize",
]

_LAZY = {
    "Clip": ".visualize",
    "VisualizeSummary": ".visualize",
    "open_sink": ".registry",
    "read_detections": ".detections",
    "visualize": ".visualize",
}


def __getattr__(name: str) -> object:
    """Load a writer or reader on first use."""
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name], __name__), name)
        # The submodule `visualize` would otherwise take the name of the function it holds.
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
