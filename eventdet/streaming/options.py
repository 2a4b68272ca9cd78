"""How to stream: windows, pace, what happens when the detector is late, state, and detections."""

from dataclasses import dataclass, replace

from eventdet.errors import OptionError, check_option
from eventdet.formats import WindowGrid, check_grid
from eventdet.geometry import SensorSize
from eventdet.tracking import Tracker, TrackerConfig

__all__ = ["LATE", "STATES", "StreamOptions"]

_TRACKING = TrackerConfig()

STATES = ("keep", "reset")
"""``keep`` carries the membranes from window to window; ``reset`` puts them to rest every few windows."""

LATE = ("block", "latest", "thin")
"""When the detector is late: ``block`` runs every window all the same; ``latest`` goes on with the newest window;
``thin`` runs every window with a share of its events."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How to stream."""

    window_us: int | None = None
    """Length of a window, microseconds; None: what the model was trained on, or with `window_events` no limit."""

    stride_us: int | None = None
    """From one window's start to the next, microseconds; None: the window."""

    pace: float = float("inf")
    """Recorded seconds per wall second; infinite: as fast as possible."""

    state: str = "keep"
    """One of `STATES`."""

    reset_steps: int | None = None
    """Windows between resets with state ``reset``; None: what the model was trained on."""

    conf: float = 0.25
    """Lowest score of a detection."""

    iou: float = 0.45
    """Overlap at which the lower score of the same class is dropped."""

    max_detections: int = 100
    """Most detections of a window."""

    fit: str = "scale"
    """How a sensor larger than the network's input is brought into it."""

    start_us: int | None = None
    """First window starts at the stride that holds this stamp; None: the first event."""

    stop_us: int | None = None
    """No window starts at or after this stamp; None: the last event."""

    window_events: int | None = None
    """Events that end a window, if `window_us` has not ended it before; None: time alone does."""

    stride_events: int | None = None
    """Events from one window's start to the next; None: `window_events`."""

    late: str = "block"
    """One of `LATE`."""

    max_latency_us: int | None = None
    """Wall microseconds after which a window that waits is late; None: its stride, when the next one is there too."""

    thin: float = 0.5
    """Share of the events that ``late="thin"`` drops from a window that is late."""

    track: bool = False
    """Whether results are tracks, by the rules of `TrackerConfig`; a `conf` above its scores takes their place."""

    def __post_init__(self) -> None:
        """Check what does not depend on the recording.

        Raises
        ------
        OptionError
            When a value is outside its rule.
        """
        check_option("state", self.state, STATES)
        check_option("late", self.late, LATE)
        for name in ("window_us", "stride_us", "reset_steps", "window_events", "stride_events", "max_latency_us"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise OptionError(f"{name} must be > 0, got {value}")
        if not self.pace > 0:
            raise OptionError(f"pace must be > 0, got {self.pace}")
        if not 0 < self.thin < 1:
            raise OptionError(f"thin must be in (0, 1), got {self.thin}", hint="the share of events to drop")
        if self.late == "block" and self.max_latency_us is not None:
            raise OptionError(
                "max_latency is for windows that are dropped or thinned when late, got late block",
                hint="use --late latest or --late thin",
            )

    @property
    def least_score(self) -> float:
        """Lowest score of a detection that is of use: a tracker takes lower ones too."""
        return _TRACKING.low_score if self.track else self.conf

    @property
    def rules(self) -> str:
        """What decides about boxes and is told nowhere else in a header, in words.

        Where windows begin is part of it, and whether time ends those of a number of events too; where the stream ends
        is not.
        """
        rules = [f"conf {self.conf:g}", f"iou {self.iou:g}", f"at most {self.max_detections} boxes", f"fit {self.fit}"]
        if self.track:
            rules.append(f"tracks found at {self._tracking.high_score:g} and begun at {self._tracking.new_score:g}")
        if self.start_us is not None:
            rules.append(f"from {self.start_us} us")
        if self.window_events is not None and self.window_us is None:
            rules.append("windows of any length")
        if self.late != "block":
            limit = "" if self.max_latency_us is None else f" after {self.max_latency_us} us"
            rules.append(f"late {self.late}{f' {self.thin:g}' if self.late == 'thin' else ''}{limit}")
        return ", ".join(rules)

    def tracker(self, sensor_size: SensorSize) -> Tracker | None:
        """Return a new tracker; None: results are detections.

        A low `conf` leaves the scores of its rules as they are: with them it would find more false tracks than objects.
        """
        return Tracker(self._tracking, sensor_size=sensor_size) if self.track else None

    @property
    def _tracking(self) -> TrackerConfig:
        high_score, new_score = max(self.conf, _TRACKING.high_score), max(self.conf, _TRACKING.new_score)
        return replace(_TRACKING, high_score=high_score, new_score=new_score)

    def grid(self, trained_us: int) -> WindowGrid:
        """Return where the windows lie.

        Parameters
        ----------
        trained_us : int
            Length of the windows that the model was trained on.

        Raises
        ------
        OptionError
            When length and stride do not go together.
        """
        length_us = self.window_us
        if length_us is None and self.window_events is None:
            length_us = trained_us
        stride_us = length_us if self.stride_us is None else self.stride_us
        stride_events = self.window_events if self.stride_events is None else self.stride_events
        begin_us = self.start_us
        if begin_us is not None and stride_us is not None:
            begin_us = begin_us // stride_us * stride_us
        return check_grid(WindowGrid(length_us, stride_us, begin_us, self.stop_us, self.window_events, stride_events))
