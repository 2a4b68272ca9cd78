"""The streaming loop: windows of events in, detections out, with the latency of each stage."""

from .detector import Detector
from .latency import LatencySummary
from .loop import Streamer
from .options import StreamOptions
from .summary import StreamSummary
from .together import StreamGroup
from .trace import TraceLog

__all__ = [
    "Detector",
    "LatencySummary",
    "StreamGroup",
    "StreamOptions",
    "StreamSummary",
    "Streamer",
    "TraceLog",
]
