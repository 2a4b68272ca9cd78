"""How well tracks follow objects: HOTA, IDF1 and MOTA.

MOTA asks box by box and counts a change of identity once, IDF1 asks for how long each object had its one best track,
and HOTA weighs finding objects and keeping them apart alike. Boxes of different classes never match.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes, pairwise_iou
from eventdet.errors import OptionError
from eventdet.tracking import assign

__all__ = ["HOTA_IOU_THRESHOLDS", "TrackScores", "count_tracks"]

HOTA_IOU_THRESHOLDS = np.arange(0.05, 0.99, 0.05)
"""0.05, 0.10, ... 0.95 (Luiten et al., 2021)."""

_IOU = 0.5
"""Least overlap of IDF1 and MOTA."""

_MANY = 1e4
"""More than all overlaps of a picture sum up to: as many pairs as can be come before the closest ones."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackScores:
    """What became of labelled boxes and of tracked ones; scores are NaN without either."""

    num_labels: int
    """Labelled boxes with a track."""

    num_found: int
    """Detected boxes with a track."""

    num_matched: int
    """Pairs of both, one by one, at an overlap of 0.5."""

    num_switches: int
    """Pairs whose object was last paired with another track."""

    num_identified: int
    """Boxes that agree when every object has one track for good."""

    hits: NDArray[np.float64]
    """Shape (19,): pairs by the least overlap of HOTA."""

    association: NDArray[np.float64]
    """Shape (19,): over these pairs the sum of their tracks' agreement in [0, 1]."""

    def plus(self, other: "TrackScores") -> "TrackScores":
        """Return both together."""
        return TrackScores(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(self)))

    @property
    def mota(self) -> float:
        """One less misses, false boxes and switches a label (Bernardin and Stiefelhagen, 2008)."""
        misses, false = self.num_labels - self.num_matched, self.num_found - self.num_matched
        return 1 - (misses + false + self.num_switches) / self.num_labels if self.num_labels else float("nan")

    @property
    def idf1(self) -> float:
        """Twice the identified boxes over all boxes of both sides (Ristani et al., 2016)."""
        count = self.num_labels + self.num_found
        return 2 * self.num_identified / count if count else float("nan")

    @property
    def detection_accuracy(self) -> float:
        """DetA: pairs over pairs, misses and false boxes, mean over the overlaps (Luiten et al., 2021)."""
        return float(self._detection.mean())

    @property
    def association_accuracy(self) -> float:
        """AssA: mean agreement of a pair's tracks, mean over the overlaps (Luiten et al., 2021)."""
        return float(self._association.mean())

    @property
    def hota(self) -> float:
        """Geometric mean of both, mean over the overlaps (Luiten et al., 2021)."""
        return float(np.sqrt(self._detection * self._association).mean())

    @property
    def _detection(self) -> NDArray[np.float64]:
        union = self.num_labels + self.num_found - self.hits
        return self.hits / union if self.num_labels + self.num_found else np.full_like(self.hits, np.nan)

    @property
    def _association(self) -> NDArray[np.float64]:
        share = self.association / np.maximum(self.hits, 1)
        return share if self.num_labels + self.num_found else np.full_like(share, np.nan)

    def to_dict(self) -> dict[str, float | int | None]:
        """Return scores and counts as plain values; None for NaN."""
        scores = {
            "HOTA": self.hota,
            "DetA": self.detection_accuracy,
            "AssA": self.association_accuracy,
            "IDF1": self.idf1,
            "MOTA": self.mota,
        }
        return {
            **{name: None if np.isnan(value) else round(value, 6) for name, value in scores.items()},
            "labels": self.num_labels,
            "boxes": self.num_found,
            "switches": self.num_switches,
        }


class _Moment(NamedTuple):
    """Both sides of one picture."""

    true: NDArray[np.int64]
    """Numbers of the labelled tracks."""

    found: NDArray[np.int64]
    """Numbers of the detected tracks."""

    overlap: NDArray[np.float64]
    """Of each labelled box with each detected one; 0 between classes."""


