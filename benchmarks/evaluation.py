"""COCO's metric: ours against pycocotools on the same boxes."""

import contextlib
import io
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from eventdet.boxes import Boxes
from eventdet.evaluation import average_precision

from .rows import BenchmarkRow, compare, import_peer

__all__ = ["benchmark_evaluation"]

_IMAGES = 2000
_CLASSES = 2
_MOST_LABELS = 5
_FOUND_PER_LABEL = 4


def benchmark_evaluation(*, repeats: int = 5) -> list[BenchmarkRow]:
    """Return how many label times of a Gen1-like set are scored per CPU second.

    Parameters
    ----------
    repeats : int
        Runs of each; the median counts.

    Returns
    -------
    list of BenchmarkRow
        Ours and pycocotools, which is given its own objects, made beforehand.

    Raises
    ------
    MissingExtraError
        When pycocotools is not installed.
    """
    detections, labels = _street()
    coco, evaluator = import_peer("pycocotools.coco", extra="dev"), import_peer("pycocotools.cocoeval", extra="dev")

    def reference() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            run = evaluator.COCOeval(truth, results, "bbox")
            run.evaluate()
            run.accumulate()

    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(_IMAGES)],
            "categories": [{"id": class_id} for class_id in range(_CLASSES)],
            "annotations": _records(labels),
        }
        truth.createIndex()
        results = truth.loadRes(_records(detections))
    contenders = {
        "COCO metric": (lambda: average_precision(detections, labels, num_classes=_CLASSES), "all sizes and limits"),
        "pycocotools": (reference, version("pycocotools")),
    }
    return compare(contenders, work=_IMAGES / 1e3, unit="k images/s", repeats=repeats)


def _street() -> tuple[list[Boxes], list[Boxes]]:
    """Return random labels and noisy detections of them, image by image."""
    rng = np.random.default_rng(0)
    detections, labels = [], []
    for _ in range(_IMAGES):
        corner = rng.uniform(0, 200, (rng.integers(0, _MOST_LABELS + 1), 2))
        true = np.concatenate([corner, corner + rng.uniform(10, 100, corner.shape)], axis=1)
        noisy = np.repeat(true, _FOUND_PER_LABEL, axis=0)
        noisy = noisy + rng.normal(0, 4, noisy.shape)
        noisy[:, 2:] = np.maximum(noisy[:, 2:], noisy[:, :2] + 1)
        class_id = rng.integers(0, _CLASSES, len(true))
        labels.append(Boxes.from_xyxy(true, class_id=class_id))
        detections.append(
            Boxes.from_xyxy(noisy, class_id=np.repeat(class_id, _FOUND_PER_LABEL), score=rng.uniform(0, 1, len(noisy)))
        )
    return detections, labels


def _records(images: Sequence[Boxes]) -> list[dict[str, Any]]:
    records = [
        {"image_id": image, "category_id": class_id, "bbox": xywh, "area": xywh[2] * xywh[3], "score": score}
        for image, boxes in enumerate(images)
        for xywh, class_id, score in zip(
            boxes.xywh.tolist(), boxes.class_id.tolist(), boxes.score.tolist(), strict=True
        )
    ]
    return [record | {"id": number, "iscrowd": 0} for number, record in enumerate(records, start=1)]
