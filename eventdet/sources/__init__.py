"""Where events come from: a recording of any readable format, ``synthetic://``, or a live source."""

from ._protocol import EventSource
from .labels import KnownLabels, known_labels
from .live import LiveSource
from .synthetic import SyntheticSource
from .target import open_source

__all__ = ["EventSource", "KnownLabels", "LiveSource", "SyntheticSource", "known_labels", "open_source"]
