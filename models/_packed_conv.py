"""Convolutions whose kernels are brought into oneDNN's own order once, instead of at every call.

The operators are those that torch's own compiler emits for a frozen network. They are not public, so where a build of
torch lacks them the plain convolution stays; the numbers are the same bit for bit.

Spikes are whole numbers, so that a convolution of them in 8-bit arithmetic loses nothing but what rounding the kernel
to 8 bits loses; sums are exact. It has twice the multiplications an instruction of bfloat16.
"""

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["PackedConv2d", "SpikeConv2d", "can_convolve_int8", "can_pack"]

_LARGEST_WEIGHT = 127
"""Of 8 bits with sign, the same on both sides of zero."""


_convolve: Any = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
"""Looked up once: no instance may hold it, since an operator cannot be pickled."""


def can_pack(dtype: torch.dtype) -> bool:
    """Return whether this build and CPU pack kernels of `dtype`."""
    known = all(hasattr(torch.ops.mkldnn, name) for name in ("_reorder_convolution_weight", "_convolution_pointwise"))
    return known and (dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


def can_convolve_int8() -> bool:
    """Return whether this build and CPU multiply 8-bit numbers four at a time (VNNI)."""
    known = all(hasattr(torch.ops.onednn, name) for name in ("qconv_prepack", "qconv2d_pointwise"))
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return known and bool(capabilities.get("avx512_vnni") or capabilities.get("avx_vnni"))


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
        self._arguments: tuple[Any, ...] = ()
        self._packed_for: torch.Size | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`, shape (B, C, H, W); the first call of a shape packs the kernel for it."""
        if self._packed_for != x.shape:
            geometry = (self.padding, self.stride, [1, 1], 1)
            packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *geometry, list(x.shape))
            self._arguments = (packed, self.bias, *geometry, "none", [], "")
            self._packed_for = x.shape
        result: Tensor = _convolve(x, *self._arguments)
        return result


class SpikeConv2d(PackedConv2d):
    """A convolution whose kernel is rounded to 8 bits, one scale an output channel, for spikes as uint8.

    What is not uint8 goes through the kernel as it is.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv)
        weight = conv.weight.detach().float()
        largest = weight.abs().amax((1, 2, 3)).clamp(min=torch.finfo(torch.float32).tiny)
        self._scales = largest / _LARGEST_WEIGHT
        self._rounded = (weight / self._scales[:, None, None, None]).round().to(torch.int8)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        # A copy: the parameter would be rounded with the network.
        self._bias = None if conv.bias is None else conv.bias.detach().float().clone()
        self._packed_int8: Tensor | None = None
        self._packed_int8_for: torch.Size | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`, shape (B, C, H, W), in the dtype of the kernel."""
        if x.dtype != torch.uint8:
            return super().forward(x)
        geometry = (self.stride, self.padding, [1, 1], 1)
        if self._packed_int8 is None or self._packed_int8_for != x.shape:
            self._packed_int8 = torch.ops.onednn.qconv_prepack(
                self._rounded, self._scales, 1.0, 0, *geometry, list(x.shape)
            )
            self._packed_int8_for = x.shape
        weights = (self._packed_int8, self._scales, self._zeros, self._bias)
        result: Tensor = torch.ops.onednn.qconv2d_pointwise(
            x, 1.0, 0, *weights, *geometry, 1.0, 0, self.weight.dtype, "none", [], ""
        )
        return result
