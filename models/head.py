"""The two-scale head: a feature pyramid of spiking blocks and the detection convolutions."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .blocks import EMSBlock1, EMSBlock2
from .config import STRIDES, Anchors
from .lif import Membranes

__all__ = ["BOX_VALUES", "Detect", "Neck"]

BOX_VALUES = 5
"""Values an anchor besides its class scores: x, y, width, height, objectness."""

_PRIOR_OBJECTS = 8
"""Objects that a 640-pixel picture is taken to hold before training, for the bias of the objectness."""

_PRIOR_SIDE = 640


class Neck(nn.Module):
    """Joins the strides 16 and 32 of the backbone."""

    channels = (256, 512)

    def __init__(self, *, shortcut_lif: bool = True, pool_first: bool = True) -> None:
        super().__init__()
        self.reduce = EMSBlock1(512, 256, shortcut_lif=shortcut_lif)
        self.coarse = EMSBlock2(256, 512, pool_first=pool_first)
        self.lateral = EMSBlock1(256, 128, kernel=1, shortcut_lif=shortcut_lif)
        self.fine = EMSBlock1(128 + 256, 256, shortcut_lif=shortcut_lif)

    def forward(self, stride16: Tensor, stride32: Tensor, membranes: Membranes) -> tuple[Tensor, Tensor]:
        """Return currents of shape (T*B, 256, H/16, W/16) and (T*B, 512, H/32, W/32)."""
        reduced = self.reduce(stride32, membranes)
        coarse = self.coarse(reduced, membranes)
        raised = functional.interpolate(self.lateral(reduced, membranes), scale_factor=2.0, mode="nearest")
        fine = self.fine(torch.cat((raised, stride16), dim=1), membranes)
        return fine, coarse


class Detect(nn.Module):
    """One 1x1 convolution a scale, from currents to the logits of the anchors.

    Parameters
    ----------
    channels : sequence of int
        Width of the currents at each scale.
    classes : int
        Number of classes.
    anchors : Anchors
        Width and height in input pixels, by scale; kept as a buffer beside the weights.
    """

    anchors: Tensor
    """Shape (scales, anchors, 2), float32, input pixels."""

    def __init__(self, channels: Sequence[int], classes: int, anchors: Anchors) -> None:
        super().__init__()
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32), persistent=False)
        per_anchor = BOX_VALUES + classes
        self.convs = nn.ModuleList(nn.Conv2d(width, len(anchors[0]) * per_anchor, 1) for width in channels)
        for conv, stride in zip(self.convs, STRIDES, strict=True):
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
