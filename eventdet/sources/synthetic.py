"""Events from the simulator, without a file."""

from collections.abc import Iterator
from functools import cached_property

from eventdet.boxes import Boxes
from eventdet.events import Events
from eventdet.formats import Window, WindowGrid, cut_windows
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.simulation import SimulatedRecording, simulate

__all__ = ["SyntheticSource"]


class SyntheticSource:
    """A simulated recording as a source; it is made when first asked for.

    Parameters
    ----------
    seed : int
        Same seed, same events.
    duration_us : int
        Length, microseconds.
    label_rate_hz : float
        Label times a second.
    """

    format = "synthetic"
    synthetic = True

    def __init__(self, *, seed: int, duration_us: int, label_rate_hz: float = 4.0) -> None:
        self.seed = seed
        self.duration_us = duration_us
        self._label_rate_hz = label_rate_hz
        self.report = ReadReport()
        """Events handed out so far; nothing is ever repaired."""

    @property
    def name(self) -> str:
        """The address that makes the same source again."""
        return f"synthetic://?seed={self.seed}&seconds={self.duration_us / 1e6:g}"

    @cached_property
    def _recording(self) -> SimulatedRecording:
        return simulate(self.seed, self.duration_us, label_rate_hz=self._label_rate_hz)

    @property
    def events(self) -> Events:
        """All events."""
        return self._recording.events

    @property
    def labels(self) -> Boxes:
        """Exact boxes of every labelled moment."""
        return self._recording.boxes

    @property
    def sensor_size(self) -> SensorSize:
        """Rows and columns of the simulated camera."""
        return self._recording.size

    @property
    def t_first_us(self) -> int:
        """Stamp of the first event, microseconds."""
        return int(self.events.t[0]) if len(self.events) else 0

    @property
    def t_last_us(self) -> int:
        """Stamp of the last event, microseconds."""
        return int(self.events.t[-1]) if len(self.events) else 0

    def windows(
        self, length_us: int, stride_us: int | None = None, start_us: int | None = None, stop_us: int | None = None
    ) -> Iterator[Window]:
        """Yield windows in order, empty ones too."""
        grid = WindowGrid(length_us, length_us if stride_us is None else stride_us, start_us, stop_us)
        self.report.num_events += len(self.events)
        return cut_windows([self.events], grid)