def count_tracks(detections: Sequence[Boxes], labels: Sequence[Boxes]) -> TrackScores:
    """Return how well the tracks of one recording follow its labelled objects.

    Parameters
    ----------
    detections, labels : sequence of Boxes
        One entry a label time, in the order of time. Boxes without a track are left out, and of several boxes of a
        track at one time all but the last.

    Returns
    -------
    TrackScores
        Of this recording; `TrackScores.plus` adds up several.

    Raises
    ------
    OptionError
        When the two sequences differ in length, or there are boxes and none of them has a track.

    Examples
    --------
    >>> street = [Boxes.from_xyxy([[10 + t, 10, 60 + t, 60]], track_id=7) for t in range(4)]
    >>> scores = count_tracks(street[:2] + [Boxes.empty()] * 2, street)
    >>> scores.mota, round(scores.idf1, 3), round(scores.hota, 3)
    (0.5, 0.667, 0.5)
    """
    if len(detections) != len(labels):
        raise OptionError(f"detections must have {len(labels)} images like labels, got {len(detections)}")
    true, num_true = _numbered(labels, "labels")
    found, num_found = _numbered(detections, "detections")
    moments = [_moment(*pair) for pair in zip(true, found, strict=True)]
    matched, switches = _match_one_by_one(moments)
    hits, association = _hota(moments, num_true, num_found)
    return TrackScores(
        sum(len(moment.true) for moment in moments),
        sum(len(moment.found) for moment in moments),
        matched,
        switches,
        _identified(moments, num_true, num_found),
        hits,
        association,
    )


def _numbered(images: Sequence[Boxes], name: str) -> tuple[list[tuple[Boxes, NDArray[np.int64]]], int]:
    """Return the boxes of tracks with their tracks' numbers from 0, and how many tracks there are."""
    tracked = [_last_of_each_track(boxes) for boxes in images]
    if any(map(len, images)) and not any(map(len, tracked)):
        raise OptionError(f"{name} must have track ids, got none", hint="eventdet.tracking gives boxes ids")
    every = Boxes.concatenate(tracked)
    keys, number = np.unique(np.stack([every.class_id, every.track_id], axis=1), axis=0, return_inverse=True)
    parts = np.split(number.reshape(-1).astype(np.int64), np.cumsum([len(boxes) for boxes in tracked])[:-1])
    return list(zip(tracked, parts if tracked else [], strict=True)), len(keys)


def _last_of_each_track(boxes: Boxes) -> Boxes:
    keys = np.stack([boxes.class_id, boxes.track_id], axis=1)[::-1]
    _, last = np.unique(keys, axis=0, return_index=True)
    rows = np.sort(len(boxes) - 1 - last)
    return boxes[rows[boxes.track_id[rows] >= 0]]


def _moment(true: tuple[Boxes, NDArray[np.int64]], found: tuple[Boxes, NDArray[np.int64]]) -> _Moment:
    overlap = pairwise_iou(true[0].xyxy.astype(np.float64), found[0].xyxy.astype(np.float64))
    return _Moment(true[1], found[1], overlap * (true[0].class_id[:, None] == found[0].class_id))


def _match_one_by_one(moments: Sequence[_Moment]) -> tuple[int, int]:
    """Return pairs and switches: pairs of before stay while they overlap; then as many, and as close, as can be."""
    partner: dict[int, int] = {}
    matched = switches = 0
    for moment in moments:
        gain = np.where(moment.overlap >= _IOU, _MANY + moment.overlap, 0.0)
        true, found = moment.true.tolist(), moment.found.tolist()
        for row, number in enumerate(true):
            column = found.index(partner[number]) if partner.get(number) in found else -1
            if column >= 0 and gain[row, column] > 0:
                kept = gain[row, column]
                gain[row], gain[:, column] = 0.0, 0.0
                gain[row, column] = kept
        rows, columns = assign(gain)
        matched += len(rows)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            switches += partner.get(true[row], found[column]) != found[column]
            partner[true[row]] = found[column]
    return matched, switches


def _identified(moments: Sequence[_Moment], num_true: int, num_found: int) -> int:
    """Return the boxes that agree when each object has the one track that makes them most."""
    together = np.zeros((num_true, num_found))
    for moment in moments:
        together[np.ix_(moment.true, moment.found)] += moment.overlap >= _IOU
    return int(together[assign(together)].sum())


def _hota(moments: Sequence[_Moment], num_true: int, num_found: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pairs and the sum of their agreements by overlap.

    As in the authors' evaluation, one set of pairs serves every least overlap: it gains most overlap times agreement
    of the tracks as a whole, where every pair counts by its share of all overlap of both its boxes.
    """
    likely, together = np.zeros((num_true, num_found)), np.zeros((len(HOTA_IOU_THRESHOLDS), num_true, num_found))
    count_true, count_found = np.zeros(num_true), np.zeros(num_found)
    for true, found, overlap in moments:
        union = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0) - overlap
        likely[np.ix_(true, found)] += np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
        count_true[true] += 1
        count_found[found] += 1
    both = count_true[:, None] + count_found
    agreement = likely / (both - likely)
    for true, found, overlap in moments:
        rows, columns = assign(overlap * agreement[np.ix_(true, found)])
        passes = overlap[rows, columns] >= HOTA_IOU_THRESHOLDS[:, None] - np.finfo(float).eps
        together[:, true[rows], found[columns]] += passes
    association = together * together / (both - together)
    return together.sum(axis=(1, 2)), association.sum(axis=(1, 2))
