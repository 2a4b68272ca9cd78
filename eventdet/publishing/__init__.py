"""Send a recording over a network at a pace: the other end of the live sources in ``eventdet.sources``."""

from .publish import Publisher, PublishOptions, open_publisher, publish
from .report import PublishReport

__all__ = ["PublishOptions", "PublishReport", "Publisher", "open_publisher", "publish"]
