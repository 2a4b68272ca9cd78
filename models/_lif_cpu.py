"""LIF by the fused CPU kernels: checks and memory, the arithmetic is in ``_lif_kernels``."""

import numpy as np
import torch
from torch import Tensor

from eventdet.errors import OptionError

from . import _lif_kernels
from ._lif_layout import as_stored, check_gradients, check_step, flat_step, flat_steps, time_outermost, write_back
from ._lif_torch import SURROGATE_HALF_WIDTH

__all__ = ["backward", "forward", "forward_", "forward_coded", "forward_folded_"]

_SPIKE = {
    torch.uint8: np.uint8(1),
    torch.bfloat16: np.uint16(0x3F80),
    torch.float32: np.float32(1.0),
    torch.float64: np.float64(1.0),
}


def forward(x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor]:
    """Return spikes, shape (T, ...), and the last membrane, shape (...)."""
    v = v0.clone()
    return forward_(x, v, decay, threshold), v


def forward_(x: Tensor, v: Tensor, decay: float, threshold: float, *, spike_dtype: torch.dtype | None = None) -> Tensor:
    """Return spikes, shape (T, ...), and move the membrane `v`, shape (...), on in place.

    Spikes have the dtype of `x`, or are uint8 where that is the `spike_dtype`.
    """
    check_step("v", v, x)
    x, order = time_outermost(x)
    spikes = torch.empty_like(x, dtype=spike_dtype)
    flat = flat_step(v, order)
    membrane = as_stored(flat)
    scalar = membrane.dtype.type
    _lif_kernels.lif_forward(
        as_stored(flat_steps(x, order)),
        membrane,
        as_stored(flat_steps(spikes, order)),
        _SPIKE[spikes.dtype],
        scalar(decay),
        scalar(threshold),
    )
    write_back(v, flat, order)
    return spikes


def forward_folded_(x: Tensor, v: Tensor, decay: float, threshold: float, *, spike_dtype: torch.dtype) -> Tensor:
    """Return spikes, shape (T*B, C, H, W), and move the membrane `v`, shape (B, C, H, W), on in place.

    As :func:`forward_` on the steps apart. Where `x` and `v` lie alike, which in a stream they do, the kernel is given
    their addresses: views take ten times as long as the kernel of a small layer.
    """
    steps, rest = divmod(x.shape[0], v.shape[0])
    for layout in (torch.channels_last, torch.contiguous_format):
        if x.is_contiguous(memory_format=layout) and v.is_contiguous(memory_format=layout):
            break
    else:
        return forward_(x.reshape(steps, *v.shape), v, decay, threshold, spike_dtype=spike_dtype).flatten(0, 1)
    if rest or x.shape[1:] != v.shape[1:] or v.dtype != torch.float32 or not (x.is_cpu and v.is_cpu):
        raise OptionError(
            f"v must be float32 of the shape of one step of {tuple(x.shape)}, got {v.dtype} {tuple(v.shape)}"
        )
    spikes = torch.empty_like(x, dtype=spike_dtype)
    addresses = (x.data_ptr(), v.data_ptr(), spikes.data_ptr())
    like, one = _SPIKE[x.dtype], _SPIKE[spike_dtype]
    _lif_kernels.lif_forward_at(addresses, steps, v.numel(), like, one, np.float32(decay), np.float32(threshold))
    return spikes


def forward_coded(x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return spikes, last membrane, and the uint8 code for :func:`backward`: bit 0 fired, bit 1 within the support."""
    check_step("v0", v0, x)
    x, order = time_outermost(x)
    v = v0.clone()
    spikes, code = torch.empty_like(x), torch.empty_like(x, dtype=torch.uint8)
    flat = flat_step(v, order)
    membrane = as_stored(flat)
    scalar = membrane.dtype.type
    _lif_kernels.lif_forward_coded(
        as_stored(flat_steps(x, order)),
        membrane,
        as_stored(flat_steps(spikes, order)),
        as_stored(flat_steps(code, order)),
        _SPIKE[x.dtype],
        scalar(decay),
        scalar(threshold),
        scalar(SURROGATE_HALF_WIDTH),
    )
    write_back(v, flat, order)
    return spikes, v, code


def backward(grad_spikes: Tensor, code: Tensor, grad_v: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Return the gradients of the input, shape (T, ...), and of the first membrane, shape (...)."""
    check_gradients(grad_spikes, code, grad_v)
    code, order = time_outermost(code)
    grad_x = torch.empty_like(code, dtype=grad_spikes.dtype)
    carried = grad_v.clone()
    flat = flat_step(carried, order)
    membrane = as_stored(flat)
    _lif_kernels.lif_backward(
        as_stored(grad_spikes.detach().permute(order).contiguous().view(len(code), -1)),
        as_stored(flat_steps(code, order)),
        membrane,
        as_stored(flat_steps(grad_x, order)),
        membrane.dtype.type(decay),
    )
    write_back(carried, flat, order)
    return grad_x, carried
