"""Statistics of normalisation for networks that were not trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["calibrated"]


@contextmanager
def calibrated(network: nn.Module) -> Iterator[None]:
    """Let one pass within the block set every normalisation's statistics; then the network is in evaluation mode."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    network.train()
    for norm in norms:
        norm.momentum = 1.0
    try:
        with torch.no_grad():
            yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
        network.eval()
