"""Parts of a block for streams on the CPU, each in one pass over the memory; the numbers are those of torch.

torch takes three passes for a maximum over 2x2, and two for a sum with what is joined: next to convolutions in
bfloat16, that is felt.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from . import _block_kernels
from ._lif_layout import as_stored
from .blocks import AddJoined
from .detector import CountEncoding

__all__ = ["OnePassAddJoined", "OnePassEncoding", "OnePassMaxPool"]

_LIKE = {torch.float32: np.float32(0), torch.bfloat16: np.uint16(0)}

_BYTE_VALUES = 256


class OnePassEncoding(CountEncoding):
    """Counts as currents, and channels last."""

    def __init__(self, count_clip: int) -> None:
        super().__init__(count_clip)
        self._values: Tensor | None = None

    def forward(self, counts: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the values in [0, 1], of the shape of `counts`, which are (B, C, H, W)."""
        if counts.dtype != torch.uint8 or dtype not in _LIKE:
            return super().forward(counts, dtype).contiguous(memory_format=torch.channels_last)
        batch, channels, rows, columns = counts.shape
        out = torch.empty(batch, rows, columns, channels, dtype=dtype)
        if self._values is None or self._values.dtype != dtype:
            self._values = super().forward(torch.arange(_BYTE_VALUES, dtype=torch.uint8), dtype)
        _block_kernels.encode_counts(counts.numpy(), as_stored(self._values), as_stored(out))
        return out.permute(0, 3, 1, 2)


class OnePassMaxPool(nn.Module):
    """Maximum over 2x2."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima of `x`, shape (B, C, H, W), shape (B, C, H/2, W/2)."""
        if not _lies_channels_last(x):
            return functional.max_pool2d(x, 2)
        batch, channels, rows, columns = x.shape[0], x.shape[1], x.shape[2] // 2, x.shape[3] // 2
        if x.shape[2:] != (2 * rows, 2 * columns):
            return functional.max_pool2d(x, 2)
        out = x.new_empty(batch, rows, columns, channels)
        _block_kernels.max_pool((x.data_ptr(), out.data_ptr()), (batch, rows, columns, channels), _LIKE[x.dtype])
        return out.permute(0, 3, 1, 2)


class OnePassAddJoined(AddJoined):
    """A sum, in which new channels stand before those kept."""

    def forward(self, currents: Tensor, new: Tensor, kept: Tensor) -> Tensor:
        """Return ``currents + [new, kept]``, shape (B, C, H, W)."""
        parts = (currents, new, kept)
        batch, width, rows, columns = currents.shape
        alike = (
            currents.dtype == new.dtype == kept.dtype
            and new.shape == (batch, new.shape[1], rows, columns)
            and kept.shape == (batch, width - new.shape[1], rows, columns)
        )
        if not alike or not all(map(_lies_channels_last, parts)):
            return super().forward(currents, new, kept)
        out = torch.empty_like(currents)
        addresses = (currents.data_ptr(), new.data_ptr(), kept.data_ptr(), out.data_ptr())
        _block_kernels.add_joined(addresses, batch * rows * columns, new.shape[1], width, _LIKE[currents.dtype])
        return out


def _lies_channels_last(x: Tensor) -> bool:
    return x.dtype in _LIKE and x.is_cpu and x.is_contiguous(memory_format=torch.channels_last)
