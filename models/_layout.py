"""Memory layout of the kernels."""

from typing import TypeVar

import torch
from torch import nn

__all__ = ["channels_last"]

_Module = TypeVar("_Module", bound=nn.Module)


def channels_last(module: _Module) -> _Module:
    """Return `module` with its kernels in channels_last, in place; its activations follow."""
    for weights in module.parameters():
        if weights.ndim == 4:
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    return module
