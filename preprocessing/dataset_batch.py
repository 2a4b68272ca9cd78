"""Batches of clips: frames as one tensor or as their non-zero cells, and the labels of every step."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eventdet.errors import OptionError

__all__ = ["ClipBatch", "SparseFrames", "join_rows", "label_rows", "sparse_frames"]

_LARGEST_INDEX = (1 << 31) - 1


class SparseFrames(NamedTuple):
    """The non-zero cells of a tensor: a few per cent of its bytes on their way from a worker to the device."""

    places: Tensor
    """Shape (n,), int32: where in the flat tensor."""

    values: Tensor
    """Shape (n,): what is there."""

    shape: tuple[int, ...]
    """Of the whole tensor."""

    def dense(self, device: torch.device | str | None = None) -> Tensor:
        """Return the whole tensor on `device`, filled there; where the cells lie by default."""
        places, values = (part.to(device, non_blocking=True) for part in (self.places, self.values))
        frames = torch.zeros(self.shape, dtype=values.dtype, device=values.device)
        frames.view(-1).index_copy_(0, places.long(), values)
        return frames


def sparse_frames(frames: Tensor) -> SparseFrames:
    """Return the non-zero cells of a contiguous CPU tensor.

    Raises
    ------
    OptionError
        When it has 2**31 cells or more.
    """
    from ._scatter_kernels import count_non_zero, take_non_zero

    if frames.numel() > _LARGEST_INDEX:
        raise OptionError(f"a sparse batch must have < 2**31 cells, got {tuple(frames.shape)}", hint="make it smaller")
    cells = frames.view(-1).numpy()
    count = count_non_zero(cells)
    places, values = torch.empty(count, dtype=torch.int32), torch.empty(count, dtype=frames.dtype)
    take_non_zero(cells, places.numpy(), values.numpy())
    return SparseFrames(places, values, tuple(frames.shape))


class ClipBatch(NamedTuple):
    """B clips of T steps."""

    frames: Tensor | SparseFrames
    """Shape (T, B, C, H, W), in the type of the representation."""

    rows: NDArray[np.float32]
    """Shape (n, 7), every label: step, clip, class, x1, y1, x2, y2 in pixels of the frames."""

    labelled: NDArray[np.bool_]
    """Shape (T, B): whether the step of a clip has labels, or is known to hold no object."""

    is_first: Tensor
    """Shape (B,), bool: whether a network that keeps a state shall forget it before this clip."""

    source: NDArray[np.int64]
    """Shape (B,): which source each clip is from, -1 for one that only fills up the batch."""

    t0_us: NDArray[np.int64]
    """Shape (B,): start of the first window of each clip."""

    @property
    def targets(self) -> list[NDArray[np.float32] | None]:
        """T entries for the loss: rows (clip, class, x1, y1, x2, y2), or None where not every clip is labelled.

        A loss takes a clip without a row for empty; a step that is labelled in a part of the batch alone is left out.
        """
        return [
            self.rows[self.rows[:, 0] == step, 1:] if self.labelled[step].all() else None
            for step in range(len(self.labelled))
        ]

    def to(self, device: torch.device | str) -> "ClipBatch":
        """Return the batch with dense frames and flags on `device`; labels stay with the loss, in NumPy."""
        frames = self.frames
        moved = frames.dense(device) if isinstance(frames, SparseFrames) else frames.to(device, non_blocking=True)
        return self._replace(frames=moved, is_first=self.is_first.to(device, non_blocking=True))


def label_rows(
    step: NDArray[np.int64], clip: int, class_id: NDArray[np.int64], xyxy: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the rows of the labels of one clip, shape (n, 7)."""
    rows = np.empty((len(xyxy), 7), np.float32)
    rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3:] = step, clip, class_id, xyxy
    return rows


def join_rows(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return all rows as one array, shape (n, 7)."""
    joined: NDArray[Any] = np.concatenate([np.empty((0, 7), np.float32), *rows])
    return joined
