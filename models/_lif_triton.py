"""LIF by fused Triton kernels, for CUDA.

One program carries a block of neurons through every step with their membranes in registers, so that a sequence is read
once and its spikes are written once; the state is read and written once a call. What the backward needs is one byte a
neuron and step, as on the CPU: FIRED and SOFT. Membranes are float32 whatever the sequence is.

A decay of 0.25 multiplies exactly, so that a contraction into a fused multiply-add changes no bit. With
``TRITON_INTERPRET=1`` the kernels run on the CPU, slowly, which is how they are tested where there is no CUDA device.
"""

from contextlib import nullcontext
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._lif_layout import check_gradients, check_step, flat_step, flat_steps, time_outermost, write_back
from ._lif_torch import SURROGATE_HALF_WIDTH

__all__ = ["backward", "forward", "forward_coded"]

_BLOCK = 1024
"""Neurons a program: 16-byte loads by each of its 128 threads."""

_MOST_STEPS = 16
"""Steps a launch, which are unrolled; a longer sequence is several launches, the state carried from one to the next."""


@triton.jit
def _lif_forward(
    x_ptr,
    v_ptr,
    spikes_ptr,
    code_ptr,
    n,
    decay,
    threshold,
    half_width,
    CODED: tl.constexpr,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    neurons = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = neurons < n
    v = tl.load(v_ptr + neurons, mask=inside, other=0.0)
    place = neurons
    for _ in tl.static_range(STEPS):
        x = tl.load(x_ptr + place, mask=inside, other=0.0).to(tl.float32)
        membrane = decay * v + x
        fired = membrane > threshold
        tl.store(spikes_ptr + place, tl.where(fired, 1.0, 0.0).to(spikes_ptr.dtype.element_ty), mask=inside)
        if CODED:
            soft = tl.abs(membrane - threshold) < half_width
            tl.store(code_ptr + place, fired.to(tl.uint8) | (soft.to(tl.uint8) << 1), mask=inside)
        v = tl.where(fired, 0.0, membrane)
        place += n
    tl.store(v_ptr + neurons, v, mask=inside)


@triton.jit
def _lif_backward(
    gradient_ptr,
    v_ptr,
    x_ptr,
    code_ptr,
    n,
    decay,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    neurons = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = neurons < n
    carried = tl.load(v_ptr + neurons, mask=inside, other=0.0)
    place = neurons
    for _ in tl.static_range(STEPS - 1):
        place += n
    for _ in tl.static_range(STEPS):
        upstream = tl.load(gradient_ptr + place, mask=inside, other=0.0).to(tl.float32)
        code = tl.load(code_ptr + place, mask=inside, other=0)
        gradient = tl.where((code & 2) != 0, upstream, 0.0) + tl.where((code & 1) != 0, 0.0, carried)
        tl.store(x_ptr + place, gradient.to(x_ptr.dtype.element_ty), mask=inside)
        carried = decay * gradient
        place -= n
    tl.store(v_ptr + neurons, carried, mask=inside)


def forward(x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor]:
    """Return spikes, shape (T, ...), and the last membrane, shape (...)."""
    spikes, v, _ = _forward(x, v0, decay, threshold, coded=False)
    return spikes, v


def forward_coded(x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return spikes, last membrane, and the uint8 code for :func:`backward`: bit 0 fired, bit 1 within the support."""
    return _forward(x, v0, decay, threshold, coded=True)


def backward(grad_spikes: Tensor, code: Tensor, grad_v: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Return the gradients of the input, shape (T, ...), and of the first membrane, shape (...)."""
    check_gradients(grad_spikes, code, grad_v)
    code, order = time_outermost(code)
    grad_x = torch.empty_like(code, dtype=grad_spikes.dtype)
    carried = grad_v.clone()
    flat = flat_step(carried, order)
    upstream = grad_spikes.detach().permute(order).contiguous().view(len(code), -1)
    sequences = (flat_steps(grad_x, order), flat_steps(code, order))
    for part in reversed(_parts(len(code))):
        gradient, x, coded = (array[part] for array in (upstream, *sequences))
        _launch(_lif_backward, (gradient, flat, x, coded), (decay,), steps=len(x))
    write_back(carried, flat, order)
    return grad_x, carried


def _forward(x: Tensor, v0: Tensor, decay: float, threshold: float, *, coded: bool) -> tuple[Tensor, Tensor, Tensor]:
    check_step("v0", v0, x)
    x, order = time_outermost(x)
    v = v0.clone()
    spikes = torch.empty_like(x)
    code = torch.empty_like(x, dtype=torch.uint8) if coded else spikes
    flat = flat_step(v, order)
    sequences = (flat_steps(x, order), flat_steps(spikes, order), flat_steps(code, order))
    for part in _parts(len(x)):
        currents, fired, kept = (array[part] for array in sequences)
        scalars = (decay, threshold, SURROGATE_HALF_WIDTH)
        _launch(_lif_forward, (currents, flat, fired, kept), scalars, steps=len(currents), CODED=coded)
    write_back(v, flat, order)
    return spikes, v, code


def _parts(steps: int) -> list[slice]:
    return [slice(first, min(first + _MOST_STEPS, steps)) for first in range(0, steps, _MOST_STEPS)]


def _launch(
    kernel: Any, arrays: tuple[Tensor, ...], scalars: tuple[float, ...], *, steps: int, **options: bool
) -> None:
    n = arrays[0].shape[1]
    if not n:
        return
    # Triton launches on the current device, whichever the tensors are on.
    with torch.cuda.device(arrays[0].device) if arrays[0].is_cuda else nullcontext():
        kernel[(triton.cdiv(n, _BLOCK),)](*arrays, n, *scalars, **options, STEPS=steps, BLOCK=_BLOCK)
