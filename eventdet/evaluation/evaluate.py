"""Recordings under a protocol: one score for all of them, one each, and what was left out on the way."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from importlib.metadata import version
from typing import NamedTuple

import numpy as np

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.geometry import SensorSize

from .average_precision import AveragePrecision, average_precision, check_boxes
from .false_alarms import FalseAlarms, count_false_alarms
from .matching import Results, boxes_at
from .protocols import Protocol
from .track_scores import TrackScores, count_tracks

__all__ = ["Evaluation", "RecordingResults", "RecordingScore", "digest", "evaluate"]


@dataclass(frozen=True, slots=True, eq=False)
class RecordingResults:
    """A recording's labels, and what a detector gave for it."""

    name: str
    """For tables and messages."""

    results: Results
    """Of the detector."""

    labels: Boxes
    """All of them, in any order."""

    sensor_size: SensorSize
    """Of both."""

    synthetic: bool | None = None
    """Whether the events are simulated; None when that is not known."""


class RecordingScore(NamedTuple):
    """One row of the table of recordings."""

    name: str
    num_images: int
    num_labels: int
    num_detections: int
    map50: float
    map50_95: float
    labels_digest: str
    detections_digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Scores under one protocol."""

    protocol: Protocol
    """With the matching that was used."""

    with_latency: bool
    """Whether a result counted from the time at which it was finished, not from its stamp."""

    scores: AveragePrecision
    """Over all recordings."""

    recordings: tuple[RecordingScore, ...]
    """Of each alone."""

    dropped_labels: dict[str, int]
    """By the protocol's rules."""

    dropped_detections: dict[str, int]
    """By the protocol's rules."""

    times_without_result: int
    """Label times to which no result belongs; the detector found nothing there."""

    false_alarms: FalseAlarms
    """Where nothing is labelled."""

    tracks: TrackScores | None = None
    """How well tracks follow labelled objects; None unless asked for."""

    def to_dict(self, class_names: Sequence[str]) -> dict[str, object]:
        """Return everything as plain values, with curves and with the versions that computed it; None for NaN."""
        scores = self.scores
        by_size = scores.by_size
        return {
            "protocol": self.protocol.to_dict(),
            "with_latency": self.with_latency,
            "mAP50": _known(scores.map50),
            "mAP50_95": _known(scores.map50_95),
            "mAP75": _known(scores.map_at(0.75)),
            "average_recall": {str(limit): _known(value) for limit, value in scores.average_recall().items()},
            "by_size": {size.name: _known(scores.size_map(size.name)) for size in scores.metric.sizes},
            "classes": {
                name: {
                    "labels": int(scores.num_labels[class_id]),
                    "AP50": _known(float(scores.per_class[0, class_id])),
                    "AP50_95": _known(float(scores.per_class[:, class_id].mean())),
                    "by_size": {
                        size.name: _known(float(by_size[:, class_id, place].mean()))
                        for place, size in enumerate(scores.metric.sizes)
                    },
                    "precision_at_recalls_50": [_known(float(value)) for value in scores.precision[0, :, class_id, 0]],
                }
                for class_id, name in enumerate(class_names)
            },
            "label_times": scores.num_images,
            "label_times_without_result": self.times_without_result,
            "dropped_labels": self.dropped_labels,
            "dropped_detections": self.dropped_detections,
            "false_positives": {
                "per_minute": _known(self.false_alarms.per_minute),
                "boxes": self.false_alarms.num_boxes,
                "label_free_s": self.false_alarms.free_us / 1e6,
            },
            "tracks": None if self.tracks is None else self.tracks.to_dict(),
            "recordings": [
                row._asdict() | {"map50": _known(row.map50), "map50_95": _known(row.map50_95)}
                for row in self.recordings
            ],
            "versions": {name: version(name) for name in ("eventdet", "numpy", "numba")},
        }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)


