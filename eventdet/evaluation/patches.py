"""Folders of patches of cars and of background, in the form of N-CARS (Sironi et al., 2018).

A patch is a file of about 100 ms whose events lie in a small rectangle. A detector is asked for cars at that place, and
its scores are compared between the two kinds.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eventdet.boxes import Boxes, pairwise_iou
from eventdet.errors import InputError
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.units import MICROSECONDS_PER_SECOND

from .ranking import roc_auc

__all__ = [
    "FRAMED_IOU",
    "PATCH_KINDS",
    "PatchScore",
    "PatchSummary",
    "best_scores_at",
    "centre_events",
    "find_patches",
    "with_noise",
]

PATCH_KINDS = ("cars", "background")
"""Names of the folders: what should score high, then what should score low."""

FRAMED_IOU = 0.5
"""Overlap of a box with a patch above which it says where the object is, and not only that there is one."""


@dataclass(frozen=True, slots=True)
class PatchScore:
    """What a detector said of one patch."""

    name: str
    """Path of the file below the folder."""

    kind: str
    """One of `PATCH_KINDS`."""

    score: float
    """Best score of a car there, in [0, 1]; 0 without one."""

    framed_score: float = 0.0
    """Best score of a car whose box covers the patch, with an overlap above `FRAMED_IOU`."""


@dataclass(frozen=True, slots=True)
class PatchSummary:
    """Scores of many patches, one side against the other."""

    scores: tuple[PatchScore, ...]
    """One or more of each kind."""

    @property
    def auc(self) -> float:
        """Area under the ROC curve of cars against background."""
        cars, background = (self.of(kind) for kind in PATCH_KINDS)
        return roc_auc(cars, background)

    def of(self, kind: str) -> list[float]:
        """Return the scores of one kind."""
        return [each.score for each in self.scores if each.kind == kind]

    def share_framed(self, kind: str, score: float) -> float:
        """Return the share of the patches of a kind with a car of at least this score, framed as `FRAMED_IOU` says."""
        framed = [each.framed_score for each in self.scores if each.kind == kind]
        # At a score of 0 too a patch without a box is not framed.
        return float(np.mean([best > 0 and best >= score for best in framed]))

    def to_dict(self, score: float) -> dict[str, object]:
        """Return everything as values that JSON can hold; `score` as in :meth:`share_framed`."""
        kinds = {
            kind: {
                "patches": len(self.of(kind)),
                "median_score": _median(self.of(kind)),
                "share_framed": round(self.share_framed(kind, score), 6),
            }
            for kind in PATCH_KINDS
        }
        listed = [
            {
                "name": each.name,
                "kind": each.kind,
                "score": round(each.score, 6),
                "framed_score": round(each.framed_score, 6),
            }
            for each in self.scores
        ]
        return {"auc": round(self.auc, 6), "framed_at": score, **kinds, "scores": listed}


def _median(scores: list[float]) -> float:
    return round(float(np.median(scores)), 6)


def find_patches(folder: str | Path) -> dict[str, list[Path]]:
    """Return the DAT files of ``cars`` and ``background`` in a folder, and in the folders in it, by kind.

    Raises
    ------
    InputError
        When one of the kinds has no file.
    """
    folder = Path(folder)
    found = {
        kind: sorted(path for level in (kind, f"*/{kind}") for path in folder.glob(f"{level}/*.dat") if path.is_file())
        for kind in PATCH_KINDS
    }
    for kind, paths in found.items():
        if not paths:
            raise InputError(
                f"{folder}: no DAT file in {kind} or */{kind}",
                hint="put patches into FOLDER/cars and FOLDER/background",
            )
    return found


def centre_events(events: Events, size: SensorSize) -> tuple[Events, tuple[int, int, int, int]]:
    """Return events moved to the middle of a sensor, with stamps from 0, and where they then lie.

    Parameters
    ----------
    events : Events
        In time order, one or more.
    size : SensorSize
        Rows and columns of the sensor.

    Returns
    -------
    moved : Events
        The same events; where a margin is odd, the smaller half is at the left or top.
    place : tuple of int
        Left, top, right and bottom of the smallest rectangle that holds them; right and bottom are exclusive.

    Raises
    ------
    InputError
        When there are no events, or they do not fit.

    Examples
    --------
    >>> patch = Events.from_columns(t=[70, 90], x=[0, 19], y=[5, 14], p=[0, 1])
    >>> moved, place = centre_events(patch, SensorSize(240, 304))
    >>> place, moved.t.tolist(), moved.x.tolist(), moved.y.tolist()
    ((142, 115, 162, 125), [0, 20], [142, 161], [115, 124])
    """
    if not len(events):
        raise InputError("a patch must have events, got none")
    left, top = int(events.x.min()), int(events.y.min())
    width, height = int(events.x.max()) + 1 - left, int(events.y.max()) + 1 - top
    if width > size.width or height > size.height:
        raise InputError(f"a patch must fit the {size} sensor, got events on {width}x{height} pixels")
    new_left, new_top = (size.width - width) // 2, (size.height - height) // 2
    moved = Events.from_columns(
        t=events.t - events.t[0],
        x=events.x.astype(np.int64) + (new_left - left),
        y=events.y.astype(np.int64) + (new_top - top),
        p=events.p,
    )
    return moved, (new_left, new_top, new_left + width, new_top + height)


def best_scores_at(boxes: Boxes, place: tuple[int, int, int, int], *, class_id: int) -> tuple[float, float]:
    """Return the best score of a class among the boxes that meet a rectangle, and among those that frame it, else 0.

    Some area in common is enough to meet; to frame it takes an overlap above `FRAMED_IOU`.

    Examples
    --------
    >>> found = Boxes.from_xyxy([[0, 0, 9, 9], [9, 0, 20, 9], [8, 0, 9, 9]], score=[0.25, 0.75, 0.5])
    >>> best_scores_at(found, (2, 0, 9, 9), class_id=0)
    (0.5, 0.25)
    """
    own = boxes[boxes.class_id == class_id]
    overlaps = pairwise_iou(own.xyxy.astype(np.float64), np.array([place], np.float64))[:, 0]
    return (
        float(own.score[overlaps > 0].max(initial=0.0)),
        float(own.score[overlaps > FRAMED_IOU].max(initial=0.0)),
    )


def with_noise(
    events: Events, place: tuple[int, int, int, int], size: SensorSize, *, rate_hz: float, seed: int
) -> Events:
    """Return events with those of noise around a place, at random pixels and times, of either polarity.

    Parameters
    ----------
    events : Events
        One or more, in time order from 0 on.
    place : tuple of int
        Left, top, right and bottom of where no noise goes; right and bottom are exclusive.
    size : SensorSize
        Rows and columns of the sensor.
    rate_hz : float
        Noise events a pixel and second, for as long as the events last.
    seed : int
        Same seed, same noise.
    """
    left, top, right, bottom = place
    duration_us = int(events.t[-1]) + 1
    rng = np.random.default_rng(seed)
    count = rng.poisson(rate_hz * size.height * size.width * duration_us / MICROSECONDS_PER_SECOND)
    t, x, y, p = (rng.integers(0, bound, count) for bound in (duration_us, size.width, size.height, 2))
    around = (x < left) | (x >= right) | (y < top) | (y >= bottom)
    noise = Events.from_columns(t=t[around], x=x[around], y=y[around], p=p[around])
    joined = Events.concatenate([events, noise])
    return joined[np.argsort(joined.t, kind="stable")]
