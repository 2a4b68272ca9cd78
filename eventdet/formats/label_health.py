"""Whether the boxes of a label file can be true: what ``eventdet labels check`` says."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import GEN1_CLASSES, Boxes
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .prophesee_boxes import read_label_file
from .recording import Recording

__all__ = ["Finding", "LabelHealth", "SizeSummary", "check_labels"]

FROZEN_US = 2_000_000
"""An object that a person labels does not keep its exact box for this long, however still it is."""

WHOLE_WIDTH = 0.9
"""Of the sensor's width: RVT leaves wider boxes of Gen1 out of training as faulty."""

EVENTS_BEFORE_US = 100_000
"""A box stands for what was seen up to its stamp: no event inside within this time means nothing was."""

_NUM_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """Boxes that share one fault."""

    name: str
    """What is wrong with them."""

    count: int
    """How many boxes."""

    examples: list[int]
    """Rows of the file, the first five at most."""


@dataclass(frozen=True, slots=True)
class SizeSummary:
    """Boxes of one class: how many and how large, in pixels."""

    count: int
    """Number of boxes."""

    width: tuple[float, float, float]
    """Smallest, median and largest width."""

    height: tuple[float, float, float]
    """Smallest, median and largest height."""


@dataclass(frozen=True, slots=True)
class LabelHealth:
    """Health report of one label file."""

    path: str
    """The file as given."""

    layout: str
    """``old``, ``new`` or ``mixed``."""

    num_boxes: int
    """Boxes in the file."""

    num_times: int
    """Different stamps."""

    t_first_us: int
    """Earliest stamp, 0 without boxes."""

    t_last_us: int
    """Latest stamp, 0 without boxes."""

    label_rate_hz: float
    """One over the median distance of stamps; 0 with fewer than two."""

    findings: list[Finding]
    """What was looked for, faults that no box has included."""

    not_checked: list[str]
    """What could not be looked for, with what it needs."""

    sizes: dict[str, SizeSummary]
    """By class, its name or ``class N`` for an unknown one: of the boxes that have an area."""

    @property
    def faults(self) -> dict[str, int]:
        """The non-zero counts by name."""
        return {finding.name: finding.count for finding in self.findings if finding.count}

    def to_dict(self) -> dict[str, object]:
        """Return the facts as values that JSON can hold."""
        return asdict(self)


def check_labels(
    path: str | Path,
    recording: Recording | None = None,
    *,
    sensor_size: SensorSize | None = None,
    class_names: Sequence[str] = GEN1_CLASSES,
) -> LabelHealth:
    """Return what is odd about the boxes of a label file.

    Parameters
    ----------
    path : str or Path
        A Prophesee ``_bbox.npy``.
    recording : Recording, optional
        The events that the labels belong to; read once, with bounded memory.
    sensor_size : SensorSize, optional
        Size of the sensor; that of the recording by default.
    class_names : sequence of str
        Names of the known classes, by class id.

    Returns
    -------
    LabelHealth
        Counts and examples by kind of fault. A fault is a suspicion: nothing is changed.

    Raises
    ------
    InputError
        When a file cannot be read.
    FormatError
        When a file breaks its format.
    """
    boxes, is_sound, layout = read_label_file(path)
    size = sensor_size or (None if recording is None else recording.sensor_size)
    masks = {
        "no area": ~_has_area(boxes),
        "beyond any sensor or clock": ~is_sound & _has_area(boxes),
        "duplicate": _duplicates(boxes),
        "unknown class": (boxes.class_id < 0) | (boxes.class_id >= len(class_names)),
        f"frozen for {FROZEN_US // 1_000_000} s": _frozen(boxes),
        "stamp before the one above": np.diff(boxes.t, prepend=boxes.t[:1]) < 0,
    }
    not_checked = []
    if size is None:
        not_checked.append("out of frame, whole width: give --events or --sensor-size")
    else:
        masks |= _against_sensor(boxes, size)
    if recording is None:
        not_checked.append("no events inside: give --events")
    else:
        masks["no events inside"] = _without_events(boxes, recording)
    times = np.unique(boxes.t)
    return LabelHealth(
        path=str(path),
        layout=layout,
        num_boxes=len(boxes),
        num_times=len(times),
        t_first_us=int(times[0]) if len(times) else 0,
        t_last_us=int(times[-1]) if len(times) else 0,
        label_rate_hz=1e6 / float(np.median(np.diff(times))) if len(times) > 1 else 0.0,
        findings=[_finding(name, mask) for name, mask in masks.items()],
        not_checked=not_checked,
        sizes=_sizes(boxes[is_sound], class_names),
    )


