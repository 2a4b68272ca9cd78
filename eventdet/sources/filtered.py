"""A source seen through filters."""

from collections.abc import Sequence

from eventdet.errors import OptionError
from eventdet.filters import parse_filter, with_filters
from eventdet.formats import Recording

from ._protocol import EventSource
from .live import LiveSource
from .synthetic import SyntheticSource

__all__ = ["filter_finite", "filter_source"]


def filter_source(source: EventSource, texts: Sequence[str]) -> EventSource:
    """Return a source seen through the filters that `texts` name; itself when there is none.

    Raises
    ------
    OptionError
        When a text names no filter, a filter does not fit the sensor, or the source is of another kind.
    """
    if isinstance(source, LiveSource):
        source.add_filters([parse_filter(text) for text in texts])
        return source
    if not isinstance(source, Recording | SyntheticSource):
        raise OptionError(f"filters need a recording, got the source {source.name}", hint="record it to a file first")
    return filter_finite(source, texts)


def filter_finite(source: Recording | SyntheticSource, texts: Sequence[str]) -> Recording | SyntheticSource:
    """Return a recording or a synthetic source seen through the filters; raises as `filter_source` does."""
    if isinstance(source, SyntheticSource):
        return source.filtered([parse_filter(text) for text in texts])
    return with_filters(source, texts)
