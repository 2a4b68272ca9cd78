"""The backbone: the encoding layer and four stages of residual blocks."""

from torch import Tensor, nn

from .config import DetectorConfig
from .families import Family
from .lif import LIF, Membranes

__all__ = ["STAGE_CHANNELS", "Backbone"]

STAGE_CHANNELS = (64, 128, 256, 512)
"""Widths of the stages, at strides 4, 8, 16 and 32, in networks of width 1."""


class Stage(nn.Module):
    """A block that halves rows and columns, then blocks that keep the shape."""

    def __init__(self, in_channels: int, out_channels: int, num_blocks: int, family: Family) -> None:
        super().__init__()
        kept = (family.keep(out_channels) for _ in range(num_blocks - 1))
        self.blocks = nn.ModuleList([family.widen(in_channels, out_channels), *kept])

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return currents, shape (T*B, out_channels, H/2, W/2)."""
        for block in self.blocks:
            x = block(x, membranes)
        return x


class Backbone(nn.Module):
    """Turns encoded events into currents at four strides.

    Parameters
    ----------
    config : DetectorConfig
        Input channels, width and depth.
    family : Family
        Its blocks.
    """

    def __init__(self, config: DetectorConfig, family: Family) -> None:
        super().__init__()
        width = config.channels_of(family.stem_channels)
        self.stem = family.stem(config.channels, width)
        self.stem_lif = LIF() if family.has_stem_neurons else None
        self.stages = nn.ModuleList()
        self.channels = tuple(config.channels_of(channels) for channels in STAGE_CHANNELS)
        for out, count in zip(self.channels, config.network.blocks, strict=True):
            self.stages.append(Stage(width, out, count, family))
            width = out

    def forward(self, x: Tensor, membranes: Membranes) -> list[Tensor]:
        """Return currents of shape (T*B, C, H/stride, W/stride) at strides 4, 8, 16 and 32."""
        x = self.stem(x)
        if self.stem_lif is not None:
            x = self.stem_lif(x, membranes)
        outputs: list[Tensor] = []
        for stage in self.stages:
            x = stage(x, membranes)
            outputs.append(x)
        return outputs
