"""Where events come from: a recording of any readable format, or ``synthetic://``."""

from ._protocol import EventSource
from .synthetic import SyntheticSource
from .target import open_source

__all__ = ["EventSource", "SyntheticSource", "open_source"]
