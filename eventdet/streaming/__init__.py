"""The streaming loop: windows of events in, detections out, with the latency of each stage."""

from .loop import Streamer, StreamOptions, StreamSummary

__all__ = ["StreamOptions", "StreamSummary", "Streamer"]
