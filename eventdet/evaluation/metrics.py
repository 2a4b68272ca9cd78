"""How average precision is defined: COCO's way and that of the YOLO family, as values."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eventdet.errors import OptionError, check_option

__all__ = ["COCO", "COCO_IOU_THRESHOLDS", "COCO_SIZES", "YOLO", "Metric", "SizeRange"]

COCO_IOU_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""0.50, 0.55, ... 0.95, with the rounding of the reference evaluator."""


class SizeRange(NamedTuple):
    """Boxes of one size."""

    name: str
    """What it is called in tables."""

    low: float
    """Smallest area, square pixels."""

    high: float
    """Largest area, square pixels; both edges belong to it."""


COCO_SIZES = (
    SizeRange("all", 0, 1e10),
    SizeRange("small", 0, 32**2),
    SizeRange("medium", 32**2, 96**2),
    SizeRange("large", 96**2, 1e10),
)
"""COCO's; on the 304 x 240 pixels of Gen1 large is nearly the full height."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One definition of average precision."""

    average: str = "coco"
    """``coco``: each detection claims the free label that it overlaps most, precision is the mean of 101 recalls.
    ``yolo``: it may claim no label but the one that it overlaps most, and the area below the straight lines between
    the points counts, down to a precision of 0 at a recall of 1."""

    iou_thresholds: tuple[float, ...] = COCO_IOU_THRESHOLDS
    """Least overlaps at which a label counts as found."""

    sizes: tuple[SizeRange, ...] = COCO_SIZES
    """The first holds every box."""

    max_detections: tuple[int, ...] = (1, 10, 100)
    """Most detections an image and class, rising: recall is given for each, precision for the last."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises
        ------
        OptionError
            When a value is outside its rule.
        """
        check_option("average", self.average, ("coco", "yolo"))
        if not self.iou_thresholds or not all(0 < threshold <= 1 for threshold in self.iou_thresholds):
            raise OptionError(f"iou_thresholds must be in (0, 1], got {self.iou_thresholds}")
        if not self.sizes or any(size.low > size.high for size in self.sizes):
            raise OptionError(f"sizes must have low <= high, got {self.sizes}")
        limits = self.max_detections
        if not limits or limits[0] < 1 or list(limits) != sorted(limits):
            raise OptionError(f"max_detections must be >= 1 and rise, got {limits}")


COCO = Metric()
YOLO = Metric("yolo", max_detections=(300,))
"""As the validation of YOLOv5 and its descendants computes it."""
