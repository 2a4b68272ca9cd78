"""pycocotools as the oracle of COCO's metric."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from eventdet.boxes import Boxes


def _entries(images: Sequence[Boxes]) -> list[dict[str, Any]]:
    entries = []
    for image, boxes in enumerate(images):
        corners = boxes.xyxy.astype(np.float64)
        xywh = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).tolist()
        entries += [
            {
                "image_id": image,
                "category_id": int(boxes.class_id[row]) + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "score": float(boxes.score[row]),
            }
            for row, box in enumerate(xywh)
        ]
    return entries


def coco_sets(detections: Sequence[Boxes], labels: Sequence[Boxes], *, num_classes: int) -> tuple[COCO, COCO]:
    """Return labels and detections as objects of pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(len(labels))],
            "categories": [{"id": class_id + 1} for class_id in range(num_classes)],
            "annotations": [entry | {"id": number + 1} for number, entry in enumerate(_entries(labels))],
        }
        truth.createIndex()
        found = _entries(detections)
        results = truth.loadRes(found) if found else COCO()
        if not found:
            results.dataset = truth.dataset | {"annotations": []}
            results.createIndex()
        return truth, results


def run_coco(truth: COCO, results: COCO) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return precision (thresholds, recalls, classes, sizes) and recall (thresholds, classes, sizes, limits)."""
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(truth, results, "bbox")
        run.evaluate()
        run.accumulate()
    precision = np.array(run.eval["precision"][..., -1], np.float64)
    recall = np.array(run.eval["recall"], np.float64)
    return np.where(precision < 0, np.nan, precision), np.where(recall < 0, np.nan, recall)
