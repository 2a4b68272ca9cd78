"""Flat views of sequences and membranes, ``[T, N]`` and ``[N]`` in memory order, for kernels that know no layout.

The order of the dimensions by stride makes that view of any dense tensor with time outermost, so that channels_last
needs no copy.
"""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from eventdet.errors import OptionError

__all__ = ["as_stored", "check_gradients", "check_step", "flat_step", "flat_steps", "time_outermost", "write_back"]


def as_stored(x: Tensor) -> NDArray[Any]:
    """Return the memory of a tensor as kernels of Numba take it: bfloat16 as the uint16 of its bits."""
    array: NDArray[Any] = (x.view(torch.uint16) if x.dtype == torch.bfloat16 else x).numpy()
    return array


def check_step(name: str, v: Tensor, x: Tensor) -> None:
    """Refuse what the kernels, which check no index, would read or write outside of.

    Raises
    ------
    OptionError
        When `v` is not one step of `x`, or not at least float32.
    """
    dtype = torch.promote_types(x.dtype, torch.float32)
    if v.shape != x.shape[1:] or v.dtype != dtype or v.device != x.device:
        raise OptionError(
            f"{name} must be {dtype} of the shape {tuple(x.shape[1:])} of one step, got {v.dtype} {tuple(v.shape)}"
        )


def check_gradients(grad_spikes: Tensor, code: Tensor, grad_v: Tensor) -> None:
    """Refuse what the backward kernels would read or write outside of; raises as :func:`check_step`."""
    check_step("grad_v", grad_v, grad_spikes)
    if code.shape != grad_spikes.shape or code.dtype != torch.uint8:
        raise OptionError(f"code must be uint8 {tuple(grad_spikes.shape)}, got {code.dtype} {tuple(code.shape)}")


def time_outermost(x: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """Return `x`, copied only if it is not dense with time outermost, and its dimensions in memory order."""
    strides: tuple[int, ...] = x.stride()
    order = (0, *sorted(range(1, x.ndim), key=lambda dim: -strides[dim]))
    if x.permute(order).is_contiguous():
        return x, order
    return x.contiguous(), tuple(range(x.ndim))


def flat_steps(x: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return the view [T, N] of a tensor that lies in that order."""
    return x.detach().permute(order).view(x.shape[0], -1)


def flat_step(v: Tensor, order: tuple[int, ...]) -> Tensor:
    """Return one step, flat, in the memory order of the sequence: a view where `v` lies so already."""
    return v.detach().permute([dim - 1 for dim in order[1:]]).contiguous().view(-1)


def write_back(v: Tensor, flat: Tensor, order: tuple[int, ...]) -> None:
    """Bring what a kernel wrote to `flat` to `v`, if it is not the same memory."""
    ordered = v.detach().permute([dim - 1 for dim in order[1:]])
    if not ordered.is_contiguous():
        ordered.copy_(flat.view(ordered.shape))
