"""The streaming loop: windows of events in, detections out, with the latency of each stage."""

from .latency import LatencySummary
from .loop import Streamer, StreamOptions
from .summary import StreamSummary

__all__ = ["LatencySummary", "StreamOptions", "StreamSummary", "Streamer"]
