"""Where detections go: JSON lines, Prophesee boxes, video, pictures.

The value types and the `Sink` protocol need NumPy alone; what writes a file is loaded when a sink is opened.
"""

import importlib
from typing import TYPE_CHECKING

from .base import Sink
from .result import StreamHeader, StreamTotals, TrackColumns, WindowResult

if TYPE_CHECKING:
    from .clip import Clip, VisualizeSummary, visualize
    from .detections import read_detections
    from .outputs import Outputs
    from .recorder import EventRecorder
    from .registry import open_sink
    from .resume import ResumePlan, plan_resume

__all__ = [
    "Clip",
    "EventRecorder",
    "Outputs",
    "ResumePlan",
    "Sink",
    "StreamHeader",
    "StreamTotals",
    "TrackColumns",
    "VisualizeSummary",
    "WindowResult",
    "open_sink",
    "plan_resume",
    "read_detections",
    "visualize",
]

_LAZY = {
    "Clip": ".clip",
    "EventRecorder": ".recorder",
    "Outputs": ".outputs",
    "ResumePlan": ".resume",
    "VisualizeSummary": ".clip",
    "open_sink": ".registry",
    "plan_resume": ".resume",
    "read_detections": ".detections",
    "visualize": ".clip",
}


def __getattr__(name: str) -> object:
    """Load a writer or reader on first use."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
