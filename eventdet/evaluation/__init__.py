"""How good detections are, measured against labels."""

from .average_precision import AveragePrecision, LabelRegions, average_precision
from .evaluate import Evaluation, RecordingResults, RecordingScore, evaluate
from .false_alarms import FalseAlarms, count_false_alarms
from .matching import MATCHINGS, Results, boxes_at
from .metrics import COCO, COCO_IOU_THRESHOLDS, COCO_SIZES, YOLO, Metric, SizeRange
from .patches import (
    FRAMED_IOU,
    PATCH_KINDS,
    PatchScore,
    PatchSummary,
    best_scores_at,
    centre_events,
    find_patches,
    with_noise,
)
from .protocols import PROTOCOLS, Protocol
from .ranking import roc_auc
from .track_scores import HOTA_IOU_THRESHOLDS, TrackScores, count_tracks

__all__ = [
    "COCO",
    "COCO_IOU_THRESHOLDS",
    "COCO_SIZES",
    "FRAMED_IOU",
    "HOTA_IOU_THRESHOLDS",
    "MATCHINGS",
    "PATCH_KINDS",
    "PROTOCOLS",
    "YOLO",
    "AveragePrecision",
    "Evaluation",
    "FalseAlarms",
    "LabelRegions",
    "Metric",
    "PatchScore",
    "PatchSummary",
    "Protocol",
    "RecordingResults",
    "RecordingScore",
    "Results",
    "SizeRange",
    "TrackScores",
    "average_precision",
    "best_scores_at",
    "boxes_at",
    "centre_events",
    "count_false_alarms",
    "count_tracks",
    "evaluate",
    "find_patches",
    "roc_auc",
    "with_noise",
]