def _finding(name: str, mask: NDArray[np.bool_]) -> Finding:
    rows = np.flatnonzero(mask)
    return Finding(name, len(rows), rows[:_NUM_EXAMPLES].tolist())


def _has_area(boxes: Boxes) -> NDArray[np.bool_]:
    """Return for each box whether its right and bottom edges are beyond the others; not so for NaN."""
    finite = np.isfinite(boxes.xyxy)
    has_area: NDArray[np.bool_] = np.all(
        finite[:, 2:] & finite[:, :2] & (boxes.xyxy[:, 2:] > boxes.xyxy[:, :2]), axis=1
    )
    return has_area


def _against_sensor(boxes: Boxes, size: SensorSize) -> dict[str, NDArray[np.bool_]]:
    left, top, right, bottom = boxes.xyxy.T
    beyond = (right <= 0) | (bottom <= 0) | (left >= size.width) | (top >= size.height)
    over = (left < 0) | (top < 0) | (right > size.width) | (bottom > size.height)
    return {
        "partly out of frame": over & ~beyond,
        "wholly out of frame": beyond,
        "whole width": right > left + WHOLE_WIDTH * size.width,
    }


def _as_rows(boxes: Boxes) -> NDArray[np.float64]:
    """Return shape (n, 6): stamp, class, edges; float64 holds each of them exactly."""
    return np.column_stack([boxes.t, boxes.class_id, boxes.xyxy]).astype(np.float64)


def _duplicates(boxes: Boxes) -> NDArray[np.bool_]:
    """Return for each box whether one above has the same stamp, class and edges."""
    _, first = np.unique(_as_rows(boxes), axis=0, return_index=True)
    mask = np.ones(len(boxes), np.bool_)
    mask[first] = False
    return mask


def _frozen(boxes: Boxes) -> NDArray[np.bool_]:
    """Return for each box whether it keeps its class and edges over label times that span `FROZEN_US` or more."""
    times, at = np.unique(boxes.t, return_inverse=True)
    _, identity = np.unique(_as_rows(boxes)[:, 1:], axis=0, return_inverse=True)
    order = np.lexsort((at, identity))
    # A run ends where the box changes or a label time goes by without it.
    ends = (np.diff(identity[order]) != 0) | (np.diff(at[order]) > 1)
    mask = np.zeros(len(boxes), np.bool_)
    for run in np.split(order, np.flatnonzero(ends) + 1):
        if len(run) and times[at[run[-1]]] - times[at[run[0]]] >= FROZEN_US:
            mask[run] = True
    return mask


def _without_events(boxes: Boxes, recording: Recording) -> NDArray[np.bool_]:
    """Return for each box whether no event fell inside within `EVENTS_BEFORE_US` before its stamp."""
    mask = np.zeros(len(boxes), np.bool_)
    times = np.unique(boxes.t)
    for t_us, events in zip(times, _events_before(recording.chunks(), times), strict=True):
        for row in np.flatnonzero(boxes.t == t_us):
            left, top, right, bottom = boxes.xyxy[row] - 0.5  # the middle of a pixel decides
            inside = (events.x >= left) & (events.x < right) & (events.y >= top) & (events.y < bottom)
            mask[row] = not inside.any()
    return mask


def _events_before(batches: Iterable[Events], times: NDArray[np.int64]) -> Iterator[Events]:
    """Yield for each time, in increasing order, the events of the `EVENTS_BEFORE_US` before it."""
    coming = iter(batches)
    held = Events.empty()
    for t_us in times.tolist():
        while not len(held) or held.t[-1] < t_us:
            batch = next(coming, None)
            if batch is None:
                break
            kept = held.t >= t_us - EVENTS_BEFORE_US
            held = Events.concatenate([held[kept], batch])
        yield held.between(t_us - EVENTS_BEFORE_US, t_us)


def _sizes(boxes: Boxes, class_names: Sequence[str]) -> dict[str, SizeSummary]:
    sizes = {}
    for class_id in np.unique(boxes.class_id).tolist():
        name = class_names[class_id] if 0 <= class_id < len(class_names) else f"class {class_id}"
        width, height = boxes.xywh[boxes.class_id == class_id, 2:].T
        sizes[name] = SizeSummary(len(width), _range(width), _range(height))
    return sizes


def _range(values: NDArray[np.float32]) -> tuple[float, float, float]:
    return float(values.min()), float(np.median(values)), float(values.max())
