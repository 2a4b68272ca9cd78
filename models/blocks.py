"""The residual blocks of EMS-YOLO (Su et al. 2023) and of the networks it is compared with, on ``[T*B, C, H, W]``.

Between EMS and MS blocks run real-valued currents, the sums of normalised convolutions; spikes exist only behind a
LIF. A LIF has no parameters, so where residual and shortcut both begin with one on the same input it is computed once.
Between SEW blocks run spikes and their sums. Modules are declared in the order in which they run: the names of the
membranes follow it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from .lif import LIF, Membranes, SiLUNeurons

__all__ = ["AddJoined", "ConvNorm", "ConvSiLU", "EMSBlock1", "EMSBlock2", "MSBlock", "PointwiseConv2d", "SEWBlock"]

INNER_GAIN = 0.5
"""Initial BN scale: the threshold of the neurons (threshold-dependent batch normalisation)."""

LAST_GAIN = 0.1
"""Initial BN scale at the end of a residual branch: a fifth of the threshold, which keeps deep chains isometric."""


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution that leaves out rows and columns before it multiplies; the same numbers.

    The backward pass of torch 2.13 on a CPU writes outside of its memory for few channels, channels_last and a stride.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return currents, shape (N, out_channels, H/stride, W/stride)."""
        rows, columns = self.stride
        return functional.conv2d(x[:, :, ::rows, ::columns], self.weight, self.bias)


class ConvNorm(nn.Module):
    """Convolution without bias, then batch normalisation over steps, batch, rows and columns."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, gain: float = INNER_GAIN
    ) -> None:
        super().__init__()
        kind: type[nn.Conv2d] = PointwiseConv2d if kernel == 1 and stride > 1 else nn.Conv2d
        self.conv = kind(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(out_channels)
        nn.init.constant_(self.norm.weight, gain)

    def forward(self, x: Tensor) -> Tensor:
        """Return currents, shape (T*B, out_channels, H/stride, W/stride)."""
        currents: Tensor = self.norm(self.conv(x))
        return currents


class Residual(nn.Module):
    """Convolution, neurons, convolution, on the spikes of the block's input.

    Parameters
    ----------
    in_channels, out_channels : int
        Widths.
    kernel : int
        Side of both kernels.
    stride : int
        Down-sampling, in the first convolution.
    hidden : int, optional
        Width inside; half the output's when left out.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, hidden: int | None = None
    ) -> None:
        super().__init__()
        hidden = out_channels // 2 if hidden is None else hidden
        self.first = ConvNorm(in_channels, hidden, kernel, stride=stride)
        self.lif = LIF()
        self.last = ConvNorm(hidden, out_channels, kernel, gain=LAST_GAIN)

    def forward(self, spikes: Tensor, membranes: Membranes) -> Tensor:
        """Return currents, shape (T*B, out_channels, H/stride, W/stride)."""
        currents: Tensor = self.last(self.lif(self.first(spikes), membranes))
        return currents


