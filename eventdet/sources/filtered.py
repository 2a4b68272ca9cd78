"""A source seen through filters."""

from collections.abc import Sequence

from eventdet.errors import OptionError
from eventdet.filters import parse_filter, with_filters
from eventdet.formats import Recording

from ._protocol import EventSource
from .live import LiveSource

__all__ = ["filter_source"]


def filter_source(source: EventSource, texts: Sequence[str]) -> EventSource:
    """Return a source seen through the filters that `texts` name; itself when there is none.

    Raises
    ------
    OptionError
        When a text names no filter, a filter does not fit the sensor, or the source is neither a recording nor live.
    """
    if not texts:
        return source
    if isinstance(source, LiveSource):
        source.add_filters([parse_filter(text) for text in texts])
        return source
    if not isinstance(source, Recording):
        raise OptionError(f"filters need a recording, got the source {source.name}", hint="record it to a file first")
    return with_filters(source, texts)
