"""The leaky integrate-and-fire neuron: one pure function with its state in and out, and a thin module.

Semantics are those of EMS-YOLO: ``m[t] = decay * m[t-1] * (1 - s[t-1]) + x[t]``, ``s[t] = m[t] > threshold``. The state
handed on is the membrane after its reset, ``m * (1 - s)``, so that zeros are a fresh start. The reset is detached; the
gradient of a spike is 1 where ``|m - threshold| < 0.5`` and 0 elsewhere.

Four forms of the same arithmetic give the same bits: an autograd loop to read and to test against, an explicit
backward through time that keeps one byte a neuron and step, and fused kernels of both, for the CPU and for CUDA. The
byte matters: a backward that tests a rounded membrane again would disagree with its forward about who fired.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from eventdet.errors import OptionError

from ._lif_torch import SURROGATE_HALF_WIDTH
from .lif_backends import lif_backend_of

__all__ = [
    "DECAY",
    "LIF",
    "THRESHOLD",
    "Membranes",
    "Neurons",
    "SiLUNeurons",
    "lif",
    "lif_reference",
    "silu_neurons",
    "split_steps",
]

DECAY = 0.25
"""Share of the membrane that one step keeps (EMS-YOLO, Su et al. 2023)."""

THRESHOLD = 0.5
"""Membrane above which, strictly, the neuron fires."""


def lif(
    x: Tensor, v0: Tensor | None = None, *, decay: float = DECAY, threshold: float = THRESHOLD
) -> tuple[Tensor, Tensor]:
    """Return the spikes that the currents `x` cause, and the membrane to start the next call from.

    Parameters
    ----------
    x : Tensor, shape (T, ...), floating
        Input currents, time first.
    v0 : Tensor, shape (...), optional
        Membrane after reset that an earlier call returned; zeros when left out. It is not changed.
    decay : float
        Share of the membrane kept from step to step.
    threshold : float
        The neuron fires strictly above it.

    Returns
    -------
    spikes : Tensor, shape (T, ...)
        0 or 1, of the dtype and memory layout of `x`.
    v : Tensor, shape (...)
        Membrane after the reset of the last step, at least float32.

    Raises
    ------
    OptionError
        When `x` is not floating, has no step, or `v0` has another shape.

    Examples
    --------
    >>> spikes, v = lif(torch.tensor([0.6, 0.6, 0.3, 0.2, 0.6]))
    >>> spikes.tolist(), v.tolist()
    ([1.0, 1.0, 0.0, 0.0, 1.0], 0.0)
    """
    v = _start(x, v0)
    if torch.is_grad_enabled() and (x.requires_grad or v.requires_grad):
        spikes, v = _ExplicitLIF.apply(x, v, decay, threshold)  # type: ignore[no-untyped-call] # torch is untyped here
    else:
        spikes, v = lif_backend_of(x).forward(x, v, decay, threshold)
    return spikes, v


def lif_reference(
    x: Tensor, v0: Tensor | None = None, *, decay: float = DECAY, threshold: float = THRESHOLD
) -> tuple[Tensor, Tensor]:
    """Return what :func:`lif` returns, by the formula, with autograd through every step."""
    v = _start(x, v0)
    spikes = []
    for current in x:
        membrane = decay * v + current
        fired = _Spike.apply(membrane, threshold)  # type: ignore[no-untyped-call] # torch is untyped here
        v = membrane * (1.0 - fired.detach())
        spikes.append(fired.to(x.dtype))
    return torch.stack(spikes), v


def _start(x: Tensor, v0: Tensor | None) -> Tensor:
    if not x.is_floating_point() or x.ndim == 0 or x.shape[0] == 0:
        raise OptionError(f"x must be floating of shape (T, ...) with T > 0, got {x.dtype} {tuple(x.shape)}")
    dtype = torch.promote_types(x.dtype, torch.float32)
    if v0 is None:
        return torch.zeros_like(x[0], dtype=dtype)
    if v0.shape != x.shape[1:]:
        raise OptionError(f"v0 must have the shape {tuple(x.shape[1:])} of one step, got {tuple(v0.shape)}")
    return v0.to(x.device, dtype)


class _Spike(torch.autograd.Function):
    """Step function with the rectangular surrogate gradient."""

    @staticmethod
    def forward(ctx: Any, membrane: Tensor, threshold: float) -> Tensor:
        ctx.save_for_backward((membrane - threshold).abs() < SURROGATE_HALF_WIDTH)
        return (membrane > threshold).to(membrane.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (soft,) = ctx.saved_tensors
        return gradients[0] * soft, None


class _ExplicitLIF(torch.autograd.Function):
    """LIF whose backward through time is written out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, v0: Tensor, decay: float, threshold: float) -> tuple[Tensor, Tensor]:
        spikes, v, code = lif_backend_of(x).forward_coded(x, v0, decay, threshold)
        ctx.save_for_backward(code)
        ctx.decay, ctx.like = decay, x.dtype
        return spikes, v

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (code,) = ctx.saved_tensors
        grad_spikes, grad_v = gradients
        grad_x, grad_v0 = lif_backend_of(grad_spikes).backward(grad_spikes.to(ctx.like), code, grad_v, ctx.decay)
        return grad_x, grad_v0, None, None


