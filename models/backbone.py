"""EMS-ResNet: the encoding layer and four stages of residual blocks."""

from collections.abc import Sequence

from torch import Tensor, nn

from .blocks import ConvNorm, EMSBlock2, MSBlock
from .lif import Membranes

__all__ = ["STAGE_CHANNELS", "STEM_CHANNELS", "EMSResNet"]

STEM_CHANNELS = 32
"""Width of the encoding layer, which takes real values and has no neurons."""

STAGE_CHANNELS = (64, 128, 256, 512)
"""Widths of the stages, at strides 4, 8, 16 and 32."""


class Stage(nn.Module):
    """An EMS-Block2 that halves rows and columns, then MS-Blocks."""

    def __init__(self, in_channels: int, out_channels: int, num_blocks: int, *, pool_first: bool) -> None:
        super().__init__()
        first = EMSBlock2(in_channels, out_channels, stride=2, pool_first=pool_first)
        self.blocks = nn.ModuleList([first, *(MSBlock(out_channels) for _ in range(num_blocks - 1))])

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return currents, shape (T*B, out_channels, H/2, W/2)."""
        for block in self.blocks:
            x = block(x, membranes)
        return x


class EMSResNet(nn.Module):
    """Backbone that turns encoded events into currents at strides 16 and 32.

    Parameters
    ----------
    channels : int
        Input channels.
    blocks : sequence of int
        Blocks in each of the four stages.
    pool_first : bool
        Order within the shortcut of EMS-Block2.
    """

    def __init__(self, channels: int, blocks: Sequence[int], *, pool_first: bool = True) -> None:
        super().__init__()
        self.stem = ConvNorm(channels, STEM_CHANNELS, 3, stride=2)
        self.stages = nn.ModuleList()
        width = STEM_CHANNELS
        for out, count in zip(STAGE_CHANNELS, blocks, strict=True):
            self.stages.append(Stage(width, out, count, pool_first=pool_first))
            width = out

    def forward(self, x: Tensor, membranes: Membranes) -> tuple[Tensor, Tensor]:
        """Return currents of shape (T*B, 256, H/16, W/16) and (T*B, 512, H/32, W/32)."""
        x = self.stem(x)
        outputs: list[Tensor] = []
        for stage in self.stages:
            x = stage(x, membranes)
            outputs.append(x)
        return outputs[-2], outputs[-1]
