"""Networks for tests."""

import torch
from torch import nn

from eventdet.models import Detector


def spread_statistics(detector: Detector) -> Detector:
    """Give the normalisation other statistics than its start's, so that a wrong one shows."""
    generator = torch.Generator().manual_seed(5)
    for norm in detector.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None:
            norm.running_mean.normal_(0, 0.05, generator=generator)
            norm.running_var.uniform_(0.02, 0.2, generator=generator)
    return detector
