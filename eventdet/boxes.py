"""Boxes: labels and detections in one form.

In memory a box is ``xyxy`` in pixels with exclusive right and bottom edges; ``xywh`` exists only in files.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import OptionError
from .geometry import SensorSize

__all__ = ["GEN1_CLASSES", "Boxes", "pairwise_iou"]

GEN1_CLASSES = ("car", "pedestrian")
"""Class names of the Gen1 Automotive Detection dataset, by class id."""

_COLUMN_DTYPES: dict[str, np.dtype[Any]] = {
    "t": np.dtype(np.int64),
    "class_id": np.dtype(np.int64),
    "score": np.dtype(np.float32),
    "track_id": np.dtype(np.int64),
}


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Labelled or detected boxes, one a row.

    Examples
    --------
    >>> boxes = Boxes.from_xywh([[10, 20, 30, 40]], t=500_000, class_id=0)
    >>> boxes.xyxy.tolist(), boxes.at(500_000).class_id.tolist()
    ([[10.0, 20.0, 40.0, 60.0]], [0])
    """

    xyxy: NDArray[np.float32]
    """Shape (n, 4): left, top, right, bottom in pixels; right and bottom are exclusive."""

    t: NDArray[np.int64]
    """Shape (n,): microseconds on the clock of the recording."""

    class_id: NDArray[np.int64]
    """Shape (n,): index into the class names."""

    score: NDArray[np.float32]
    """Shape (n,): confidence in [0, 1]; 1 for a label."""

    track_id: NDArray[np.int64]
    """Shape (n,): identity of the object, -1 when unknown."""

    def __post_init__(self) -> None:
        """Check shapes and dtypes.

        Raises
        ------
        OptionError
            When `xyxy` is not (n, 4) float32 or another column has another length or dtype.
        """
        if self.xyxy.ndim != 2 or self.xyxy.shape[1] != 4 or self.xyxy.dtype != np.float32:
            raise OptionError(f"xyxy must be float32 of shape (n, 4), got {self.xyxy.dtype} {self.xyxy.shape}")
        for name, dtype in _COLUMN_DTYPES.items():
            column = getattr(self, name)
            if column.shape != (len(self.xyxy),) or column.dtype != dtype:
                raise OptionError(
                    f"boxes.{name} must be {dtype} of shape ({len(self.xyxy)},), got {column.dtype} {column.shape}"
                )

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.xyxy)

    def __getitem__(self, index: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "Boxes":
        """Return the chosen boxes."""
        return Boxes(self.xyxy[index], self.t[index], self.class_id[index], self.score[index], self.track_id[index])

    @classmethod
    def from_xyxy(
        cls,
        xyxy: ArrayLike,
        *,
        t: ArrayLike = 0,
        class_id: ArrayLike = 0,
        score: ArrayLike = 1.0,
        track_id: ArrayLike = -1,
    ) -> "Boxes":
        """Return boxes from corners; each other argument is one value for all or one a box.

        Raises
        ------
        OptionError
            When the shapes do not match.
        """
        corners = np.asarray(xyxy, np.float32).reshape(-1, 4)
        columns = {}
        for name, values in (("t", t), ("class_id", class_id), ("score", score), ("track_id", track_id)):
            given = np.asarray(values, _COLUMN_DTYPES[name])
            columns[name] = np.full(len(corners), given) if given.ndim == 0 else given
        return cls(corners, **columns)

    @classmethod
    def from_xywh(
        cls,
        xywh: ArrayLike,
        *,
        t: ArrayLike = 0,
        class_id: ArrayLike = 0,
        score: ArrayLike = 1.0,
        track_id: ArrayLike = -1,
    ) -> "Boxes":
        """Return boxes from top-left corner, width and height; the other arguments as in `from_xyxy`."""
        corners = np.array(xywh, np.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        return cls.from_xyxy(corners, t=t, class_id=class_id, score=score, track_id=track_id)

    @classmethod
    def empty(cls) -> "Boxes":
        """Return no boxes."""
        return cls.from_xyxy(np.empty((0, 4), np.float32))

    @classmethod
    def concatenate(cls, batches: Iterable["Boxes"]) -> "Boxes":
        """Return one batch that holds the given ones in order."""
        parts = list(batches)
        if not parts:
            return cls.empty()
        return cls(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("xyxy", *_COLUMN_DTYPES)),
        )

    @property
    def xywh(self) -> NDArray[np.float32]:
        """Shape (n, 4): left, top, width, height, a copy."""
        xywh = self.xyxy.copy()
        xywh[:, 2:] -= xywh[:, :2]
        return xywh

    def at(self, t_us: int) -> "Boxes":
        """Return the boxes stamped exactly `t_us`."""
        return self[self.t == t_us]

    def between(self, t0_us: int, t1_us: int) -> "Boxes":
        """Return the boxes with ``t0_us <= t < t1_us``."""
        return self[(self.t >= t0_us) & (self.t < t1_us)]

    def clipped(self, size: SensorSize) -> "Boxes":
        """Return the boxes cut to the sensor; those without area left are dropped."""
        limit = np.array([size.width, size.height] * 2, np.float32)
        cut = replace(self, xyxy=np.clip(self.xyxy, 0, limit))
        keep: NDArray[np.bool_] = np.all(cut.xyxy[:, 2:] > cut.xyxy[:, :2], axis=1)
        return cut[keep]


def pairwise_iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over the union of each box with each other one, 0 where they do not meet.

    Parameters
    ----------
    a : ndarray, shape (n, 4), float64
        Corners.
    b : ndarray, shape (m, 4), float64
        Corners.

    Returns
    -------
    ndarray, shape (n, m), float64
        In [0, 1].

    Examples
    --------
    >>> pairwise_iou(np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 5], [20, 20, 30, 30]])).tolist()
    [[0.5, 0.0]]
    """
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    area_a, area_b = (np.prod(box[:, 2:] - box[:, :2], axis=1) for box in (a, b))
    iou: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, area_a[:, None] + area_b - shared, out=iou, where=shared > 0)
    return iou
