"""Folders of patches of cars and of background, in the form of N-CARS (Sironi et al., 2018).

A patch is a file of about 100 ms whose events lie in a small rectangle. A detector is asked for cars at that place, and
its scores are compared between the two kinds.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eventdet.boxes import Boxes
from eventdet.errors import InputError
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .ranking import roc_auc

__all__ = ["PATCH_KINDS", "PatchScore", "PatchSummary", "best_score_at", "centre_events", "find_patches"]

PATCH_KINDS = ("cars", "background")
"""Names of the folders: what should score high, then what should score low."""


@dataclass(frozen=True, slots=True)
class PatchScore:
    """What a detector said of one patch."""

    name: str
    """Path of the file below the folder."""

    kind: str
    """One of `PATCH_KINDS`."""

    score: float
    """Best score of a car there, in [0, 1]; 0 without one."""


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

    def to_dict(self) -> dict[str, object]:
        """Return everything as values that JSON can hold."""
        kinds = {kind: {"patches": len(self.of(kind)), "median_score": _median(self.of(kind))} for kind in PATCH_KINDS}
        listed = [{"name": each.name, "kind": each.kind, "score": round(each.score, 6)} for each in self.scores]
        return {"auc": round(self.auc, 6), **kinds, "scores": listed}


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


def best_score_at(boxes: Boxes, place: tuple[int, int, int, int], *, class_id: int) -> float:
    """Return the best score of a class among the boxes that share some area with a rectangle; 0 without one.

    Examples
    --------
    >>> found = Boxes.from_xyxy([[0, 0, 9, 9], [9, 0, 20, 9]], score=[0.25, 0.75])
    >>> best_score_at(found, (2, 2, 9, 9), class_id=0)
    0.25
    """
    left, top, right, bottom = place
    x0, y0, x1, y1 = boxes.xyxy.T
    touches = (x0 < right) & (x1 > left) & (y0 < bottom) & (y1 > top) & (boxes.class_id == class_id)
    return float(boxes.score[touches].max(initial=0.0))
