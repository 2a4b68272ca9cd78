"""Events from the simulator, without a file."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from eventdet.boxes import Boxes
from eventdet.events import Events
from eventdet.filters import EventFilter, filtered_size, move_boxes, start_filters
from eventdet.formats import OnRead, Window, WindowGrid, cut_windows, timed
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.simulation import SimulatedRecording, SimulationConfig, simulate
from eventdet.units import MICROSECONDS_PER_SECOND

__all__ = ["SyntheticSource"]


class SyntheticSource:
    """A simulated recording as a source; it is made when first asked for.

    Parameters
    ----------
    config : SimulationConfig
        What determines it.
    filters : sequence of EventFilter
        What the events pass through; the labels move with them.

    Raises
    ------
    OptionError
        When a filter does not fit the sensor.
    """

    format = "synthetic"
    synthetic = True

    def __init__(self, config: SimulationConfig, *, filters: Sequence[EventFilter] = ()) -> None:
        self.config = config
        """What determines it."""
        self.filters = tuple(filters)
        """Applied in order."""
        self._size = filtered_size(self.filters, config.size)
        self.report = ReadReport()
        """Events handed out so far; nothing is ever repaired."""

    @property
    def name(self) -> str:
        """The address that makes the same source again: the preset as host; a rate in Mev/s."""
        config = self.config
        address = f"?seed={config.seed}&seconds={config.duration_us / MICROSECONDS_PER_SECOND:g}"
        if config.sensor != "atis":
            address += f"&sensor={config.sensor if isinstance(config.sensor, str) else 'given'}"
        if config.rate_hz is not None:
            address += f"&rate={config.rate_hz / 1e6:g}"
        return f"synthetic://{'' if config.preset == 'plain' else config.preset}{address}"

    @cached_property
    def _recording(self) -> SimulatedRecording:
        return simulate(self.config)

    @cached_property
    def events(self) -> Events:
        """All events, after the filters."""
        return start_filters(self.filters, self.config.size)(self._recording.events)

    @property
    def labels(self) -> Boxes:
        """Exact boxes of every labelled moment."""
        return move_boxes(self.filters, self._recording.boxes, self.config.size)

    @property
    def sensor_size(self) -> SensorSize:
        """Rows and columns of the simulated camera, after the filters."""
        return self._size

    def filtered(self, filters: Sequence[EventFilter]) -> "SyntheticSource":
        """Return the same source seen through more filters; raises as the constructor does."""
        return SyntheticSource(self.config, filters=(*self.filters, *filters))

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
        return self.cut(WindowGrid(length_us, length_us if stride_us is None else stride_us, start_us, stop_us))

    def cut(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window]:
        """Yield the windows of a grid, as of a recording."""
        self.report.num_events += len(self.events)
        return cut_windows(timed([self.events], on_read), grid)
