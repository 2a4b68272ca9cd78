"""LIF in torch operations with an explicit backward through time: for any device and dtype."""

import torch
from torch import Tensor

__all__ = ["SURROGATE_HALF_WIDTH", "backward", "forward", "forward_coded"]

SURROGATE_HALF_WIDTH = 0.5
"""The gradient of a spike is 1 where the membrane is less than this from the threshold, else 0."""


def forward(x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor]:
    """Return spikes, shape (T, ...), and the last membrane, shape (...)."""
    spikes = torch.empty_like(x)
    v = v0
    for t, current in enumerate(x):
        membrane = decay * v + current
        fired = membrane > threshold
        spikes[t] = fired
        v = membrane.masked_fill(fired, 0.0)
    return spikes, v


def forward_coded(x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return spikes, last membrane, and the uint8 code for :func:`backward`: bit 0 fired, bit 1 within the support."""
    spikes = torch.empty_like(x)
    code = torch.empty_like(x, dtype=torch.uint8)
    v = v0
    for t, current in enumerate(x):
        membrane = decay * v + current
        fired = membrane > threshold
        spikes[t] = fired
        code[t] = fired + 2 * ((membrane - threshold).abs() < SURROGATE_HALF_WIDTH).to(torch.uint8)
        v = membrane.masked_fill(fired, 0.0)
    return spikes, v, code


def backward(grad_spikes: Tensor, code: Tensor, grad_v: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Return the gradients of the input, shape (T, ...), and of the first membrane, shape (...)."""
    grad_x = torch.empty_like(code, dtype=grad_spikes.dtype)
    carried = grad_v
    for t in range(code.shape[0] - 1, -1, -1):
        soft, silent = code[t] >= 2, (code[t] & 1) == 0
        gradient = grad_spikes[t] * soft + carried * silent
        grad_x[t] = gradient
        carried = decay * gradient
    return grad_x, carried
