"""Where detections go: JSON lines, Prophesee boxes, video, pictures.

The value types and the `Sink` protocol need NumPy alone; what writes a file is loaded when a sink is opened.
"""

import importlib
from typing import TYPE_CHECKING

from .base import Sink
from .result import StreamHeader, StreamTotals, WindowResult

if TYPE_CHECKING:
    from .clip import Clip, VisualizeSummary, visualize
    from .detections import read_detections
    from .outputs import Outputs
    from .registry import open_sink

__all__ = [
    "Clip",
    "Outputs",
    "Sink",
    "StreamHeader",
    "StreamTotals",
    "VisualizeSummary",
    "WindowResult",
    "open_sink",
    "read_detections",
    "visualize",
]

_LAZY = {
    "Clip": ".clip",
    "Outputs": ".outputs",
    "VisualizeSummary": ".clip",
    "open_sink": ".registry",
    "read_detections": ".detections",
    "visualize": ".clip",
}


def __getattr__(name: str) -> object:
    """Load a writer or reader on first use."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
