"""Filters that choose events by where they are and what they say."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, InputError, OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .base import EventFilter, Run, check_positive

__all__ = ["Mask", "Polarity", "Region"]


@dataclass(frozen=True)
class Region(EventFilter):
    """Keep the events of a rectangle; the sensor stays as it is. To cut it out, use `Crop`."""

    x: int
    """Left column."""

    y: int
    """Top row."""

    w: int
    """Columns."""

    h: int
    """Rows."""

    def __post_init__(self) -> None:
        """Check the rectangle."""
        check_positive("w", self.w)
        check_positive("h", self.h)

    def start(self, size: SensorSize) -> Run:
        """Return a run without state."""
        x0, y0, x1, y1 = self.x, self.y, self.x + self.w, self.y + self.h

        def run(events: Events) -> Events:
            return events[(events.x >= x0) & (events.x < x1) & (events.y >= y0) & (events.y < y1)]

        return run


@dataclass(frozen=True)
class Mask(EventFilter):
    """Keep the events of the pixels that are not zero in an array of shape (height, width)."""

    path: Path
    """A ``.npy`` file."""

    @cached_property
    def pixels(self) -> NDArray[np.bool_]:
        """Shape (height, width): the pixels that stay.

        Raises
        ------
        InputError
            When the file cannot be read.
        FormatError
            When it holds no array of two axes.
        """
        try:
            array = np.load(self.path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise FormatError(f"{self.path}: cannot be read as .npy ({error})", hint="save it with np.save") from error
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})", hint="check the path") from error
        if not isinstance(array, np.ndarray) or array.ndim != 2:
            raise FormatError(f"{self.path}: a mask must be one array of two axes", hint="save it with np.save")
        return np.asarray(array != 0)

    @property
    def identity(self) -> str:
        """The pixels and not the path: a file may be changed, moved or copied."""
        height, width = self.pixels.shape
        return f"Mask({height}x{width}, sha256={sha256(np.packbits(self.pixels).tobytes()).hexdigest()})"

    def output_size(self, size: SensorSize) -> SensorSize:
        """Return the same size."""
        if self.pixels.shape != tuple(size):
            raise OptionError(f"{self.path}: mask must be {tuple(size)} like the sensor, got {self.pixels.shape}")
        return size

    def start(self, size: SensorSize) -> Run:
        """Return a run without state."""
        from ._kernels import keep_where

        self.output_size(size)

        def run(events: Events) -> Events:
            keep = np.empty(len(events), np.bool_)
            keep_where(events.x, events.y, self.pixels, keep)
            return events[keep]

        return run


@dataclass(frozen=True)
class Polarity(EventFilter):
    """Keep the events of one polarity."""

    keep: str
    """``on`` or ``off``."""

    def __post_init__(self) -> None:
        """Check the name."""
        check_option("keep", self.keep, ("on", "off"))

    def start(self, size: SensorSize) -> Run:
        """Return a run without state."""
        wanted = int(self.keep == "on")

        def run(events: Events) -> Events:
            return events[events.p == wanted]

        return run
