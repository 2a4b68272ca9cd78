"""Which labels count: the rules behind published results on Gen1 and 1 Mpx, by name.

The same detections score up to nine points of mAP apart under these rules, so a data set that was filtered has to say
by which. Stamps are those of the recording, whose clock the rules take to begin at zero.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.geometry import SensorSize

__all__ = ["LABEL_PRESETS", "LabelPreset"]


@dataclass(frozen=True, slots=True)
class LabelPreset:
    """Which boxes stay, and whether they are cut to the sensor before they are judged."""

    skip_us: int = 0
    """Only boxes with a later stamp stay, microseconds."""

    min_diagonal: float = 0.0
    """Shortest diagonal, pixels."""

    min_side: float = 0.0
    """Shortest width and height, pixels."""

    crops: bool = False
    """Cut boxes at column 0, row 0, and the last column and row, as RVT does; those without area left go."""

    drops_wide: bool = False
    """In training, boxes wider than nine tenths of the sensor go: RVT calls them faulty."""

    num_classes: int | None = None
    """Only class ids below it stay; None keeps every class."""

    def apply(self, boxes: Boxes, size: SensorSize, *, training: bool = False) -> tuple[Boxes, dict[str, int]]:
        """Return the boxes that stay, in their order, and how many were dropped by which rule.

        Parameters
        ----------
        boxes : Boxes
            Labels of a recording.
        size : SensorSize
            Of the sensor.
        training : bool
            Whether they are labels to train with.

        Returns
        -------
        boxes : Boxes
            Maybe none.
        dropped : dict
            Boxes by the first rule that they break: ``class``, ``outside``, ``early``, ``small``, ``wide``; rules that
            no box breaks are left out.
        """
        if self.crops:
            limit = np.array([size.width - 1, size.height - 1] * 2, np.float32)
            boxes = replace(boxes, xyxy=np.clip(boxes.xyxy, 0, limit))
        dropped = {}
        kept = np.ones(len(boxes), np.bool_)
        for rule, broken in self._broken(boxes, size, training=training).items():
            if count := np.count_nonzero(broken & kept):
                dropped[rule] = int(count)
            kept &= ~broken
        return boxes[kept], dropped

    def _broken(self, boxes: Boxes, size: SensorSize, *, training: bool) -> dict[str, NDArray[np.bool_]]:
        w, h = boxes.xywh[:, 2:].T
        widest = 9 * size.width // 10 if self.drops_wide and training else np.inf
        return {
            "class": boxes.class_id >= (np.inf if self.num_classes is None else self.num_classes),
            "outside": ((w <= 0) | (h <= 0)) & self.crops,
            "early": boxes.t <= (self.skip_us or -np.inf),
            "small": (w * w + h * h < self.min_diagonal**2) | (w < self.min_side) | (h < self.min_side),
            "wide": w > widest,
        }


LABEL_PRESETS = {
    "none": LabelPreset(),
    # The dataset's paper for Gen1; the toolbox's command line has the sides of Gen1 and 1 Mpx swapped.
    "prophesee": LabelPreset(skip_us=500_000, min_diagonal=30, min_side=10),
    "rvt": LabelPreset(min_diagonal=30, min_side=10, crops=True, drops_wide=True),
    # Labels of 1 Mpx as RVT trains with them: pedestrian, two-wheeler and car, before its downsampling by two.
    "rvt-1mpx": LabelPreset(min_side=5, crops=True, drops_wide=True, num_classes=3),
    # Cordone et al. (2022), and spiking detectors after it.
    "side20": LabelPreset(min_diagonal=30, min_side=20),
}
"""Every preset by name."""
