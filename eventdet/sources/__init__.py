"""Where events come from: a recording of any readable format, ``synthetic://``, or a live source."""

from ._protocol import EventSource
from .live import LiveSource
from .synthetic import SyntheticSource
from .target import open_source

__all__ = ["EventSource", "LiveSource", "SyntheticSource", "open_source"]
