"""Scores of a network in training, under a protocol of `eventdet.evaluation`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from eventdet.boxes import Boxes
from eventdet.errors import InputError
from eventdet.evaluation import PROTOCOLS, RecordingResults, Results, evaluate
from eventdet.models._layout import channels_last
from eventdet.models.config import DetectorConfig
from eventdet.models.detector import Detector
from eventdet.models.postprocess import boxes_from_logits
from eventdet.preprocessing.dataset import ClipDataset

from .recipe import ValidationOptions
from .values import Score

__all__ = ["clip_scorer", "detect_batch", "evenly_spaced"]

_Item = TypeVar("_Item")

_MOST_DETECTIONS = 300


def clip_scorer(
    dataset: ClipDataset, config: DetectorConfig, options: ValidationOptions, *, batch: int, readout: str
) -> Callable[[Detector], Score]:
    """Return what scores a detector on clips that end at labels, each from rest, as in the paper.

    Parameters
    ----------
    dataset : ClipDataset
        With a clip for each stamp of the labels.
    config : DetectorConfig
        Of the detectors.
    options : ValidationOptions
        Protocol, and how many of the clips.
    batch : int
        Clips at once.
    readout : str
        What detections are read from: the ``mean`` of the steps, or the last of the ``steps``.

    Raises
    ------
    InputError
        When no label counts under the protocol.
    """
    protocol = replace(PROTOCOLS[options.protocol], matching="exact", tolerance_us=None)
    refs = evenly_spaced(dataset.clips, options.clips)
    stamps = {ref: dataset.stamps_of(ref) for ref in refs}
    labels: dict[int, Boxes] = {}
    for number in sorted({ref.source for ref in refs}):
        own = np.concatenate([stamps[ref] for ref in refs if ref.source == number])
        labels[number] = dataset.labels[number][np.isin(dataset.labels[number].t, own)]
    counted = [protocol.filter_labels(own, dataset.sources[number].picture)[0] for number, own in labels.items()]
    if not any(map(len, counted)):
        raise InputError(
            f"{dataset.sources[0].path.parent}: no label counts under protocol {options.protocol}",
            hint="use --protocol yolo, which counts all",
        )

    def score(detector: Detector) -> Score:
        found: dict[int, list[Boxes]] = {number: [] for number in labels}
        network = channels_last(detector)
        for begin in range(0, len(refs), batch):
            part = refs[begin : begin + batch]
            frames = dataset.batch(part).dense(next(network.parameters()).device)
            for ref, boxes in zip(part, detect_batch(network, frames, options, readout=readout), strict=True):
                for stamp in stamps[ref].tolist():
                    found[ref.source].append(replace(boxes, t=np.full(len(boxes), stamp, np.int64)))
        recordings = [
            RecordingResults(
                str(dataset.sources[number].path), _results(found[number], own), own, dataset.sources[number].picture
            )
            for number, own in labels.items()
        ]
        scores = evaluate(recordings, protocol, num_classes=config.classes).scores
        return Score(scores.map50, scores.map50_95)

    return score


def _results(found: Sequence[Boxes], labels: Boxes) -> Results:
    boxes = Boxes.concatenate(found)
    return Results(boxes[np.argsort(boxes.t, kind="stable")], np.unique(labels.t))


@torch.inference_mode()
def detect_batch(detector: Detector, frames: Tensor, options: ValidationOptions, *, readout: str) -> list[Boxes]:
    """Return the detections of each clip of a batch (T, B, C, H, W)."""
    logits = detector(frames, readout=readout).logits
    last = [scale if readout == "mean" else scale[-1] for scale in logits]
    arrays = [np.ascontiguousarray(scale.float().cpu().numpy()) for scale in last]
    return boxes_from_logits(arrays, detector.config, conf=options.conf, iou=options.iou, max_det=_MOST_DETECTIONS)


def evenly_spaced(items: Sequence[_Item], most: int) -> list[_Item]:
    """Return at most so many items, evenly spaced; all when `most` is 0."""
    if not most or most >= len(items):
        return list(items)
    return [items[place] for place in np.linspace(0, len(items) - 1, most).round().astype(int)]