def evaluate(
    recordings: Sequence[RecordingResults],
    protocol: Protocol,
    *,
    num_classes: int,
    with_latency: bool = False,
    alarm_score: float = 0.25,
    with_tracks: bool = False,
) -> Evaluation:
    """Return the scores of recordings under a protocol.

    Parameters
    ----------
    recordings : sequence of RecordingResults
        One or more.
    protocol : Protocol
        Of `PROTOCOLS`, maybe with another matching by `dataclasses.replace`.
    num_classes : int
        Class ids are 0 .. num_classes - 1.
    with_latency : bool
        Match the newest result that was finished at the label's time, whatever the protocol's matching is.
    alarm_score : float
        Least score of a false positive where nothing is labelled.
    with_tracks : bool
        Score the tracks as well, of the boxes that the protocol matches.

    Raises
    ------
    OptionError
        When there are no recordings, a box cannot be scored, or latencies or tracks are asked for and not known.

    Examples
    --------
    >>> from eventdet.evaluation import PROTOCOLS
    >>> from eventdet.geometry import GEN1
    >>> cars = Boxes.from_xywh([[10, 10, 40, 30], [90, 80, 60, 40]], t=[600_000, 850_000])
    >>> drive = RecordingResults("drive", Results.of_boxes(cars), cars, GEN1)
    >>> evaluate([drive], PROTOCOLS["rvt"], num_classes=2).scores.map50
    1.0
    """
    if not recordings:
        raise OptionError("evaluation needs at least one recording, got none")
    if with_latency:
        protocol = replace(protocol, matching="newest-before")
        missing = next((recording.name for recording in recordings if recording.results.latency_us is None), None)
        if missing is not None:
            raise OptionError(f"{missing}: latencies are not known", hint="give one for all results")
    parts = [_match(recording, protocol, num_classes, with_latency=with_latency) for recording in recordings]
    return Evaluation(
        protocol,
        with_latency,
        average_precision(
            [boxes for part in parts for boxes in part.found],
            [boxes for part in parts for boxes in part.true],
            num_classes=num_classes,
            metric=protocol.metric,
        ),
        tuple(
            _score(recording, part, protocol, num_classes) for recording, part in zip(recordings, parts, strict=True)
        ),
        dict(sum((part.dropped_labels for part in parts), Counter[str]())),
        dict(sum((part.dropped_detections for part in parts), Counter[str]())),
        sum(part.times_without_result for part in parts),
        reduce(
            FalseAlarms.plus,
            (count_false_alarms(each.results, each.labels, least_score=alarm_score) for each in recordings),
        ),
        reduce(TrackScores.plus, (count_tracks(part.found, part.true) for part in parts)) if with_tracks else None,
    )


def digest(boxes: Boxes) -> str:
    """Return a SHA-256 of what boxes say, the same for every file form; the track is left out."""
    ordered = boxes[np.lexsort((*boxes.xyxy.T, boxes.score, boxes.class_id, boxes.t))]
    content = hashlib.sha256()
    for column in (ordered.t, ordered.class_id, ordered.score, ordered.xyxy):
        content.update(np.ascontiguousarray(column).tobytes())
    return content.hexdigest()


class _Matched(NamedTuple):
    """Label times of one recording with what stands for them."""

    found: list[Boxes]
    true: list[Boxes]
    times_without_result: int
    dropped_labels: Counter[str]
    dropped_detections: Counter[str]


def _match(recording: RecordingResults, protocol: Protocol, num_classes: int, *, with_latency: bool) -> _Matched:
    for boxes, what in ((recording.labels, "labels"), (recording.results.boxes, "detections")):
        check_boxes(boxes, f"{recording.name}: {what}", num_classes=num_classes)
    labels, dropped_labels = protocol.filter_labels(recording.labels, recording.sensor_size)
    detections, dropped = protocol.filter_detections(recording.results.boxes, recording.sensor_size)
    results = recording.results.replaced(detections)
    times = np.unique(labels.t)
    found, without = boxes_at(
        results if with_latency else replace(results, latency_us=None),
        times,
        matching=protocol.matching,
        tolerance_us=protocol.tolerance_us,
    )
    begins, ends = (np.searchsorted(labels.t, times, side=side).tolist() for side in ("left", "right"))
    true = [labels[begin:end] for begin, end in zip(begins, ends, strict=True)]
    return _Matched(found, true, without, Counter(dropped_labels), Counter(dropped))


def _score(recording: RecordingResults, part: _Matched, protocol: Protocol, num_classes: int) -> RecordingScore:
    scores = average_precision(part.found, part.true, num_classes=num_classes, metric=protocol.metric)
    return RecordingScore(
        recording.name,
        scores.num_images,
        int(scores.num_labels.sum()),
        sum(map(len, part.found)),
        scores.map50,
        scores.map50_95,
        digest(recording.labels),
        digest(recording.results.boxes),
    )
