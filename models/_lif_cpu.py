"""LIF by the fused CPU kernels: checks and memory layouts, the arithmetic is in ``_lif_kernels``.

A kernel sees ``[T, N]`` in memory order. The order of the dimensions by stride makes that view of any dense tensor
with time outermost, so that channels_last needs no copy.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eventdet.errors import OptionError

from ._lif_torch import SURROGATE_HALF_WIDTH

__all__ = ["backward", "forward", "forward_", "forward_coded", "supports"]

_SPIKE = {
    torch.uint8: np.uint8(1),
    torch.bfloat16: np.uint16(0x3F80),
    torch.float32: np.float32(1.0),
    torch.float64: np.float64(1.0),
}


def supports(x: Tensor) -> bool:
    """Return whether the kernels take `x`."""
    return x.device.type == "cpu" and x.dtype in _SPIKE and x.is_floating_point()


def forward(x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor]:
    """Return spikes, shape (T, ...), and the last membrane, shape (...)."""
    v = v0.clone()
    return forward_(x, v, decay, threshold), v


def forward_(x: Tensor, v: Tensor, decay: float, threshold: float, *, spike_dtype: torch.dtype | None = None) -> Tensor:
    """Return spikes, shape (T, ...), and move the membrane `v`, shape (...), on in place.

    Spikes have the dtype of `x`, or are uint8 where that is the `spike_dtype`.
    """
    from . import _lif_kernels

    _check_step("v", v, x)
    x, order = _time_outermost(x)
    spikes = torch.empty_like(x, dtype=spike_dtype)
    membrane = _in_order(v, order)
    scalar = membrane.dtype.type
    _lif_kernels.lif_forward(
        _flat(x, order), membrane, _flat(spikes, order), _SPIKE[spikes.dtype], scalar(decay), scalar(threshold)
    )
    _write_back(v, membrane, order)
    return spikes


def forward_coded(x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return spikes, last membrane, and the uint8 code for :func:`backward`: bit 0 fired, bit 1 within the support."""
    from . import _lif_kernels

    _check_step("v0", v0, x)
    x, order = _time_outermost(x)
    v = v0.clone()
    spikes, code = torch.empty_like(x), torch.empty_like(x, dtype=torch.uint8)
    membrane = _in_order(v, order)
    scalar = membrane.dtype.type
    _lif_kernels.lif_forward_coded(
        _flat(x, order),
        membrane,
        _flat(spikes, order),
        _flat(code, order),
        _SPIKE[x.dtype],
        scalar(decay),
        scalar(threshold),
        scalar(SURROGATE_HALF_WIDTH),
    )
    _write_back(v, membrane, order)
    return spikes, v, code


def backward(grad_spikes: Tensor, code: Tensor, grad_v: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Return the gradients of the input, shape (T, ...), and of the first membrane, shape (...)."""
    from . import _lif_kernels

    _check_step("grad_v", grad_v, grad_spikes)
    if code.shape != grad_spikes.shape or code.dtype != torch.uint8:
        raise OptionError(f"code must be uint8 {tuple(grad_spikes.shape)}, got {code.dtype} {tuple(code.shape)}")
    code, order = _time_outermost(code)
    grad_x = torch.empty_like(code, dtype=grad_spikes.dtype)
    carried = grad_v.clone()
    flat_v = _in_order(carried, order)
    upstream = grad_spikes.permute(order).contiguous().view(code.shape[0], -1)
    _lif_kernels.lif_backward(
        _numpy(upstream), _flat(code, order), flat_v, _flat(grad_x, order), flat_v.dtype.type(decay)
    )
    _write_back(carried, flat_v, order)
    return grad_x, carried


def _check_step(name: str, v: Tensor, x: Tensor) -> None:
    """Refuse what the kernels, which check no index, would read or write outside of."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    if v.shape != x.shape[1:] or v.dtype != dtype or v.device != x.device:
        raise OptionError(
            f"{name} must be {dtype} of the shape {tuple(x.shape[1:])} of one step, got {v.dtype} {tuple(v.shape)}"
        )


def _time_outermost(x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """Return `x`, copied only if it is not dense with time outermost, and its dimensions in memory order."""
    strides: tuple[int, ...] = x.stride()
    order = (0, *sorted(range(1, x.ndim), key=lambda dim: -strides[dim]))
    if x.permute(order).is_contiguous():
        return x, order
    return x.contiguous(), tuple(range(x.ndim))


def _flat(x: Tensor, order: tuple[int, ...]) -> NDArray[Any]:
    return _numpy(x.detach().permute(order).view(x.shape[0], -1))


def _in_order(v: Tensor, order: tuple[int, ...]) -> NDArray[Any]:
    """Return one step, flat, in the memory order of the sequence: a view where `v` lies so already."""
    return _numpy(v.detach().permute([dim - 1 for dim in order[1:]]).contiguous().view(-1))


def _write_back(v: Tensor, flat: NDArray[Any], order: tuple[int, ...]) -> None:
    ordered = v.detach().permute([dim - 1 for dim in order[1:]])
    if not ordered.is_contiguous():
        ordered.copy_(torch.from_numpy(flat).view(ordered.shape))


def _numpy(x: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()
    return array
