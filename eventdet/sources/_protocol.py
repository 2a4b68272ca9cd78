"""What the streaming loop asks of a source of events."""

from collections.abc import Iterator
from typing import Protocol

from eventdet.formats import OnRead, Window, WindowGrid
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport

__all__ = ["EventSource"]


class EventSource(Protocol):
    """Events of one camera, cut into windows of time. A recording is one, a live source another."""

    @property
    def name(self) -> str:
        """What the events came from, for headers and pictures."""

    @property
    def format(self) -> str:
        """Format of the events, e.g. ``dat``."""

    @property
    def synthetic(self) -> bool:
        """Whether the events are simulated."""

    @property
    def sensor_size(self) -> SensorSize:
        """Rows and columns of the camera."""

    @property
    def report(self) -> ReadReport:
        """Counts of what was read and repaired so far."""

    @property
    def t_first_us(self) -> int | None:
        """Stamp of the first event, microseconds; None for a live source, which cannot know."""

    @property
    def t_last_us(self) -> int | None:
        """Stamp of the last event, microseconds; None for a live source, which cannot know."""

    def windows(
        self, length_us: int, stride_us: int | None = None, start_us: int | None = None, stop_us: int | None = None
    ) -> Iterator[Window]:
        """Yield windows in order, empty ones too."""

    def cut(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window]:
        """Yield the windows of a grid, and tell how long each batch of events took to come."""
