"""What a stream says about itself, about each window, and in the end: the values that every sink takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

__all__ = ["StreamHeader", "StreamTotals", "TrackColumns", "WindowResult"]


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
    """Length of a window in microseconds; nominal, that of the training, where a number of events alone ends it."""

    stride_us: int
    """From one window's start to the next, in microseconds; nominal likewise."""

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

    window_events: int | None = None
    """Events that end a window; None: time alone does."""

    stride_events: int | None = None
    """Events from one window's start to the next; None: time alone tells."""

    rules: str = ""
    """What else decides which boxes come, e.g. ``conf 0.25, iou 0.45, at most 100 boxes, fit scale``."""

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
class TrackColumns:
    """What a tracker knows of the boxes of a window beyond their `track_id`, row by row."""

    age_us: NDArray[np.int64]
    """Shape (n,): microseconds since the track began."""

    velocity: NDArray[np.float32]
    """Shape (n, 2): of the centre, to the right and down, in pixels a second."""

    is_predicted: NDArray[np.bool_]
    """Shape (n,): whether the box is where the track should be, without a detection in this window."""


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
    """Windows skipped so far because the detector could not keep up."""

    dropped_events: int = 0
    """Events dropped so far for the same reason: those of skipped windows, and what was thinned out of others."""

    reset_reason: str = ""
    """Why the membranes were cleared before this window: ``start``, ``schedule``, ``gap``, ``backward`` or ``seek``;
    empty: they were kept."""

    events: Events | None = None
    """Events of the window, for sinks that draw."""

    tracks: TrackColumns | None = None
    """Of the boxes, row by row; None without a tracker."""

    @property
    def state_reset(self) -> bool:
        """Whether the membranes were cleared before this window."""
        return bool(self.reset_reason)


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

    windows_skipped: int = 0
    """Windows that were not run because the detector could not keep up."""

    events_dropped: int = 0
    """Events dropped for the same reason."""
