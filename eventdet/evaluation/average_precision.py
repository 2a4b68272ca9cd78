"""Average precision, and recall, by size and class (Lin et al. 2014, and the rules of its reference evaluator).

Within an image and a class, detections are taken by falling score and each claims the free label that it overlaps
most. Over all images, precision is made non-increasing from the right and read at 101 recalls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError

from .metrics import COCO, Metric

__all__ = ["AveragePrecision", "LabelRegions", "average_precision", "check_boxes"]

_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True, eq=False)
class AveragePrecision:
    """Precision and recall by overlap threshold, class and size; NaN where there are no labels."""

    metric: Metric
    """Names the axes."""

    precision: NDArray[np.float64]
    """Shape (thresholds, 101, classes, sizes): highest precision at each recall 0, 0.01, ... 1, or beyond."""

    recall: NDArray[np.float64]
    """Shape (thresholds, classes, sizes, limits): share of labels found with so many detections an image."""

    labels_by_size: NDArray[np.int64]
    """Shape (classes, sizes)."""

    num_images: int
    """Label times scored."""

    @property
    def num_labels(self) -> NDArray[np.int64]:
        """Shape (classes,)."""
        return self.labels_by_size[:, 0]

    @property
    def by_size(self) -> NDArray[np.float64]:
        """Shape (thresholds, classes, sizes): average precision."""
        is_coco = self.metric.average == "coco"
        mean = self.precision.mean(axis=1) if is_coco else np.trapezoid(self.precision, _RECALLS, axis=1)
        return np.asarray(mean, np.float64)

    @property
    def per_class(self) -> NDArray[np.float64]:
        """Shape (thresholds, classes): average precision over boxes of every size."""
        return self.by_size[:, :, 0]

    @property
    def map50(self) -> float:
        """Mean over the classes that have labels, at overlap 0.5; NaN without labels."""
        return self.map_at(0.5)

    @property
    def map50_95(self) -> float:
        """Mean over classes and over every threshold; NaN without labels."""
        return _mean(self.per_class)

    def map_at(self, iou: float) -> float:
        """Return the mean over the classes that have labels, at one overlap; NaN without labels.

        Raises
        ------
        OptionError
            When the metric has no such threshold.
        """
        near = np.flatnonzero(np.isclose(self.metric.iou_thresholds, iou))
        if not near.size:
            raise OptionError(f"iou must be one of {self.metric.iou_thresholds}, got {iou}")
        return _mean(self.per_class[near[0]])

    def size_map(self, name: str) -> float:
        """Return the mean over classes and thresholds for one size, by its name; NaN without labels of it."""
        return _mean(self.by_size[:, :, [size.name for size in self.metric.sizes].index(name)])

    def average_recall(self) -> dict[int, float]:
        """Return the mean recall over classes and thresholds by the most detections an image."""
        return {limit: _mean(self.recall[:, :, 0, place]) for place, limit in enumerate(self.metric.max_detections)}


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


class LabelRegions(NamedTuple):
    """What COCO knows of the labels of an image besides their boxes."""

    area: NDArray[np.float64]
    """Shape (n,): square pixels of the outlines, by which sizes go."""

    is_crowd: NDArray[np.bool_]
    """Shape (n,): whether a label stands for many objects: it is never missed, and detections in it do not count."""


def average_precision(
    detections: Sequence[Boxes],
    labels: Sequence[Boxes],
    *,
    num_classes: int,
    metric: Metric = COCO,
    regions: Sequence[LabelRegions] | None = None,
) -> AveragePrecision:
    """Return how well detections find labels, image by image.

    Parameters
    ----------
    detections, labels : sequence of Boxes
        One entry an image (a label time of a recording), in the same order.
    num_classes : int
        Class ids are 0 .. num_classes - 1.
    metric : Metric
        Thresholds, sizes and limits; COCO's when left out.
    regions : sequence of LabelRegions, optional
        Areas and crowds of the labels of each image; by default areas are those of the boxes, and there is no crowd.

    Returns
    -------
    AveragePrecision
        By threshold, class and size.

    Raises
    ------
    OptionError
        When the sequences differ in length, or a box has a class id out of range or a number that is not finite.

    Examples
    --------
    >>> street = [Boxes.from_xyxy([[10, 10, 60, 60], [100, 20, 180, 90]])]
    >>> round(average_precision([street[0][:1]], street, num_classes=1).map50, 3)
    0.505
    """
    if len(detections) != len(labels):
        raise OptionError(f"detections must have {len(labels)} images like labels, got {len(detections)}")
    found = _Grouped(detections, "detections", num_classes, limit=metric.max_detections[-1])
    true = _Grouped(labels, "labels", num_classes)
    true.describe(regions)
    outcome = _outcomes(found, true, metric)
    counts = _count_sizes(true, num_classes, metric)
    thresholds, sizes = len(metric.iou_thresholds), len(metric.sizes)
    precision = np.full((thresholds, len(_RECALLS), num_classes, sizes), np.nan)
    recall = np.full((thresholds, num_classes, sizes, len(metric.max_detections)), np.nan)
    for class_id in np.flatnonzero(counts.any(axis=1)):
        members = np.flatnonzero(found.class_id == class_id)
        members = members[np.argsort(-found.score[members], kind="stable")]
        precision[:, :, class_id], recall[:, class_id] = _class_curves(
            outcome[:, :, members], found.ranks[members], counts[class_id], metric
        )
    return AveragePrecision(metric, precision, recall, counts, len(labels))


def check_boxes(boxes: Boxes, name: str, *, num_classes: int) -> None:
    """Refuse boxes that cannot be scored.

    Raises
    ------
    OptionError
        When a class id is not in 0 .. num_classes - 1, or a score or corner is not finite.
    """
    wrong = np.flatnonzero((boxes.class_id < 0) | (boxes.class_id >= num_classes))
    if wrong.size:
        raise OptionError(
            f"{name}: class ids must be in 0..{num_classes - 1}, got {boxes.class_id[wrong[0]]} in box {wrong[0]}",
            hint="name every class",
        )
    for what, is_known in (
        ("score", np.isfinite(boxes.score)),
        ("corners", np.isfinite(boxes.xyxy).all(axis=1)),
    ):
        if not is_known.all():
            row = int(np.argmin(is_known))
            values = boxes.score[row] if what == "score" else boxes.xyxy[row].tolist()
            raise OptionError(f"{name}: the {what} of a box must be finite, got {values} in box {row}")


class _Grouped:
    """Boxes of all images, sorted by image and class, and within these by falling score."""

    def __init__(self, images: Sequence[Boxes], name: str, num_classes: int, *, limit: int | None = None) -> None:
        boxes = Boxes.concatenate(images)
        check_boxes(boxes, name, num_classes=num_classes)
        group = np.repeat(np.arange(len(images)), [len(image) for image in images]) * num_classes + boxes.class_id
        order = np.argsort(group, kind="stable") if limit is None else np.lexsort((-boxes.score, group))
        sizes = np.bincount(group, minlength=len(images) * num_classes)
        ranks = np.arange(len(boxes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        if limit is not None:
            order, ranks, sizes = order[ranks < limit], ranks[ranks < limit], np.minimum(sizes, limit)
        self.ranks, self._order = ranks, order
        self.xyxy = boxes.xyxy[order].astype(np.float64)
        self.class_id, self.score = boxes.class_id[order], boxes.score[order]
        self.starts = np.concatenate(([0], np.cumsum(sizes)))

        self.area = np.prod(self.xyxy[:, 2:] - self.xyxy[:, :2], axis=1)
        self.is_crowd = np.zeros(len(self.xyxy), np.bool_)

    def describe(self, regions: Sequence[LabelRegions] | None) -> None:
        """Take areas and crowds, image by image, instead of those of the boxes."""
        if regions is None:
            return
        area = np.concatenate([np.zeros(0), *(each.area for each in regions)])
        is_crowd = np.concatenate([np.zeros(0, np.bool_), *(each.is_crowd for each in regions)])
        if len(area) != len(self) or len(is_crowd) != len(self):
            raise OptionError(f"regions must describe {len(self)} labels, got {len(area)}")
        self.area, self.is_crowd = area[self._order], is_crowd[self._order]

    def __len__(self) -> int:
        return len(self.xyxy)


def _size_ranges(metric: Metric) -> NDArray[np.float64]:
    return np.array([(size.low, size.high) for size in metric.sizes], np.float64)


def _outcomes(found: _Grouped, true: _Grouped, metric: Metric) -> NDArray[np.uint8]:
    """Return what becomes of each detection, shape (sizes, thresholds, detections)."""
    from ._matching_kernels import match_boxes

    shape = (len(metric.sizes), len(metric.iou_thresholds))
    # One more than the largest group has: the scratch is never empty.
    most = 1 + int(np.diff(true.starts).max(initial=0))
    outcome = np.zeros((*shape, len(found)), np.uint8)
    match_boxes(
        found.xyxy,
        found.starts,
        true.xyxy,
        true.starts,
        true.area,
        true.is_crowd,
        _size_ranges(metric),
        np.array(metric.iou_thresholds),
        metric.average == "yolo",
        np.zeros(most),
        np.zeros((*shape, most), np.bool_),
        outcome,
    )
    return outcome


def _count_sizes(true: _Grouped, num_classes: int, metric: Metric) -> NDArray[np.int64]:
    columns = [
        np.bincount(
            true.class_id[(true.area >= size.low) & (true.area <= size.high) & ~true.is_crowd], minlength=num_classes
        )
        for size in metric.sizes
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def _class_curves(
    outcome: NDArray[np.uint8], ranks: NDArray[np.int64], counts: NDArray[np.int64], metric: Metric
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the precision (thresholds, 101, sizes) and recall (thresholds, sizes, limits) of one class."""
    from ._matching_kernels import average_hits

    thresholds, sizes = len(metric.iou_thresholds), len(metric.sizes)
    precision = np.full((thresholds, len(_RECALLS), sizes), np.nan)
    recall = np.full((thresholds, sizes, len(metric.max_detections)), np.nan)
    limits, curve = np.array(metric.max_detections), np.zeros(int(counts.max()))
    average_hits(np.ascontiguousarray(outcome), ranks, counts, limits, _RECALLS, curve, precision, recall)
    if metric.average == "yolo":
        for area in np.flatnonzero(counts):
            precision[:, :, area] = [_straight_lines(row, int(counts[area])) for row in outcome[area]]
    return precision, recall


def _straight_lines(outcome: NDArray[np.uint8], num_labels: int) -> NDArray[np.float64]:
    """Return the precision between the points of a curve that begins at 1 and ends at 0, at 101 recalls."""
    from ._matching_kernels import HIT, IGNORED

    hits = np.cumsum(outcome[outcome != IGNORED] == HIT)
    precision = np.concatenate(([1.0], hits / np.arange(1, len(hits) + 1), [0.0]))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return np.interp(_RECALLS, np.concatenate(([0.0], hits / num_labels, [1.0])), envelope)
