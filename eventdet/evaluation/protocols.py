"""The rules behind published scores on Gen1, by name: the same detections differ by nine points of mAP between them."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from eventdet.boxes import Boxes
from eventdet.errors import OptionError, check_option
from eventdet.formats.label_presets import LABEL_PRESETS, LabelPreset
from eventdet.geometry import SensorSize

from .matching import MATCHINGS
from .metrics import COCO, YOLO, Metric

__all__ = ["PROTOCOLS", "Protocol"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One set of rules: which boxes count, when they are compared, and how they are averaged."""

    name: str
    """By which scores name it."""

    origin: str
    """Where it comes from."""

    boxes: LabelPreset
    """Which labels count, and which detections: every protocol here filters both by the same rule."""

    metric: Metric = COCO
    """Average precision."""

    matching: str = "exact"
    """One of `eventdet.evaluation.MATCHINGS`."""

    tolerance_us: int | None = None
    """Of the matching, microseconds."""

    grid_us: int | None = None
    """Only label times on a grid of this period, set by the first one after 100 ms, within 2 ms; None: all."""

    newest_per_track: bool = False
    """Of labels with the same track at one time, keep the last."""

    least_score: float = 0.0
    """Detections below it do not count."""

    suppression_iou: float | None = None
    """Overlap at which its detectors drop the lower score: a note, for nothing is suppressed here."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        OptionError
            When the matching is unknown or its tolerance negative.
        """
        check_option("matching", self.matching, MATCHINGS)
        if self.tolerance_us is not None and self.tolerance_us < 0:
            raise OptionError(f"tolerance_us must be >= 0, got {self.tolerance_us}")

    def filter_labels(self, labels: Boxes, size: SensorSize) -> tuple[Boxes, dict[str, int]]:
        """Return the labels that count, in the order of time, and how many were dropped by which rule."""
        ordered = labels[np.argsort(labels.t, kind="stable")]
        on_grid = self._on_grid(ordered)
        newest = _newest_per_track(ordered) if self.newest_per_track else np.ones(len(ordered), np.bool_)
        kept, dropped = self.boxes.apply(ordered[on_grid & newest], size)
        own = {"off grid": int(np.sum(~on_grid)), "repeated": int(np.sum(on_grid & ~newest))}
        return kept, {rule: count for rule, count in own.items() if count} | dropped

    def filter_detections(self, detections: Boxes, size: SensorSize) -> tuple[Boxes, dict[str, int]]:
        """Return the detections that count, in their order, and how many were dropped by which rule."""
        scored = detections.score >= self.least_score
        # The newest result before a label that counts may be of the time that is skipped.
        rule = replace(self.boxes, skip_us=0) if self.matching == "newest-before" else self.boxes
        kept, dropped = rule.apply(detections[scored], size)
        low = int(np.sum(~scored))
        return kept, ({"score": low} if low else {}) | dropped

    def to_dict(self) -> dict[str, object]:
        """Return every rule as plain values."""
        return asdict(self)

    def _on_grid(self, labels: Boxes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        if self.grid_us is None:
            return np.ones(len(labels), np.bool_)
        from eventdet.preprocessing.interchange.rvt_schedule import make_schedule

        schedule = make_schedule(labels.t, t_first_us=0, step_us=self.grid_us, label_period_us=self.grid_us)
        return np.isin(labels.t, [] if schedule is None else schedule.label_times_us)


def _newest_per_track(labels: Boxes) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which labels, in the order of time, no later row of the same time and track follows."""
    keys = np.stack([labels.t, labels.track_id], axis=1)[::-1]
    _, last = np.unique(keys, axis=0, return_index=True)
    kept = np.zeros(len(labels), np.bool_)
    kept[len(labels) - 1 - last] = True
    return kept | (labels.track_id < 0)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "rvt",
            "RVT and what follows it (S5-ViT, SAST, GET, SMamba): boxes cut to the sensor, diagonal 30, side 10",
            replace(LABEL_PRESETS["rvt"], skip_us=500_000),
            grid_us=250_000,
            least_score=0.001,
            suppression_iou=0.45,
        ),
        Protocol(
            "prophesee",
            "Prophesee's toolbox with the sizes that its documentation has for Gen1: diagonal 30, side 10",
            LABEL_PRESETS["prophesee"],
            matching="all-in-window",
            tolerance_us=50_000,
        ),
        Protocol(
            "prophesee-cli",
            "Prophesee's toolbox as its command line is: side 20 of 1 Mpx in place of Gen1's 10, 0.1 s skipped",
            replace(LABEL_PRESETS["prophesee"], skip_us=100_000, min_side=20),
            matching="all-in-window",
            tolerance_us=50_000,
        ),
        Protocol(
            "side20",
            "Cordone et al. (2022) and spiking detectors after it: diagonal 30, side 20, nothing skipped",
            LABEL_PRESETS["side20"],
            newest_per_track=True,
        ),
        Protocol(
            "yolo",
            "EMS-YOLO and SpikeYOLO: every box and label time, average precision of YOLOv5",
            LABEL_PRESETS["none"],
            metric=YOLO,
            least_score=0.001,
            suppression_iou=0.6,
        ),
    )
}
"""Every protocol by name."""
