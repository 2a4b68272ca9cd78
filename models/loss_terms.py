"""What every loss takes and gives: labels by step and picture in, a total and its parts out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eventdet.errors import OptionError

__all__ = ["LossTerms", "Targets", "labelled_pictures"]

_COLUMNS = 7


class Targets(NamedTuple):
    """Labels of a batch, as a `ClipBatch` has them."""

    rows: NDArray[np.float32]
    """Shape (n, 7): step, picture of the batch, class, x1, y1, x2, y2 in input pixels."""

    labelled: NDArray[np.bool_]
    """Shape (T, B): which pictures have labels or are known to be empty; the others do not count."""

    def last_step(self) -> "Targets":
        """Return the labels of the last step alone, as the mean over the steps is held against them."""
        last = len(self.labelled) - 1
        rows = self.rows[self.rows[:, 0] == last].copy()
        rows[:, 0] = 0
        return Targets(rows, self.labelled[last:])


class LossTerms(NamedTuple):
    """Total and parts, scalars; the parts carry their gains."""

    total: Tensor
    box: Tensor
    objectness: Tensor
    classes: Tensor


def labelled_pictures(
    targets: Targets, *, steps: int, batch: int, classes: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the labels by labelled picture, and where these pictures are.

    Parameters
    ----------
    targets : Targets
        Of the batch.
    steps, batch, classes : int
        What the logits have.

    Returns
    -------
    rows : ndarray, shape (n, 6), float32
        Number among the labelled pictures, class, x1, y1, x2, y2.
    pictures : ndarray, shape (m,), int64
        Number of each labelled picture, ``step * batch + picture``.

    Raises
    ------
    OptionError
        When the targets do not match the logits, a step, picture or class is out of range, or a corner is not finite.
    """
    rows, labelled = np.asarray(targets.rows, np.float32).reshape(-1, _COLUMNS), targets.labelled
    if labelled.shape != (steps, batch):
        raise OptionError(f"targets.labelled must have shape {(steps, batch)}, got {labelled.shape}")
    for column, (name, limit) in enumerate((("step", steps), ("picture", batch), ("class id", classes))):
        values = rows[:, column]
        if len(values) and not (values.min() >= 0 and values.max() < limit):
            wrong = values[~((values >= 0) & (values < limit))][0]
            hint = "name every class" if name == "class id" else ""
            raise OptionError(f"targets: {name} must be in 0..{limit - 1}, got {wrong:g}", hint=hint)
    if not np.isfinite(rows).all():
        raise OptionError(f"targets: corners must be finite, got {rows[~np.isfinite(rows).all(1)][0, 3:].tolist()}")
    pictures = np.flatnonzero(labelled)
    place = np.full(steps * batch, -1)
    place[pictures] = np.arange(len(pictures))
    number = place[(rows[:, 0] * batch + rows[:, 1]).astype(np.int64)]
    return np.column_stack((number, rows[:, 2:])).astype(np.float32)[number >= 0], pictures
