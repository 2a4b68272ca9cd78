"""The head: a feature pyramid of spiking blocks and the detection convolutions."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import DetectorConfig
from .families import Family
from .lif import Membranes

__all__ = ["BOX_VALUES", "Detect", "Neck"]

BOX_VALUES = 5
"""Values an anchor besides its class scores: x, y, width, height, objectness."""

_PUBLISHED_HEADS = 2

_PRIOR_OBJECTS = 8
"""Objects that a 640-pixel picture is taken to hold before training, for the bias of the objectness."""

_PRIOR_SIDE = 640


class Raise(nn.Module):
    """Brings a coarse map to half its stride and joins it with the backbone's map there."""

    def __init__(self, in_channels: int, backbone_channels: int, out_channels: int, family: Family) -> None:
        super().__init__()
        self.lateral = family.narrow(in_channels, out_channels, kernel=1)
        self.fine = family.join(out_channels + backbone_channels, out_channels)

    def forward(self, coarse: Tensor, feature: Tensor, membranes: Membranes) -> Tensor:
        """Return currents, shape (T*B, out_channels, H, W), of the size of `feature`."""
        currents: Tensor = self.fine(_join(self.lateral(coarse, membranes), feature), membranes)
        return currents


class Neck(nn.Module):
    """Joins the strides of the backbone, from coarse to fine.

    Two scales, at strides 16 and 32, are EMS-YOLO's. Its four are unpublished: here the pyramid goes on to strides 8
    and 4 in the same way, each output as wide as the stage of the backbone that it joins.

    Parameters
    ----------
    config : DetectorConfig
        Output scales.
    channels : sequence of int
        Widths of the backbone's stages, fine first.
    family : Family
        Its blocks.
    """

    def __init__(self, config: DetectorConfig, channels: Sequence[int], family: Family) -> None:
        super().__init__()
        stride4, stride8, stride16, stride32 = channels
        self.reduce = family.reduce(stride32, stride16)
        self.coarse = family.coarse(stride16, stride32)
        self.lateral = family.narrow(stride16, stride16 // 2, kernel=1)
        self.fine = family.join(stride16 // 2 + stride16, stride16)
        self.finer = nn.ModuleList()
        if config.heads > _PUBLISHED_HEADS:
            self.finer.append(Raise(stride16, stride8, stride8, family))
            self.finer.append(Raise(stride8, stride4, stride4, family))
        self.channels = tuple(channels[-config.heads :])

    def forward(self, features: Sequence[Tensor], membranes: Membranes) -> list[Tensor]:
        """Return currents of shape (T*B, C, H/stride, W/stride) a scale, fine first; `features` are the backbone's."""
        reduced = self.reduce(features[3], membranes)
        coarse = self.coarse(reduced, membranes)
        fine = self.fine(_join(self.lateral(reduced, membranes), features[2]), membranes)
        scales = [fine, coarse]
        for number, step in enumerate(self.finer):
            scales.insert(0, step(scales[0], features[1 - number], membranes))
        return scales


def _join(coarse: Tensor, feature: Tensor) -> Tensor:
    raised = functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
    return torch.cat((raised, feature), dim=1)


class Detect(nn.Module):
    """One 1x1 convolution a scale, from currents to the logits of the anchors.

    Parameters
    ----------
    config : DetectorConfig
        Classes, strides and anchors, which are kept as a buffer beside the weights.
    channels : sequence of int
        Width of the currents at each scale.
    """

    anchors: Tensor
    """Shape (scales, anchors, 2), float32, input pixels."""

    def __init__(self, config: DetectorConfig, channels: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("anchors", torch.tensor(config.anchors, dtype=torch.float32), persistent=False)
        per_anchor = BOX_VALUES + config.classes
        self.convs = nn.ModuleList(nn.Conv2d(width, len(config.anchors[0]) * per_anchor, 1) for width in channels)
        for conv, stride in zip(self.convs, config.strides, strict=True):
            _set_priors(conv, per_anchor, stride)

    def forward(self, currents: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return logits, shape (N, anchors * (5 + classes), rows, columns) a scale: x, y, w, h, object, classes."""
        return tuple(conv(current) for conv, current in zip(self.convs, currents, strict=True))


@torch.no_grad()
def _set_priors(conv: nn.Module, per_anchor: int, stride: int) -> None:
    """Raise the biases to the rates at which objects and classes are met, so that training starts near them."""
    bias = conv.get_parameter("bias").view(-1, per_anchor)
    classes = per_anchor - BOX_VALUES
    bias[:, 4] += math.log(_PRIOR_OBJECTS / (_PRIOR_SIDE / stride) ** 2)
    bias[:, BOX_VALUES:] += math.log(0.6 / (classes - 0.999999))
