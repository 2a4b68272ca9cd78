"""From an object's first appearance to its first correct detection, where labels say what is there."""

from typing import NamedTuple

import numpy as np

from eventdet.boxes import Boxes, pairwise_iou
from eventdet.sinks import WindowResult

__all__ = ["DelaySummary", "DelayWatch"]

_LEAST_IOU = 0.5


class DelaySummary(NamedTuple):
    """How soon labelled objects were found."""

    num_objects: int
    """Objects whose first label lies in the time that was streamed."""

    num_found: int
    """Those of them that were found."""

    median_ms: float
    """Of those found, from the stamp of the first label to the moment of the result; NaN without any."""

    max_ms: float
    """The longest of them."""

    label_every_ms: float
    """From one labelled moment to the next, median; NaN with fewer than two. No delay is known better than this."""


class DelayWatch:
    """Looks for the first correct detection of each labelled object.

    A detection is correct when it overlaps a label of its class, stamped within its window, by half or more. An object
    appears with its first label. Between two labels nobody says where it is: it may have come up to that time before
    its first label, and have been found up to that time before the label that shows it. The result counts as known at
    the end of its window plus its latency.

    Parameters
    ----------
    labels : Boxes
        With track ids; rows without are not looked at.
    """

    def __init__(self, labels: Boxes) -> None:
        known = labels[labels.track_id >= 0]
        self._labels = known[np.argsort(known.t, kind="stable")]
        ids, first = np.unique(self._labels.track_id, return_index=True)
        self._appears_us = dict(zip(ids.tolist(), self._labels.t[first].tolist(), strict=True))
        self._delays_ms: dict[int, float] = {}
        self._begin_us: int | None = None
        self._end_us = 0

    def add(self, result: WindowResult) -> None:
        """Look at the detections of a window."""
        self._begin_us = result.t0_us if self._begin_us is None else self._begin_us
        self._end_us = result.t_us
        begin, end = np.searchsorted(self._labels.t, (result.t0_us, result.t_us), side="right")
        labels = self._labels[int(begin) : int(end)]
        if not len(labels) or not len(result.boxes):
            return
        overlap = pairwise_iou(labels.xyxy.astype(np.float64), result.boxes.xyxy.astype(np.float64))
        is_right = (overlap >= _LEAST_IOU) & (labels.class_id[:, None] == result.boxes.class_id)
        for track_id in labels.track_id[is_right.any(axis=1)].tolist():
            delay_ms = (result.t_us - self._appears_us[track_id]) / 1e3 + result.latency_ms.get("total", 0.0)
            self._delays_ms.setdefault(track_id, delay_ms)

    def summary(self) -> DelaySummary:
        """Return how soon objects were found so far."""
        begin_us = self._end_us if self._begin_us is None else self._begin_us
        seen = [track_id for track_id, t_us in self._appears_us.items() if begin_us < t_us <= self._end_us]
        delays = [self._delays_ms[track_id] for track_id in seen if track_id in self._delays_ms]
        median_ms, max_ms = (float(np.median(delays)), max(delays)) if delays else (float("nan"), float("nan"))
        stamps = np.unique(self._labels.t)
        every_ms = float(np.median(np.diff(stamps))) / 1e3 if len(stamps) > 1 else float("nan")
        return DelaySummary(len(seen), len(delays), median_ms, max_ms, every_ms)
