"""What only a simulator knows about the objects in its pictures."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["GroundTruth"]


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """Every car and pedestrian that reaches into the picture at a label time, hidden and small ones too.

    Boxes are ``xyxy`` in pixels with exclusive right and bottom edges, cut at the picture's edge.
    """

    t: NDArray[np.int64]
    """Shape (n,): microseconds, in order."""

    track_id: NDArray[np.int64]
    """Shape (n,): the object's own number for the whole recording, as in the labels."""

    class_id: NDArray[np.int64]
    """Shape (n,): 0 car, 1 pedestrian."""

    visible: NDArray[np.float32]
    """Shape (n, 4): box of the visible part; zeros for an object that is hidden."""

    amodal: NDArray[np.float32]
    """Shape (n, 4): box of the object as if nothing stood before it."""

    visible_share: NDArray[np.float32]
    """Shape (n,): visible pixels over those that the object has in the picture, in [0, 1]."""

    is_label: NDArray[np.bool_]
    """Shape (n,): whether the label file has it: large enough, and a quarter or more of it visible."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.t)

    @classmethod
    def concatenate(cls, parts: Iterable["GroundTruth"]) -> "GroundTruth":
        """Return the rows of all parts in order; none at all gives no rows."""
        pieces = [cls.empty(), *parts]
        return cls(*(np.concatenate([getattr(piece, item.name) for piece in pieces]) for item in fields(cls)))

    @classmethod
    def empty(cls) -> "GroundTruth":
        """Return no rows."""
        integers, boxes = np.empty(0, np.int64), np.empty((0, 4), np.float32)
        return cls(integers, integers, integers, boxes, boxes, np.empty(0, np.float32), np.empty(0, np.bool_))

    def to_dict(self) -> dict[str, NDArray[np.generic]]:
        """Return the columns by name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}
