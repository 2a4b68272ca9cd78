"""What a filter is: parameters that can be written down, and runs that carry state from batch to batch."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

__all__ = ["EventFilter", "Run", "filtered_size", "move_boxes", "start_filters"]

Run: TypeAlias = Callable[[Events], Events]
"""Takes consecutive batches of one recording; how they are cut does not change the events that come out."""


class EventFilter(ABC):
    """Parameters of a filter. Nothing is changed in place: a run returns new columns, or views of those given."""

    @property
    def identity(self) -> str:
        """What tells the filter from others: those of one identity let the same events pass, on any machine."""
        return repr(self)

    def output_size(self, size: SensorSize) -> SensorSize:
        """Return the size of the sensor that the events lie on afterwards.

        Raises
        ------
        OptionError
            When the filter does not fit a sensor of this size.
        """
        return size

    def move_boxes(self, boxes: Boxes, size: SensorSize) -> Boxes:
        """Return boxes of a sensor of this size, moved as the events are."""
        return boxes

    @abstractmethod
    def start(self, size: SensorSize) -> Run:
        """Return a run of its own state over the events of a sensor of this size."""


def filtered_size(filters: Sequence[EventFilter], size: SensorSize) -> SensorSize:
    """Return the size of the sensor after all filters."""
    for one in filters:
        size = one.output_size(size)
    return size


def move_boxes(filters: Sequence[EventFilter], boxes: Boxes, size: SensorSize) -> Boxes:
    """Return boxes of a sensor of this size, moved as the events are by all filters."""
    for one in filters:
        boxes = one.move_boxes(boxes, size)
        size = one.output_size(size)
    return boxes


def start_filters(filters: Sequence[EventFilter], size: SensorSize) -> Run:
    """Return one run through all filters in order."""
    runs = []
    for one in filters:
        runs.append(one.start(size))
        size = one.output_size(size)

    def run(events: Events) -> Events:
        for step in runs:
            events = step(events)
        return events

    return run


def check_positive(name: str, value: float) -> None:
    """Check one parameter of a filter.

    Raises
    ------
    OptionError
        When it is not > 0.
    """
    if not value > 0:
        raise OptionError(f"{name} must be > 0, got {value}")
