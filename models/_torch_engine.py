"""The step in torch: packed kernels, channels_last, and neurons that move their membranes on in place."""

import torch
from torch import Tensor, nn

from . import _lif_cpu
from ._folding import folded
from ._layout import channels_last
from ._packed_conv import PackedConv2d, SpikeConv2d, can_pack
from .blocks import ConvNorm
from .detector import Detector, State
from .lif import DECAY, LIF, THRESHOLD, Membranes, split_steps

__all__ = ["InPlaceLIF", "TorchEngine"]


class InPlaceLIF(LIF):
    """Neurons that overwrite the membrane they are given; the same numbers as :class:`LIF`, without its copies."""

    spike_dtype: torch.dtype | None = None
    """Dtype of the spikes; None: that of the currents."""

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return the spikes of `x`, shape (T*B, C, H, W), and move the layer's membrane on in place."""
        v = membranes.take()
        if v is None:
            v = torch.zeros_like(split_steps(x, membranes.num_steps)[0], dtype=torch.float32)
        membranes.put(v)
        return _lif_cpu.forward_folded_(x, v, DECAY, THRESHOLD, spike_dtype=self.spike_dtype or x.dtype)


class ByteLIF(InPlaceLIF):
    """Neurons whose spikes are bytes, for convolutions in 8-bit arithmetic."""

    spike_dtype = torch.uint8


class ViewMaxPool(nn.Module):
    """Maximum over 2x2 by four strided views: half the time of the pooling that also notes where the maximum was."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima of `x`, shape (B, C, H, W), shape (B, C, H/2, W/2)."""
        rows = torch.maximum(x[:, :, ::2], x[:, :, 1::2])
        return torch.maximum(rows[..., ::2], rows[..., 1::2])


class TorchEngine:
    """A detector's step in torch.

    Parameters
    ----------
    detector : Detector
        Copied.
    dtype : str
        ``float32``, ``bfloat16``, or ``int8``: 8-bit convolutions of spikes, bfloat16 elsewhere.
    """

    def __init__(self, detector: Detector, dtype: str) -> None:
        is_int8 = dtype == "int8"
        network = folded(detector, ByteLIF if is_int8 else InPlaceLIF)
        if is_int8:
            _round_spike_convs(network)
        self.network = _packed(channels_last(network.to(torch.bfloat16 if is_int8 else getattr(torch, dtype))))
        self.state: State | None = None

    def reset(self) -> None:
        """Bring every membrane to rest."""
        self.state = None

    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of one step by scale, float32, new memory."""
        output = self.network.step(counts.contiguous(memory_format=torch.channels_last), self.state)
        self.state = output.state
        return tuple(scale.float() for scale in output.logits)

    def clip(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the mean logits of a sequence from rest, (T, B, C, H, W), by scale; the state stays as it is."""
        folded_steps = counts.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        output = self.network(split_steps(folded_steps, counts.shape[0]))
        return tuple(scale.float() for scale in output.logits)


def _round_spike_convs(network: Detector) -> None:
    """Put 8-bit convolutions everywhere but where real values are read or put out: encoding and detection."""
    for module in list(network.modules()):
        if isinstance(module, ConvNorm) and module is not network.backbone.stem:
            module.conv = SpikeConv2d(module.conv)  # type: ignore[assignment] # in place of it


def _packed(network: Detector) -> Detector:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and can_pack(child.weight.dtype):
                setattr(module, name, PackedConv2d(child))
            elif isinstance(child, nn.MaxPool2d) and child.kernel_size == 2:
                setattr(module, name, ViewMaxPool())
    return network
