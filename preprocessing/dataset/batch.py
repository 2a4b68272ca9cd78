"""Batches of clips: frames as one tensor or as their non-zero cells, and the labels of every step."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eventdet.errors import OptionError

__all__ = ["ClipBatch", "SparseBuilder", "SparseFrames", "join_rows", "label_rows"]

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


class SparseBuilder:
    """Collects the non-zero cells of a batch, clip by clip.

    Parameters
    ----------
    shape : tuple of int
        Of the batch, (T, B, C, H, W).
    dtype : dtype
        Of its cells.

    Raises
    ------
    OptionError
        When the batch has 2**31 cells or more.
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if math.prod(shape) > _LARGEST_INDEX:
            raise OptionError(f"a sparse batch must have < 2**31 cells, got shape {shape}", hint="make it smaller")
        self._shape = shape
        self._dtype = dtype
        # Cells are copied as bits, whatever they mean: Numba knows no float16.
        self._bits = np.dtype(f"u{dtype.itemsize}")
        num_cells = shape[0] * math.prod(shape[2:])
        self._places, self._values = np.empty(num_cells, np.int32), np.empty(num_cells, self._bits)
        self._parts: list[tuple[NDArray[np.int32], NDArray[Any]]] = []

    def add(self, clip: NDArray[Any], place: int) -> None:
        """Take the cells of clip number `place`, C-ordered and of shape (T, C, H, W)."""
        from ._scatter_kernels import take_non_zero

        count = 0
        for step, frame in enumerate(clip):
            cells = frame.reshape(-1).view(self._bits)
            words = cells.view(np.uint8)[: cells.nbytes // 8 * 8].view(np.uint64)
            base = (step * self._shape[1] + place) * len(cells)
            count += take_non_zero(cells, words, base, self._places[count:], self._values[count:])
        self._parts.append((self._places[:count].copy(), self._values[:count].copy()))

    def finish(self) -> SparseFrames:
        """Return the batch."""
        places, values = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        return SparseFrames(torch.from_numpy(places), torch.from_numpy(values.view(self._dtype)), self._shape)


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

    def to(self, device: torch.device | str) -> "ClipBatch":
        """Return the batch with dense frames and flags on `device`; labels stay with the loss, in NumPy."""
        return self._replace(frames=self.dense(device), is_first=self.is_first.to(device, non_blocking=True))

    def dense(self, device: torch.device | str = "cpu") -> Tensor:
        """Return the frames, dense, on `device`."""
        frames = self.frames
        return frames.dense(device) if isinstance(frames, SparseFrames) else frames.to(device, non_blocking=True)


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
