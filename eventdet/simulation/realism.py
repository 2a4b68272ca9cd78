"""How near synthetic recordings come to real ones, number by number.

The real side is small and said to be so: patches of 100 ms that an ATIS took of four cars and of three places without
one (N-CARS), and the counts of labels that Gen1's authors state. Where several patches were measured the range is
theirs; where only their median is known it is that number within a factor of 1.5, or for a share within 0.1. Being
inside says "not absurd", not "real".
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields

import numpy as np

from eventdet.boxes import Boxes
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.units import MICROSECONDS_PER_SECOND

from .config import SimulationConfig
from .recorder import SimulatedRecording, simulate
from .reproducible import Draws
from .statistics import PatchStatistics, measure_patch

__all__ = ["RealismReport", "RealismRow", "measure_realism"]

_WINDOW_US = 100_000
_PLACE = SensorSize(48, 64)
_TRIES = 20
_CAR, _PEDESTRIAN = 0, 1

_Range = tuple[float, float]
_CARS: dict[str, _Range] = {
    "rate": (13.4, 42.9),
    "on_share": (0.38, 0.58),
    "active_share": (0.48, 0.80),
    "events_per_active": (2.5, 5.4),
    "count_p99": (7.3, 16.5),
    "interval_p10_ms": (1.3, 3.0),
    "interval_p50_ms": (3.9, 8.7),
    "same_polarity": (0.63, 0.82),
    "isolated": (0.05, 0.11),
}
_BACKGROUND: dict[str, _Range] = {
    "rate": (3.1, 9.9),
    "on_share": (0.49, 0.52),
    "active_share": (0.21, 0.51),
    "events_per_active": (1.5, 1.9),
    "count_p99": (2.7, 6.0),
    "interval_p10_ms": (2.0, 4.5),
    "interval_p50_ms": (15.1, 24.6),
    "same_polarity": (0.33, 0.52),
    "isolated": (0.35, 0.55),
}
_FRAME_RATE: _Range = (50e3, 700e3)
_BOXES_PER_S: _Range = (0.9, 3.6)
_CARS_PER_PEDESTRIAN: _Range = (4.1, 16.4)


@dataclass(frozen=True, slots=True)
class RealismRow:
    """One number beside its real range."""

    subject: str
    """``car``, ``background``, ``frame`` or ``label``."""

    name: str
    """What was measured."""

    value: float
    """Median over the patches, or mean over the recordings."""

    low: float
    """Lower end of the real range; NaN where none is known."""

    high: float
    """Its upper end."""

    @property
    def is_inside(self) -> bool | None:
        """Whether the value lies in the range; None without one."""
        return None if np.isnan(self.low) else self.low <= self.value <= self.high


@dataclass(frozen=True, slots=True)
class RealismReport:
    """What was measured on how much."""

    rows: list[RealismRow]
    """One a number."""

    num_recordings: int
    """Recordings measured."""

    num_cars: int
    """Car patches."""

    num_backgrounds: int
    """Patches without a label."""

    def to_dict(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold; no range is null."""
        rows = [
            {name: None if value != value else value for name, value in asdict(row).items()}
            | {"is_inside": row.is_inside}
            for row in self.rows
        ]
        return asdict(self) | {"rows": rows}