def split_steps(x: Tensor, num_steps: int) -> Tensor:
    """Return `x`, shape (T*B, ...), with the steps apart, shape (T, B, ...); a view in every memory layout."""
    return x.reshape(num_steps, -1, *x.shape[1:])


class Membranes:
    """The membranes of one call of a network, taken and returned in the order in which its neurons run.

    Parameters
    ----------
    num_steps : int
        T, the steps that are folded into the batch dimension.
    state : sequence of Tensor, optional
        What :meth:`state` of an earlier call gave; without it every membrane starts at rest.
    """

    def __init__(self, num_steps: int, state: Sequence[Tensor] | None = None) -> None:
        self.num_steps = num_steps
        self._given = state
        self._carried: list[Tensor] = []

    def take(self) -> Tensor | None:
        """Return the membrane that the next layer starts from, None at rest.

        Raises
        ------
        OptionError
            When the state has fewer tensors than the network has layers of neurons.
        """
        if self._given is None:
            return None
        if len(self._carried) >= len(self._given):
            raise OptionError(f"state must have a tensor for each layer of neurons, got only {len(self._given)}")
        return self._given[len(self._carried)]

    def put(self, v: Tensor) -> None:
        """Keep the membrane that the layer ends with."""
        self._carried.append(v)

    def state(self) -> tuple[Tensor, ...]:
        """Return every membrane, to start the next call from.

        Raises
        ------
        OptionError
            When the state given had more tensors than layers took.
        """
        if self._given is not None and len(self._given) != len(self._carried):
            raise OptionError(f"state must have {len(self._carried)} tensors, got {len(self._given)}")
        return tuple(self._carried)


def silu_neurons(x: Tensor, v0: Tensor | None = None, *, decay: float = DECAY) -> tuple[Tensor, Tensor]:
    """Return SiLU of the membranes, and the membrane to start the next call from.

    ``m[t] = decay * m[t-1] * (1 - silu(m[t-1])) + x[t]``: what the reference has where it does not spike, in its SEW
    network and before the detection of its wide networks. Arguments and shapes as in :func:`lif`; the reset is
    detached too.
    """
    v = _start(x, v0)
    outputs = []
    for current in x:
        membrane = decay * v + current
        output = functional.silu(membrane)
        v = membrane * (1.0 - output.detach())
        outputs.append(output.to(x.dtype))
    return torch.stack(outputs), v


class Neurons(nn.Module, ABC):
    """A layer with a membrane for activations with the steps folded into the batch, ``[T*B, C, H, W]``."""

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return what `x`, shape (T*B, C, H, W), makes the neurons put out, and move the layer's membrane on."""
        outputs, v = self.run(split_steps(x, membranes.num_steps), membranes.take())
        membranes.put(v)
        return outputs.flatten(0, 1)

    @abstractmethod
    def run(self, x: Tensor, v0: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return outputs, shape (T, B, C, H, W), and the last membrane, shape (B, C, H, W)."""


class LIF(Neurons):
    """Neurons that spike."""

    def run(self, x: Tensor, v0: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return spikes and membrane as :func:`lif` does."""
        return lif(x, v0)


class SiLUNeurons(Neurons):
    """Neurons that put out SiLU of their membrane."""

    def run(self, x: Tensor, v0: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return values and membrane as :func:`silu_neurons` does."""
        return silu_neurons(x, v0)
