"""How good detections are, measured against labels."""

from .average_precision import AveragePrecision, LabelRegions, average_precision
from .evaluate import Evaluation, RecordingResults, RecordingScore, evaluate
from .false_alarms import FalseAlarms, count_false_alarms
from .matching import MATCHINGS, Results, boxes_at
from .metrics import COCO, COCO_IOU_THRESHOLDS, COCO_SIZES, YOLO, Metric, SizeRange
from .protocols import PROTOCOLS, Protocol
from .track_scores import HOTA_IOU_THRESHOLDS, TrackScores, count_tracks

__all__ = [
    "COCO",
    "COCO_IOU_THRESHOLDS",
    "COCO_SIZES",
    "HOTA_IOU_THRESHOLDS",
    "MATCHINGS",
    "PROTOCOLS",
    "YOLO",
    "AveragePrecision",
    "Evaluation",
    "FalseAlarms",
    "LabelRegions",
    "Metric",
    "Protocol",
    "RecordingResults",
    "RecordingScore",
    "Results",
    "SizeRange",
    "TrackScores",
    "average_precision",
    "boxes_at",
    "count_false_alarms",
    "count_tracks",
    "evaluate",
]
