"""The step in torch: packed kernels, channels_last, and neurons that move their membranes on in place."""

import torch
from torch import Tensor, nn

from . import _lif_cpu
from ._folding import folded
from ._layout import channels_last
from ._packed_conv import PackedConv2d, can_pack
from .detector import Detector, State
from .lif import DECAY, LIF, THRESHOLD, Membranes, split_steps

__all__ = ["InPlaceLIF", "TorchEngine"]


class InPlaceLIF(LIF):
    """Neurons that overwrite the membrane they are given; the same numbers as :class:`LIF`, without its copies."""

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return the spikes of `x`, shape (T*B, C, H, W), and move the layer's membrane on in place."""
        currents = split_steps(x, membranes.num_steps)
        v = membranes.take()
        if v is None:
            v = torch.zeros_like(currents[0], dtype=torch.float32)
        membranes.put(v)
        return _lif_cpu.forward_(currents, v, DECAY, THRESHOLD).flatten(0, 1)


class TorchEngine:
    """A detector's step in torch.

    Parameters
    ----------
    detector : Detector
        Copied.
    dtype : str
        ``float32`` or ``bfloat16``.
    """

    def __init__(self, detector: Detector, dtype: str) -> None:
        self.network = _packed(channels_last(folded(detector, InPlaceLIF).to(getattr(torch, dtype))))
        self.state: State | None = None

    def reset(self) -> None:
        """Bring every membrane to rest."""
        self.state = None

    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of one step by scale, float32, new memory."""
        output = self.network.step(counts.contiguous(memory_format=torch.channels_last), self.state)
        self.state = output.state
        return tuple(scale.float() for scale in output.logits)


def _packed(network: Detector) -> Detector:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and can_pack(child.weight.dtype):
                setattr(module, name, PackedConv2d(child))
    return network
