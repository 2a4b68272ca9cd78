"""How good detections are, measured against labels."""

from .average_precision import AveragePrecision, average_precision
from .metrics import COCO, COCO_IOU_THRESHOLDS, COCO_SIZES, YOLO, Metric, SizeRange

__all__ = [
    "COCO",
    "COCO_IOU_THRESHOLDS",
    "COCO_SIZES",
    "YOLO",
    "AveragePrecision",
    "Metric",
    "SizeRange",
    "average_precision",
]