def measure_realism(
    configs: Iterable[SimulationConfig], *, on_progress: Callable[[int], None] | None = None
) -> RealismReport:
    """Simulate recordings and compare them with what is known of real ones.

    Parameters
    ----------
    configs : iterable of SimulationConfig
        What to simulate, one after the other.
    on_progress : callable, optional
        Called with the number of recordings measured.

    Returns
    -------
    RealismReport
        Medians over all patches of 100 ms around the labels, and means over all recordings.

    Raises
    ------
    OptionError
        When a duration is outside its rule.
    """
    patches: dict[str, list[PatchStatistics]] = defaultdict(list)
    boxes, num_events, seconds, number = [], 0, 0.0, 0
    for number, config in enumerate(configs, start=1):
        recording = simulate(config)
        for subject, patch in _patches(recording):
            patches[subject].append(patch)
        boxes.append(recording.boxes)
        num_events += len(recording.events)
        seconds += config.duration_us / MICROSECONDS_PER_SECOND
        if on_progress is not None:
            on_progress(number)
    rows = [*_patch_rows("car", patches["car"], _CARS), *_patch_rows("background", patches["background"], _BACKGROUND)]
    rows.append(RealismRow("frame", "events_per_s", num_events / max(seconds, 1e-9), *_FRAME_RATE))
    rows += _label_rows(Boxes.concatenate(boxes), seconds)
    return RealismReport(rows, number, len(patches["car"]), len(patches["background"]))


def _patches(recording: SimulatedRecording) -> Iterator[tuple[str, PatchStatistics]]:
    draw = Draws(recording.config.seed, "realism")
    for t_us in np.unique(recording.boxes.t).tolist():
        start_us = t_us - _WINDOW_US // 2
        if start_us + _WINDOW_US > recording.config.duration_us:
            continue
        window = recording.events.between(start_us, start_us + _WINDOW_US)
        boxes = recording.boxes.at(t_us)
        for box in boxes.xyxy[boxes.class_id == _CAR].astype(np.int64).tolist():
            yield "car", _measure(window, box)
        place = _free_place(boxes, recording.config.size, draw)
        if place is not None:
            yield "background", _measure(window, place)


def _free_place(boxes: Boxes, size: SensorSize, draw: Draws) -> list[int] | None:
    """Return a place below the sky that no label touches, or None where none was found."""
    for _ in range(_TRIES):
        left = int(draw.uniform(0, size.width - _PLACE.width))
        top = int(draw.uniform(size.height / 4, size.height - _PLACE.height))
        right, bottom = left + _PLACE.width, top + _PLACE.height
        x0, y0, x1, y1 = boxes.xyxy.T
        if not ((x0 < right) & (x1 > left) & (y0 < bottom) & (y1 > top)).any():
            return [left, top, right, bottom]
    return None


def _measure(window: Events, box: list[int]) -> PatchStatistics:
    left, top, right, bottom = box
    inside = (window.x >= left) & (window.x < right) & (window.y >= top) & (window.y < bottom)
    cut = window[inside]
    moved = Events(cut.t, cut.x - np.uint16(left), cut.y - np.uint16(top), cut.p)
    return measure_patch(moved, SensorSize(bottom - top, right - left), duration_us=_WINDOW_US)


def _patch_rows(subject: str, patches: list[PatchStatistics], ranges: dict[str, _Range]) -> Iterator[RealismRow]:
    for item in fields(PatchStatistics):
        values = np.array([getattr(patch, item.name) for patch in patches])
        known = values[~np.isnan(values)]
        yield RealismRow(subject, item.name, float(np.median(known)) if len(known) else np.nan, *ranges[item.name])


def _label_rows(boxes: Boxes, seconds: float) -> Iterator[RealismRow]:
    cars, pedestrians = (boxes.xyxy[boxes.class_id == label] for label in (_CAR, _PEDESTRIAN))
    unknown = (float("nan"), float("nan"))
    yield RealismRow("label", "boxes_per_s", len(boxes) / max(seconds, 1e-9), *_BOXES_PER_S)
    ratio = len(cars) / len(pedestrians) if len(pedestrians) else np.nan
    yield RealismRow("label", "cars_per_pedestrian", ratio, *_CARS_PER_PEDESTRIAN)
    for name, rows in (("car", cars), ("pedestrian", pedestrians)):
        sides = rows[:, 2:] - rows[:, :2] if len(rows) else np.full((1, 2), np.nan)
        width, height = np.median(sides, axis=0).tolist()
        yield RealismRow("label", f"{name}_width_px", width, *unknown)
        yield RealismRow("label", f"{name}_height_px", height, *unknown)
