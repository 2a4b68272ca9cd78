"""A copy of a detector for inference, with the normalisation folded into the convolutions."""

from copy import deepcopy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .blocks import ConvNorm
from .detector import Detector
from .lif import LIF

__all__ = ["folded"]


def folded(detector: Detector, neurons: type[LIF] = LIF) -> Detector:
    """Return a float32 copy in evaluation mode, without normalisation and gradients.

    Parameters
    ----------
    detector : Detector
        It is not changed.
    neurons : type
        What takes the place of every :class:`LIF`.
    """
    copy = deepcopy(detector).float().eval().requires_grad_(requires_grad=False)
    for module in list(copy.modules()):
        if isinstance(module, ConvNorm) and isinstance(module.norm, nn.BatchNorm2d):
            # Folded in float64, so that only the final rounding is felt.
            module.conv = fuse_conv_bn_eval(module.conv.double(), module.norm.double()).float()
            module.norm = nn.Identity()
        for name, child in module.named_children():
            if isinstance(child, LIF):
                setattr(module, name, neurons())
    return copy
