"""What a stream says about itself, about each window, and in the end: the values that every sink takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

__all__ = ["StreamHeader", "StreamTotals", "WindowResult"]


@dataclass(frozen=True, slots=True)
class StreamHeader:
    """What holds for a whole stream of detections."""

    source: str
    """Path or address of the events."""

    format: str
    """Format of the events, e.g. ``dat``."""

    sensor_size: SensorSize
    """Rows and columns that boxes refer to."""

    class_names: tuple[str, ...]
    """Names by class id."""

    window_us: int
    """Length of a window in microseconds."""

    stride_us: int
    """From one window's start to the next, in microseconds."""

    model: str
    """Name of the detector."""

    weights_hash: str
    """Digest of the weights, so that a result can be traced to them."""

    state: str
    """What happens to the membranes between windows, e.g. ``keep`` or ``reset every 5``."""

    synthetic: bool
    """Whether the events are simulated."""

    eventdet_version: str
    """Version that made the stream."""

    hardware: str = ""
    """Machine, threads and arithmetic that ran the detector, for latencies to mean something."""

    def __post_init__(self) -> None:
        """Check the durations.

        Raises
        ------
        OptionError
            When a duration is not positive.
        """
        for name in ("window_us", "stride_us"):
            if getattr(self, name) <= 0:
                raise OptionError(f"{name} must be > 0, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True, eq=False)
class WindowResult:
    """Detections of one window."""

    seq: int
    """Number of the window from the start of the stream; a gap tells of dropped windows."""

    t0_us: int
    """Start of the window, microseconds on the clock of the recording, inclusive."""

    t_us: int
    """End of the window, exclusive; the time that its detections are stamped with."""

    num_events: int
    """Events in the window."""

    boxes: Boxes
    """Detections in sensor pixels, stamped `t_us`."""

    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds spent by stage."""

    dropped: int = 0
    """Windows dropped so far because the detector could not keep up."""

    state_reset: bool = False
    """Whether the membranes were cleared before this window."""

    events: Events | None = None
    """Events of the window, for sinks that draw."""


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """What a stream was in all."""

    num_windows: int
    """Windows, empty ones too."""

    num_events: int
    """Events in them."""

    num_boxes: int
    """Detections."""

    recorded_s: float
    """Recorded time covered, seconds."""

    wall_s: float
    """Wall time that it took, seconds."""

    repairs: Mapping[str, int] = field(default_factory=dict)
    """What was changed or dropped in the events, counted by name."""
