"""The detector as the reference computes it, for comparison: in float32 and NCHW, a loop over the steps in each layer.

Every convolution, pooling and upsampling fills a buffer of zeros step by step; normalisation takes the five axes to a
volume and back, with copies; neurons are a loop of elementary operations under autograd; and neurons that two branches
share are computed for each. Written anew; only the arithmetic is EMS-YOLO's.
"""

import torch
from torch import Tensor, nn

from eventdet.models.blocks import ConvNorm, EMSBlock1, EMSBlock2, MSBlock
from eventdet.models.detector import Detector
from eventdet.models.lif import DECAY, THRESHOLD

__all__ = ["PerStepNetwork"]


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, membrane: Tensor) -> Tensor:
        ctx.save_for_backward(membrane)  # type: ignore[attr-defined] # torch is untyped here
        return membrane.gt(THRESHOLD).float()

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        (membrane,) = ctx.saved_tensors  # type: ignore[attr-defined] # torch is untyped here
        soft: Tensor = (abs(membrane - THRESHOLD) < 0.5).float()
        return gradients[0] * soft


def _each_step(layer: nn.Module, x: Tensor) -> Tensor:
    first = layer(x[0])
    outputs = torch.zeros(x.shape[0], *first.shape, device=x.device)
    outputs[0] = first
    for t in range(1, x.shape[0]):
        outputs[t] = layer(x[t])
    return outputs


class _Neurons(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        membrane, spikes = torch.zeros_like(x[0]), torch.zeros_like(x[0])
        outputs = torch.zeros_like(x)
        for t in range(x.shape[0]):
            membrane = x[t] if t == 0 else membrane * DECAY * (1 - spikes.detach()) + x[t].clone()
            spikes = _Spike.apply(membrane)  # type: ignore[no-untyped-call] # torch is untyped here
            outputs[t] = spikes
        return outputs


class _ConvNorm(nn.Module):
    def __init__(self, ours: ConvNorm) -> None:
        super().__init__()
        self.conv = ours.conv
        self.norm = nn.BatchNorm3d(ours.conv.out_channels)
        self.norm.load_state_dict(ours.norm.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        volume = _each_step(self.conv, x).permute(1, 2, 0, 3, 4).contiguous()
        return self.norm(volume).permute(2, 0, 1, 3, 4).contiguous()  # type: ignore[no-any-return] # of a module


class _Block(nn.Module):
    """An EMS or MS block, with neurons of its own in each branch."""

    def __init__(self, ours: EMSBlock1 | EMSBlock2 | MSBlock) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _Neurons(), _ConvNorm(ours.residual.first), _Neurons(), _ConvNorm(ours.residual.last)
        )
        self.concatenates = isinstance(ours, EMSBlock2)
        self.pool = None
        self.shortcut = None
        if not isinstance(ours, MSBlock):
            stride = ours.residual.first.conv.stride[0]
            self.pool = nn.MaxPool2d(stride)
            self.shortcut = nn.Sequential(_Neurons(), _ConvNorm(ours.shortcut))

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.residual(x)
        if self.pool is None or self.shortcut is None:
            return residual + x
        pooled = _each_step(self.pool, x)
        shortcut: Tensor = self.shortcut(pooled)
        return residual + (torch.cat((shortcut, pooled), dim=2) if self.concatenates else shortcut)


class PerStepNetwork(nn.Module):
    """An EMS or MS detector with two heads, in the form of the paper, on the weights of ours.

    Parameters
    ----------
    detector : Detector
        Its convolutions are shared, its normalisations copied.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        backbone, neck = detector.backbone, detector.neck
        self.stem = _ConvNorm(backbone.stem)  # type: ignore[arg-type] # this family's
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Block(block) for block in stage.get_submodule("blocks").children()))  # type: ignore[arg-type]
            for stage in backbone.stages
        )
        self.reduce, self.coarse, self.lateral, self.fine = (
            _Block(block)  # type: ignore[arg-type] # this family's
            for block in (neck.reduce, neck.coarse, neck.lateral, neck.fine)
        )
        self.upsample = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.detections = detector.detect.convs

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the mean logits by scale of encoded events, shape (T, B, C, H, W)."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        reduced = self.reduce(features[3])
        raised = _each_step(self.upsample, self.lateral(reduced))
        scales = (self.fine(torch.cat((raised, features[2]), dim=2)), self.coarse(reduced))
        return [_each_step(conv, scale).mean(0) for conv, scale in zip(self.detections, scales, strict=True)]
