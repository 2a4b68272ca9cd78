"""Average precision by COCO's definition (Lin et al. 2014, and the rules of its reference evaluator).

Within an image and a class, detections are taken by falling score and each claims the free label that it overlaps
most. Over all images, precision is made non-increasing from the right and read at 101 recalls.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError

__all__ = ["COCO_IOU_THRESHOLDS", "AveragePrecision", "average_precision", "pairwise_iou"]

COCO_IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""0.50, 0.55, ... 0.95."""

_RECALLS = np.linspace(0.0, 1.0, 101)
_MAX_DETECTIONS = 100


@dataclass(frozen=True, slots=True, eq=False)
class AveragePrecision:
    """Average precision by overlap threshold and class."""

    iou_thresholds: tuple[float, ...]
    """Least overlap at which a detection counts as found."""

    per_class: NDArray[np.float64]
    """Shape (thresholds, classes); NaN for a class without labels."""

    num_labels: NDArray[np.int64]
    """Shape (classes,)."""

    num_images: int
    """Label times scored."""

    @property
    def map50(self) -> float:
        """Mean over the classes that have labels, at overlap 0.5; NaN without labels."""
        return _mean(self.per_class[self.iou_thresholds.index(0.5)])

    @property
    def map50_95(self) -> float:
        """Mean over classes and over every threshold; NaN without labels."""
        return _mean(self.per_class)


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def average_precision(
    detections: Sequence[Boxes],
    labels: Sequence[Boxes],
    *,
    num_classes: int,
    iou_thresholds: tuple[float, ...] = COCO_IOU_THRESHOLDS,
) -> AveragePrecision:
    """Return the average precision of detections, image by image.

    Parameters
    ----------
    detections, labels : sequence of Boxes
        One entry an image (a label time of a recording), in the same order.
    num_classes : int
        Classes 0 .. num_classes - 1 are scored.
    iou_thresholds : tuple of float
        Overlaps at which to score.

    Returns
    -------
    AveragePrecision
        By threshold and class.

    Raises
    ------
    OptionError
        When the two sequences differ in length.
    """
    if len(detections) != len(labels):
        raise OptionError(f"detections must have {len(labels)} images like labels, got {len(detections)}")
    table = np.full((len(iou_thresholds), num_classes), np.nan)
    counts = np.zeros(num_classes, np.int64)
    for class_id in range(num_classes):
        found = [boxes[boxes.class_id == class_id] for boxes in detections]
        true = [boxes[boxes.class_id == class_id] for boxes in labels]
        counts[class_id] = sum(len(boxes) for boxes in true)
        if counts[class_id]:
            table[:, class_id] = _class_precision(found, true, iou_thresholds, int(counts[class_id]))
    return AveragePrecision(iou_thresholds, table, counts, len(labels))


def _class_precision(
    found: Sequence[Boxes], true: Sequence[Boxes], iou_thresholds: tuple[float, ...], num_labels: int
) -> NDArray[np.float64]:
    scores, hits = [], []
    for detected, labelled in zip(found, true, strict=True):
        order = np.argsort(-detected.score, kind="stable")[:_MAX_DETECTIONS]
        scores.append(detected.score[order])
        hits.append(_match(pairwise_iou(detected.xyxy[order], labelled.xyxy), iou_thresholds))
    ranking = np.argsort(-np.concatenate(scores), kind="stable")
    ranked = np.concatenate(hits, axis=1)[:, ranking]
    return np.array([_interpolated(row, num_labels) for row in ranked])


def _match(iou: NDArray[np.float64], iou_thresholds: tuple[float, ...]) -> NDArray[np.bool_]:
    """Return which detections (columns) claim a label, one row a threshold."""
    hits = np.zeros((len(iou_thresholds), len(iou)), np.bool_)
    for row, threshold in zip(hits, iou_thresholds, strict=True):
        free = np.ones(iou.shape[1], np.bool_)
        for index, overlaps in enumerate(iou):
            candidates = np.where(free, overlaps, -1.0)
            if candidates.size == 0:
                break
            # The reference evaluator lets a later label win a tie.
            best = len(candidates) - 1 - int(np.argmax(candidates[::-1]))
            if candidates[best] >= threshold:
                row[index], free[best] = True, False
    return hits


def _interpolated(hits: NDArray[np.bool_], num_labels: int) -> float:
    if hits.size == 0:
        return 0.0
    found = np.cumsum(hits)
    recall = found / num_labels
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    position = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.where(position < len(envelope), envelope[np.minimum(position, len(envelope) - 1)], 0.0).mean())


def pairwise_iou(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the overlap of each box with each other.

    Parameters
    ----------
    first, second : ndarray, shape (n, 4) and (m, 4), float32
        Corners in pixels.

    Returns
    -------
    ndarray, shape (n, m), float64
        Intersection over union; 0 where both areas are 0.

    Examples
    --------
    >>> pairwise_iou(np.float32([[0, 0, 2, 2]]), np.float32([[1, 0, 3, 2]])).round(3).tolist()
    [[0.333]]
    """
    a, b = first.astype(np.float64)[:, None], second.astype(np.float64)[None]
    overlap = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    intersection = np.prod(np.clip(overlap, 0.0, None), axis=-1)
    union = np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1) - intersection
    iou: NDArray[np.float64] = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    return iou