class MSBlock(nn.Module):
    """Residual block of unchanged shape: ``residual(x) + x``; `hidden` as in :class:`Residual`."""

    def __init__(self, channels: int, *, hidden: int | None = None) -> None:
        super().__init__()
        self.lif = LIF()
        self.residual = Residual(channels, channels, 3, hidden=hidden)

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return currents of the shape of `x`."""
        currents: Tensor = self.residual(self.lif(x, membranes), membranes) + x
        return currents


class EMSBlock1(nn.Module):
    """Block that narrows: the shortcut is a 1x1 convolution on the spikes of the pooled input.

    Parameters
    ----------
    in_channels, out_channels : int
        Widths.
    kernel : int
        Side of the residual kernels, 3 or 1.
    stride : int
        Down-sampling of rows and columns.
    shortcut_lif : bool
        False convolves the pooled currents themselves: the released code, and the MS network.
    hidden : int, optional
        As in :class:`Residual`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        shortcut_lif: bool = True,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        self.lif = LIF()
        self.residual = Residual(in_channels, out_channels, kernel, stride=stride, hidden=hidden)
        self.pool = _pool(stride)
        self.shares_lif = shortcut_lif and stride == 1
        self.shortcut_lif = LIF() if shortcut_lif and not self.shares_lif else None
        self.shortcut = ConvNorm(in_channels, out_channels, 1)

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return currents, shape (T*B, out_channels, H/stride, W/stride)."""
        spikes = self.lif(x, membranes)
        currents: Tensor = self.residual(spikes, membranes)
        carried = spikes if self.shares_lif else self.pool(x)
        if self.shortcut_lif is not None:
            carried = self.shortcut_lif(carried, membranes)
        shortcut: Tensor = self.shortcut(carried)
        return currents + shortcut


class AddJoined(nn.Module):
    """What a block ends with whose shortcut keeps channels: a sum, in which new channels stand before those kept."""

    def forward(self, currents: Tensor, new: Tensor, kept: Tensor) -> Tensor:
        """Return ``currents + [new, kept]``, shape (T*B, C, H, W); of the shortcut, the channels add up to C."""
        return currents + torch.cat((new, kept), dim=1)


class EMSBlock2(nn.Module):
    """Block that widens: the shortcut keeps the pooled input and adds new channels before it.

    Parameters
    ----------
    in_channels, out_channels : int
        Widths; the shortcut makes ``out_channels - in_channels`` new ones.
    stride : int
        Down-sampling of rows and columns.
    pool_first : bool
        False makes the new channels at full resolution and pools after, as the released code does.
    hidden : int, optional
        As in :class:`Residual`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        pool_first: bool = True,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        self.lif = LIF()
        self.residual = Residual(in_channels, out_channels, 3, stride=stride, hidden=hidden)
        self.pool = _pool(stride)
        self.pool_first = pool_first
        self.shortcut_lif = LIF() if pool_first and stride > 1 else None
        self.shortcut = ConvNorm(in_channels, out_channels - in_channels, 1)
        self.join = AddJoined()

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return currents, shape (T*B, out_channels, H/stride, W/stride)."""
        spikes = self.lif(x, membranes)
        currents: Tensor = self.residual(spikes, membranes)
        if not self.pool_first:
            wide: Tensor = self.pool(torch.cat((self.shortcut(spikes), x), dim=1))
            return currents + wide
        pooled = self.pool(x)
        if self.shortcut_lif is not None:
            spikes = self.shortcut_lif(pooled, membranes)
        joined: Tensor = self.join(currents, self.shortcut(spikes), pooled)
        return joined


class SEWBlock(nn.Module):
    """Block whose branches end in neurons, so that spikes are what is added (Fang et al. 2021, SEW-ResNet, ADD).

    Parameters
    ----------
    in_channels, out_channels : int
        Widths.
    kernel : int
        Side of the first kernel, 3 or 1; the second is 3.
    stride : int
        Down-sampling of rows and columns.
    spiking : bool
        False is the released form of EMS-YOLO's ablation: SiLU of the membrane in place of spikes, and no neurons at
        the end of the shortcut.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1, spiking: bool = True
    ) -> None:
        super().__init__()
        hidden = out_channels // 2
        neurons = LIF if spiking else SiLUNeurons
        self.first = ConvNorm(in_channels, hidden, kernel, stride=stride)
        self.lif = neurons()
        self.last = ConvNorm(hidden, out_channels, 3)
        self.last_lif = neurons()
        keeps_shape = in_channels == out_channels and stride == 1
        self.shortcut = None if keeps_shape else ConvNorm(in_channels, out_channels, 1, stride=stride)
        self.shortcut_lif = LIF() if spiking and not keeps_shape else None

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return sums of spikes, shape (T*B, out_channels, H/stride, W/stride)."""
        spikes: Tensor = self.last_lif(self.last(self.lif(self.first(x), membranes)), membranes)
        carried = x if self.shortcut is None else self.shortcut(x)
        if self.shortcut_lif is not None:
            carried = self.shortcut_lif(carried, membranes)
        return spikes + carried


class ConvSiLU(nn.Module):
    """Convolution and SiLU neurons: the last blocks before the detection in two of the wide networks; not spiking."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = ConvNorm(in_channels, out_channels, 3)
        self.neurons = SiLUNeurons()

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return values, shape (T*B, out_channels, H, W)."""
        values: Tensor = self.neurons(self.conv(x), membranes)
        return values


def _pool(stride: int) -> nn.Module:
    return nn.MaxPool2d(stride) if stride > 1 else nn.Identity()
