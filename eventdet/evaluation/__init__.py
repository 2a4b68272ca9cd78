"""How good detections are, measured against labels."""

from .average_precision import COCO_IOU_THRESHOLDS, AveragePrecision, average_precision

__all__ = ["COCO_IOU_THRESHOLDS", "AveragePrecision", "average_precision"]
