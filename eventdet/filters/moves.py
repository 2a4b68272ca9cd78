"""Filters that move events to other pixels; boxes move with them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .base import EventFilter, Run, check_positive

__all__ = ["Crop", "Downsample", "Flip", "Rotate", "Scale", "Transpose"]


@dataclass(frozen=True)
class Crop(EventFilter):
    """Cut a rectangle out of the sensor; its corner becomes the origin."""

    x: int
    """Left column."""

    y: int
    """Top row."""

    w: int
    """Columns."""

    h: int
    """Rows."""

    def output_size(self, size: SensorSize) -> SensorSize:
        """Return the size of the rectangle, which must lie on the sensor."""
        inside = self.x >= 0 and self.y >= 0 and self.x + self.w <= size.width and self.y + self.h <= size.height
        if not inside or self.w <= 0 or self.h <= 0:
            raise OptionError(f"crop must lie on the {size} sensor, got x={self.x},y={self.y},w={self.w},h={self.h}")
        return SensorSize(self.h, self.w)

    def move_boxes(self, boxes: Boxes, size: SensorSize) -> Boxes:
        """Return the boxes cut to the rectangle; those outside are dropped."""
        return _at(boxes, boxes.xyxy - np.array([self.x, self.y] * 2, np.float32)).clipped(self.output_size(size))

    def start(self, size: SensorSize) -> Run:
        """Return a run without state."""
        self.output_size(size)

        def run(events: Events) -> Events:
            # Below the corner the difference wraps to a large number: one test a side is enough.
            x, y = events.x - np.uint16(self.x), events.y - np.uint16(self.y)
            inside = (x < self.w) & (y < self.h)
            return Events(events.t[inside], x[inside], y[inside], events.p[inside])

        return run


@dataclass(frozen=True)
class Transpose(EventFilter):
    """Swap columns and rows."""

    def output_size(self, size: SensorSize) -> SensorSize:
        """Return the size with its sides swapped."""
        return SensorSize(size.width, size.height)

    def move_boxes(self, boxes: Boxes, size: SensorSize) -> Boxes:
        """Return the boxes with columns and rows swapped."""
        return _at(boxes, boxes.xyxy[:, [1, 0, 3, 2]])

    def start(self, size: SensorSize) -> Run:
        """Return a run without state."""
        return lambda events: Events(events.t, events.y, events.x, events.p)


@dataclass(frozen=True)
class Flip(EventFilter):
    """Mirror the sensor."""

    axis: str = "x"
    """``x`` swaps left and right, ``y`` top and bottom."""

    def __post_init__(self) -> None:
        """Check the axis."""
        check_option("axis", self.axis, ("x", "y"))

    def move_boxes(self, boxes: Boxes, size: SensorSize) -> Boxes:
        """Return the mirrored boxes."""
        left, top, right, bottom = boxes.xyxy.T
        if self.axis == "x":
            left, right = size.width - right, size.width - left
        else:
            top, bottom = size.height - bottom, size.height - top
        return _at(boxes, np.stack([left, top, right, bottom], axis=1))

    def start(self, size: SensorSize) -> Run:
        """Return a run without state."""
        if self.axis == "x":
            return lambda events: Events(events.t, np.uint16(size.width - 1) - events.x, events.y, events.p)
        return lambda events: Events(events.t, events.x, np.uint16(size.height - 1) - events.y, events.p)


@dataclass(frozen=True)
class Rotate(EventFilter):
    """Turn the sensor clockwise."""

    degrees: int
    """90, 180 or 270."""

    def __post_init__(self) -> None:
        """Check the angle."""
        check_option("degrees", str(self.degrees), ("90", "180", "270"))

    def _steps(self) -> tuple[EventFilter, ...]:
        """Return what a turn is made of."""
        return {
            90: (Transpose(), Flip("x")),
            180: (Flip("x"), Flip("y")),
            270: (Transpose(), Flip("y")),
        }[self.degrees]

    def output_size(self, size: SensorSize) -> SensorSize:
        """Return the size of the turned sensor."""
        return size if self.degrees == 180 else SensorSize(size.width, size.height)

    def move_boxes(self, boxes: Boxes, size: SensorSize) -> Boxes:
        """Return the turned boxes."""
        first, second = self._steps()
        return second.move_boxes(first.move_boxes(boxes, size), first.output_size(size))

    def start(self, size: SensorSize) -> Run:
        """Return a run without state."""
        first, second = self._steps()
        before, after = first.start(size), second.start(first.output_size(size))
        return lambda events: after(before(events))


@dataclass(frozen=True)
class Scale(EventFilter):
    """Bring the events to a smaller sensor, and thin them as its larger pixels would.

    A pixel of the smaller sensor covers several; without thinning it would fire as often as all of them together.
    Here each polarity of a pixel passes on one event for every so many as pixels are covered, counted exactly.
    """

    width: int
    """Columns of the smaller sensor."""

    height: int
    """Rows of the smaller sensor."""

    def __post_init__(self) -> None:
        """Check the size."""
        check_positive("width", self.width)
        check_positive("height", self.height)

    def output_size(self, size: SensorSize) -> SensorSize:
        """Return the smaller size."""
        if self.width > size.width or self.height > size.height:
            raise OptionError(f"scale must not be larger than the {size} sensor, got {self.width}x{self.height}")
        return SensorSize(self.height, self.width)

    def move_boxes(self, boxes: Boxes, size: SensorSize) -> Boxes:
        """Return the smaller boxes."""
        factor = np.array([self.width / size.width, self.height / size.height] * 2, np.float32)
        return _at(boxes, boxes.xyxy * factor)

    def start(self, size: SensorSize) -> Run:
        """Return a run with its own counts."""
        from ._kernels import keep_thinned

        target = self.output_size(size)
        columns = (np.arange(size.width) * target.width // size.width).astype(np.uint16)
        rows = (np.arange(size.height) * target.height // size.height).astype(np.uint16)
        credit = np.zeros((2, *target), np.int64)
        gain, cost = target.width * target.height, size.width * size.height

        def run(events: Events) -> Events:
            x, y = columns[events.x], rows[events.y]
            keep = np.empty(len(events), np.bool_)
            keep_thinned(x, y, events.p, gain, cost, credit, keep)
            return Events(events.t[keep], x[keep], y[keep], events.p[keep])

        return run


@dataclass(frozen=True)
class Downsample(EventFilter):
    """Bring the events to a sensor a whole number of times smaller, as `Scale` does; a rest of a pixel is scaled in."""

    factor: int
    """How many times smaller, in both directions."""

    def __post_init__(self) -> None:
        """Check the factor."""
        check_positive("factor", self.factor)

    def _scale(self, size: SensorSize) -> Scale:
        if self.factor > min(size):
            raise OptionError(f"downsample factor must not exceed the sides of the {size} sensor, got {self.factor}")
        return Scale(size.width // self.factor, size.height // self.factor)

    def output_size(self, size: SensorSize) -> SensorSize:
        """Return the smaller size."""
        return self._scale(size).output_size(size)

    def move_boxes(self, boxes: Boxes, size: SensorSize) -> Boxes:
        """Return the smaller boxes."""
        return self._scale(size).move_boxes(boxes, size)

    def start(self, size: SensorSize) -> Run:
        """Return a run with its own counts."""
        return self._scale(size).start(size)


def _at(boxes: Boxes, xyxy: NDArray[np.float32]) -> Boxes:
    return replace(boxes, xyxy=xyxy)
