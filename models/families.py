"""Which blocks a family of networks is made of, as functions from widths to modules."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from .blocks import ConvNorm, ConvSiLU, EMSBlock1, EMSBlock2, MSBlock, SEWBlock
from .config import DetectorConfig

__all__ = ["Family", "family_of"]

_WIDE_REDUCE = 1024
"""Width inside the first block of the neck of the wide networks without ``conv`` head."""


@dataclass(frozen=True, slots=True)
class Family:
    """The blocks of a network."""

    stem: Callable[[int, int], nn.Module]
    """Encoding layer of input channels and width, without neurons; halves rows and columns."""

    stem_channels: int
    """Its width in the network of width 1."""

    has_stem_neurons: bool
    """Whether the first block takes spikes."""

    widen: Callable[[int, int], nn.Module]
    """First block of a stage: input and output width; halves rows and columns."""

    keep: Callable[[int], nn.Module]
    """Other blocks of a stage: width."""

    narrow: Callable[..., nn.Module]
    """Block of the neck: input and output width, and ``kernel`` 3 or 1."""

    reduce: Callable[[int, int], nn.Module]
    """First block of the neck: input and output width."""

    coarse: Callable[[int, int], nn.Module]
    """Block before the coarsest detection: input and output width."""

    join: Callable[[int, int], nn.Module]
    """Block on a raised map and the backbone's map of that stride: input and output width."""


def family_of(config: DetectorConfig) -> Family:
    """Return the blocks that the configuration asks for."""
    family = config.network.family
    if family == "sew":
        return _sew(config)
    return _wide(config) if family.startswith("wide") else _ems(config)


def _ems(config: DetectorConfig) -> Family:
    narrow = partial(EMSBlock1, shortcut_lif=bool(config.shortcut_lif))

    def widen(in_channels: int, out_channels: int, *, stride: int = 1) -> nn.Module:
        # MS-ResNet widens as it narrows; EMS-ResNet keeps the channels that it has, and adds to them.
        if config.network.family == "ms" or out_channels <= in_channels:
            return narrow(in_channels, out_channels, stride=stride)
        return EMSBlock2(in_channels, out_channels, stride=stride, pool_first=bool(config.pool_first))

    return Family(
        stem=partial(ConvNorm, kernel=3, stride=2),
        stem_channels=32,
        has_stem_neurons=False,
        widen=partial(widen, stride=2),
        keep=MSBlock,
        narrow=narrow,
        reduce=narrow,
        coarse=widen,
        join=narrow,
    )


def _sew(config: DetectorConfig) -> Family:
    spiking = config.neurons == "lif"
    block = partial(SEWBlock, spiking=spiking)
    return Family(
        stem=partial(ConvNorm, kernel=3, stride=2),
        stem_channels=32,
        has_stem_neurons=spiking,
        widen=partial(block, stride=2),
        keep=lambda channels: block(channels, channels),
        narrow=block,
        reduce=block,
        coarse=block,
        join=block,
    )


def _wide(config: DetectorConfig) -> Family:
    shortcut_lif, pool_first = bool(config.shortcut_lif), bool(config.pool_first)

    def narrow(in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1) -> nn.Module:
        return EMSBlock1(
            in_channels, out_channels, kernel=kernel, stride=stride, shortcut_lif=shortcut_lif, hidden=out_channels
        )

    def widen(in_channels: int, out_channels: int) -> nn.Module:
        # The first stage does not widen, so that it has nothing to concatenate.
        if config.network.family == "wide" or in_channels == out_channels:
            return narrow(in_channels, out_channels, stride=2)
        return EMSBlock2(in_channels, out_channels, stride=2, pool_first=pool_first, hidden=out_channels)

    def reduce(in_channels: int, out_channels: int) -> nn.Module:
        hidden = out_channels if config.network.head == "conv" else config.channels_of(_WIDE_REDUCE)
        return EMSBlock1(in_channels, out_channels, shortcut_lif=shortcut_lif, hidden=hidden)

    return Family(
        stem=partial(ConvNorm, kernel=7, stride=2),
        stem_channels=64,
        has_stem_neurons=False,
        widen=widen,
        keep=lambda channels: MSBlock(channels, hidden=channels),
        narrow=narrow,
        reduce=reduce,
        coarse=ConvSiLU if config.network.head == "conv" else narrow,
        join=ConvSiLU if config.network.head == "conv" else narrow,
    )
