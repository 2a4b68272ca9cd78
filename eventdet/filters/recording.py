"""A recording seen through filters."""

from collections.abc import Callable, Iterator, Sequence

from eventdet.events import Events
from eventdet.formats import Recording
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from .base import EventFilter, filtered_size, start_filters
from .parse import parse_filter

__all__ = ["FilteredRecording", "with_filters"]


class FilteredRecording(Recording):
    """The events of a recording that pass some filters, for everything that takes a recording.

    Filters have memory, so every pass starts at the first event: a window holds the same events wherever the reading
    began. The report counts what was read from the file, not what the filters left.

    Parameters
    ----------
    recording : Recording
        What is read.
    filters : sequence of EventFilter
        Applied in order.

    Raises
    ------
    OptionError
        When a filter does not fit the sensor.
    """

    _is_plain = False

    def __init__(self, recording: Recording, filters: Sequence[EventFilter]) -> None:
        super().__init__(recording._payload)
        self.filters = tuple(filters)
        """Applied in order."""
        self._size = filtered_size(self.filters, super().sensor_size)

    @property
    def sensor_size(self) -> SensorSize:
        """Rows and columns after the filters."""
        return self._size

    @property
    def unfiltered_size(self) -> SensorSize:
        """Rows and columns of the sensor that recorded."""
        return super().sensor_size

    def _batches(
        self,
        report: ReadReport,
        *,
        num_events: int,
        out: Events | None = None,
        on_triggers: Callable[[Triggers], None] | None = None,
    ) -> Iterator[Events]:
        run = start_filters(self.filters, self.unfiltered_size)
        for batch in super()._batches(report, num_events=num_events, out=out, on_triggers=on_triggers):
            passed = run(batch)
            if len(passed):
                yield passed


def with_filters(recording: Recording, texts: Sequence[str]) -> Recording:
    """Return a recording seen through the filters that `parse_filter` reads from `texts`; itself when there is none.

    Raises
    ------
    OptionError
        When a text names no filter, or a filter does not fit the sensor.
    """
    return FilteredRecording(recording, [parse_filter(text) for text in texts]) if texts else recording
