"""What a step of training needs besides the network: its loss, its optimiser, its precision."""

from dataclasses import replace

import torch

from eventdet.models.config import DetectorConfig
from eventdet.models.detector import Detector
from eventdet.models.loss import DetectionLoss, LossGains
from eventdet.models.loss_simota import SimOTALoss
from eventdet.models.runtimes import faster_dtype

from .options import TrainConfig

__all__ = ["build_loss", "build_optimizer", "uses_bfloat16"]


def build_loss(detector: DetectorConfig, config: TrainConfig) -> DetectionLoss | SimOTALoss:
    """Return the loss that a detector's head takes."""
    if detector.head == "simota":
        return SimOTALoss(detector)
    own = LossGains.for_config(detector)
    return DetectionLoss(
        detector,
        replace(
            own,
            box=own.box if config.box_gain is None else config.box_gain,
            objectness=own.objectness if config.objectness_gain is None else config.objectness_gain,
            classes=own.classes if config.class_gain is None else config.class_gain,
        ),
    )


def build_optimizer(detector: Detector, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimiser over kernels, which decay, other weights, and biases, which warm up by themselves."""
    named = list(detector.named_parameters())
    groups = [
        {"params": [each for _, each in named if each.ndim > 1], "weight_decay": config.weight_decay, "is_bias": False},
        {
            "params": [each for name, each in named if each.ndim <= 1 and not name.endswith("bias")],
            "weight_decay": 0.0,
            "is_bias": False,
        },
        {
            "params": [each for name, each in named if each.ndim <= 1 and name.endswith("bias")],
            "weight_decay": 0.0,
            "is_bias": True,
        },
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.rate(0), momentum=config.momentum, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=config.rate(0), fused=True)


def uses_bfloat16(precision: str, device: str) -> bool:
    """Return whether a precision of `PRECISIONS` is bfloat16 on a device."""
    if precision != "auto":
        return precision == "bfloat16"
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return faster_dtype() == "bfloat16"
