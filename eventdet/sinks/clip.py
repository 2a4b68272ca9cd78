"""A recording drawn to a video or to pictures, with boxes from files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import GEN1_CLASSES, Boxes
from eventdet.drawing import Caption, Style, render_frame
from eventdet.errors import OptionError
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.units import MICROSECONDS_PER_SECOND

from .frames import NOTHING_WRITTEN, check_frame_target, open_frame_writer, write_png

if TYPE_CHECKING:
    from eventdet.formats import Window

__all__ = ["Clip", "DrawnSource", "VisualizeSummary", "visualize"]


class DrawnSource(Protocol):
    """What is asked of a source of events to draw it: a recording is one, a synthetic source another."""

    @property
    def name(self) -> str:
        """What the pictures are titled."""

    @property
    def sensor_size(self) -> SensorSize:
        """Rows and columns of the camera."""

    @property
    def report(self) -> ReadReport:
        """Counts of what was read and repaired so far."""

    @property
    def t_first_us(self) -> int:
        """Stamp of the first event, microseconds."""

    @property
    def t_last_us(self) -> int:
        """Stamp of the last event, microseconds."""

    def windows(
        self, length_us: int, stride_us: int | None = None, start_us: int | None = None, stop_us: int | None = None
    ) -> "Iterator[Window]":
        """Yield windows in order, empty ones too."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Which part of a recording is shown, and how time passes.

    A picture at time t shows the events of ``[t - window_us, t)`` and of each box file the newest boxes stamped at or
    before t, as long as they are younger than their hold time.
    """

    window_us: int = 33_333
    """Length of the window in a picture, microseconds."""

    fps: float = 30.0
    """Pictures a second of video."""

    slow: float = 1.0
    """Seconds of video for a second of recording."""

    start_us: int | None = None
    """Where the first window starts; None is the start of the recording."""

    stop_us: int | None = None
    """Where windows end; None is the end of the recording."""

    hold_labels_us: int = 250_000
    """How long labels stay, microseconds: the period of 4 Hz labels, so that they do not flicker."""

    hold_boxes_us: int | None = None
    """How long predictions stay, microseconds: the stride they were made with.

    None is the smallest distance of two stamps in the file, which is that stride unless every second window is empty,
    at most a second; for a single stamp it is `window_us`.
    """

    class_names: Sequence[str] = GEN1_CLASSES
    """Names by class id."""

    synthetic: bool = False
    """Whether the recording is simulated; its pictures are marked."""

    def __post_init__(self) -> None:
        """Check the durations and rates.

        Raises
        ------
        OptionError
            When one is not positive, or pictures would follow each other within a microsecond.
        """
        for name in ("window_us", "fps", "slow"):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name} must be > 0, got {getattr(self, name)}")
        if not self.fps * self.slow <= MICROSECONDS_PER_SECOND:
            raise OptionError(f"fps * slow must be <= 1e6, one picture a microsecond, got {self.fps * self.slow:g}")

    @property
    def stride_us(self) -> int:
        """Recorded microseconds from one picture to the next."""
        return max(1, round(MICROSECONDS_PER_SECOND / (self.fps * self.slow)))


@dataclass(frozen=True, slots=True)
class VisualizeSummary:
    """What `visualize` wrote."""

    path: str
    """The target."""

    num_frames: int
    """Pictures written; without any there is no file."""

    note: str
    """What the user should know about the output; empty when all is as expected."""

    repairs: Mapping[str, int] = field(default_factory=dict)
    """What was changed or dropped in the events, counted by name."""


def visualize(
    recording: DrawnSource,
    target: str,
    *,
    boxes: Boxes | None = None,
    labels: Boxes | None = None,
    clip: Clip | None = None,
    style: Style | None = None,
    on_progress: Callable[[float], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> VisualizeSummary:
    """Draw a recording with its boxes.

    Parameters
    ----------
    recording : Recording or SyntheticSource
        What is drawn.
    target : str
        ``.mp4``, ``.gif``, numbered ``.png`` such as ``frames/%06d.png``, or ``picture.png`` for a single picture: the
        window at ``clip.start_us``, else the one with most events.
    boxes, labels : Boxes, optional
        Predictions (solid) and labels (dashed), of the whole recording.
    clip : Clip, optional
        Part and timing; the default one when left out.
    style : Style, optional
        Look; the default one when left out.
    on_progress : callable, optional
        Called with the share done, 0..1.
    should_stop : callable, optional
        Asked before each window; once it says True the clip ends there, and is whole.

    Returns
    -------
    VisualizeSummary
        What was written.

    Raises
    ------
    OptionError, OutputError, MissingExtraError
        When the target cannot be written.
    """
    plan, look = clip or Clip(), style or Style()
    suffix = check_frame_target(target)
    predictions = _Timeline(boxes)
    hold_us = plan.hold_boxes_us or predictions.period_us() or plan.window_us
    painter = _Painter(recording, plan, look, boxes=predictions, labels=_Timeline(labels), hold_boxes_us=hold_us)
    stopped = should_stop or (lambda: False)
    if suffix == ".png" and "%" not in target:
        num_frames, note = _write_single(target, painter, stopped)
    else:
        num_frames, note = _write_clip(target, painter, stopped, on_progress)
    return VisualizeSummary(target, num_frames, note, recording.report.repairs)


def _write_single(target: str, painter: "_Painter", stopped: Callable[[], bool]) -> tuple[int, str]:
    recording, plan = painter.recording, painter.plan
    windows = _until(stopped, recording.windows(plan.window_us, plan.window_us, plan.start_us, plan.stop_us))
    chosen = next(windows, None) if plan.start_us is not None else max(windows, key=_num_events, default=None)
    if chosen is None:
        return 0, NOTHING_WRITTEN
    write_png(target, painter.picture(chosen))
    return 1, f"the window from t = {chosen.t0_us} us, {len(chosen.events)} events"


def _write_clip(
    target: str, painter: "_Painter", stopped: Callable[[], bool], on_progress: Callable[[float], None] | None
) -> tuple[int, str]:
    recording, plan = painter.recording, painter.plan
    rate = Fraction(plan.fps).limit_denominator(1_000)
    writer = open_frame_writer(target, rate=rate, palette=painter.style.colours)
    num_frames = 0
    try:
        windows = recording.windows(plan.window_us, plan.stride_us, plan.start_us, plan.stop_us)
        for window in _until(stopped, windows):
            writer.write(painter.picture(window))
            num_frames += 1
            if on_progress is not None:
                on_progress(_share_done(recording, plan, window.t1_us))
    finally:
        writer.close()
    return num_frames, writer.note


def _until(stopped: Callable[[], bool], windows: "Iterator[Window]") -> "Iterator[Window]":
    while not stopped() and (window := next(windows, None)) is not None:
        yield window


def _share_done(recording: DrawnSource, plan: Clip, t_us: int) -> float:
    first_us = recording.t_first_us if plan.start_us is None else plan.start_us
    last_us = recording.t_last_us if plan.stop_us is None else plan.stop_us
    return min(1.0, max(0.0, (t_us - first_us) / max(1, last_us - first_us)))


def _num_events(window: "Window") -> int:
    return len(window.events)


class _Timeline:
    """Boxes in time order, asked for the newest ones."""

    def __init__(self, boxes: Boxes | None) -> None:
        self._boxes = None if boxes is None else boxes[np.argsort(boxes.t, kind="stable")]

    def period_us(self) -> int | None:
        """Return the smallest distance of two stamps, at most a second; None with less than two."""
        stamps = np.unique(self._boxes.t) if self._boxes is not None else ()
        return min(MICROSECONDS_PER_SECOND, int(np.diff(stamps).min())) if len(stamps) > 1 else None

    def newest(self, t_us: int, *, hold_us: int) -> Boxes | None:
        """Return the boxes of the newest stamp at or before `t_us` when it is younger than `hold_us`."""
        if self._boxes is None:
            return None
        stamps = self._boxes.t
        stop = int(np.searchsorted(stamps, t_us, side="right"))
        if stop == 0 or t_us - stamps[stop - 1] >= hold_us:
            return Boxes.empty()
        return self._boxes[int(np.searchsorted(stamps, stamps[stop - 1])) : stop]


@dataclass(frozen=True, slots=True)
class _Painter:
    """Everything that the pictures of one recording share."""

    recording: DrawnSource
    plan: Clip
    style: Style
    boxes: _Timeline
    labels: _Timeline
    hold_boxes_us: int

    def picture(self, window: "Window") -> NDArray[np.uint8]:
        """Return the picture of a window."""
        plan = self.plan
        return render_frame(
            window.events,
            self.recording.sensor_size,
            boxes=self.boxes.newest(window.t1_us, hold_us=self.hold_boxes_us),
            labels=self.labels.newest(window.t1_us, hold_us=plan.hold_labels_us),
            class_names=plan.class_names,
            caption=Caption(
                title=self.recording.name,
                t_us=window.t1_us,
                window_us=plan.window_us,
                num_events=len(window.events),
                synthetic=plan.synthetic,
            ),
            style=self.style,
        )
