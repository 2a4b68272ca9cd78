"""Convolutions whose kernels are brought into oneDNN's own order once, instead of at every call.

The operators are those that torch's own compiler emits for a frozen network. They are not public, so where a build of
torch lacks them the plain convolution stays; the numbers are the same bit for bit.
"""

import torch
from torch import Tensor, nn

__all__ = ["PackedConv2d", "can_pack"]


def can_pack(dtype: torch.dtype) -> bool:
    """Return whether this build and CPU pack kernels of `dtype`."""
    known = all(hasattr(torch.ops.mkldnn, name) for name in ("_reorder_convolution_weight", "_convolution_pointwise"))
    return known and (dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


class PackedConv2d(nn.Module):
    """An ungrouped, undilated convolution for inference.

    Parameters
    ----------
    conv : Conv2d
        Its kernel and bias are used, not copied.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.stride, self.padding = list(conv.stride), [int(side) for side in conv.padding]
        self.weight, self.bias = conv.weight, conv.bias
        self._packed: Tensor | None = None
        self._packed_for: torch.Size | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`, shape (B, C, H, W); the first call of a shape packs the kernel for it."""
        geometry = (self.padding, self.stride, [1, 1], 1)
        if self._packed is None or self._packed_for != x.shape:
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *geometry, list(x.shape))
            self._packed_for = x.shape
        result: Tensor = torch.ops.mkldnn._convolution_pointwise(x, self._packed, self.bias, *geometry, "none", [], "")
        return result
