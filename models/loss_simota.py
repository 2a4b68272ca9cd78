"""The anchor-free loss: each label takes the few cells that predict it best, chosen anew in every step.

SimOTA (Ge et al., YOLOX, 2021, section 2.1): among the cells whose centre is near that of a label, those of the least
cost belong to it, as many as the ten best overlaps add up to; a cell that several labels want goes to the cheapest.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from .config import DetectorConfig
from .head import BOX_VALUES
from .loss_terms import LossTerms, Targets, labelled_pictures

__all__ = ["SimOTALoss"]

_CENTRE_RADIUS = 1.5
"""Strides, per axis, from a cell's centre to that of a label it may learn."""

_OVERLAP_COST = 3.0
"""Weight of the overlap beside the classes in the cost of a pair."""

_BEST_OVERLAPS = 10
"""Overlaps whose sum tells how many cells a label takes."""

_BOX_GAIN = 5.0
"""Weight of the boxes in the loss; objectness and classes weigh 1."""

_LARGEST_LOG_SIDE = 10.0
"""As in decoding."""


class _Cells(NamedTuple):
    """Every cell of every scale, n of them."""

    centre: Tensor
    """Shape (n, 2): input pixels."""

    stride: Tensor
    """Shape (n,): input pixels."""


class _Matched(NamedTuple):
    """Cells of one picture that learn a label, m of them."""

    cell: Tensor
    """Shape (m,), int64."""

    label: Tensor
    """Shape (m,), int64: row of the label."""

    overlap: Tensor
    """Shape (m,): with the label, before the step."""


class SimOTALoss:
    """Loss of a detector without anchors, of one readout or of every step.

    Parameters
    ----------
    config : DetectorConfig
        With head ``simota``.
    """

    def __init__(self, config: DetectorConfig) -> None:
        self.config = config

    def __call__(self, logits: Sequence[Tensor], targets: Targets) -> LossTerms:
        """Return the loss, times the number of pictures in the batch; the arguments are those of `DetectionLoss`.

        Raises
        ------
        OptionError
            When the targets do not match the logits, or a class is out of range.
        """
        maps = [scale if scale.ndim == 5 else scale[None] for scale in logits]
        steps, batch = maps[0].shape[:2]
        rows, pictures = labelled_pictures(targets, steps=steps, batch=batch, classes=self.config.classes)
        # (pictures, cells, values); a batch without a label has no pictures, and still a gradient.
        chosen = torch.from_numpy(pictures).to(maps[0].device)
        values = torch.cat([scale.flatten(0, 1)[chosen].float().flatten(2).mT for scale in maps], 1)
        cells = _cells([scale.shape[-2:] for scale in maps], self.config.strides, values.device)
        boxes = _decode(values, cells)
        labels = torch.from_numpy(rows).to(values.device)
        parts = [
            self._of_picture(values[number], boxes[number], labels[labels[:, 0] == number, 1:], cells)
            for number in range(len(pictures))
        ]
        found = max(1, sum(count for _, count in parts))
        total = torch.stack([values.sum() * 0 + values.new_zeros(3), *(loss for loss, _ in parts)]).sum(0) / found
        total = total * batch
        return LossTerms(total.sum(), total[0], total[1], total[2])

    def _of_picture(self, values: Tensor, boxes: Tensor, labels: Tensor, cells: _Cells) -> tuple[Tensor, int]:
        """Return box, objectness and class loss of one picture, not yet divided, and how many cells learn a label."""
        objects = torch.zeros_like(values[:, 4])
        if not len(labels):
            losses = functional.binary_cross_entropy_with_logits(values[:, 4], objects, reduction="sum")
            return torch.stack((losses * 0, losses, losses * 0)), 0
        with torch.no_grad():
            matched = self._match(values, boxes, labels, cells)
        objects[matched.cell] = 1.0
        object_loss = functional.binary_cross_entropy_with_logits(values[:, 4], objects, reduction="sum")
        overlap = _overlaps(boxes[matched.cell], labels[matched.label, 1:])
        wanted = functional.one_hot(labels[matched.label, 0].long(), self.config.classes).to(values.dtype)
        class_loss = functional.binary_cross_entropy_with_logits(
            values[matched.cell, BOX_VALUES:], wanted * matched.overlap[:, None], reduction="sum"
        )
        return torch.stack((_BOX_GAIN * (1 - overlap.square()).sum(), object_loss, class_loss)), len(matched.cell)

    def _match(self, values: Tensor, boxes: Tensor, labels: Tensor, cells: _Cells) -> _Matched:
        """Return which cells learn which labels."""
        centre = (labels[:, 1:3] + labels[:, 3:5]) / 2
        far = (cells.centre[None] - centre[:, None]).abs().amax(2)
        candidates = (far < _CENTRE_RADIUS * cells.stride).any(0).nonzero().flatten()
        is_near = far[:, candidates] < _CENTRE_RADIUS * cells.stride[candidates]
        overlap = _overlaps(boxes[candidates][None], labels[:, None, 1:])
        cost = self._class_cost(values[candidates], labels[:, 0].long()) - _OVERLAP_COST * torch.log(overlap + 1e-8)
        cost = torch.where(is_near, cost, torch.inf)
        best = min(_BEST_OVERLAPS, len(candidates))
        wanted = overlap.topk(best, 1).values.sum(1).int().clamp(min=1)
        # Labels lie in the picture, so that a cell is near each of them, and its row is not all infinite.
        rank = cost.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
        takes = (rank < wanted[:, None]) & is_near
        is_wanted = takes.any(0)
        label = torch.where(takes, cost, torch.inf).argmin(0)[is_wanted]
        cell = is_wanted.nonzero().flatten()
        return _Matched(candidates[cell], label, overlap[label, cell])

    def _class_cost(self, values: Tensor, class_id: Tensor) -> Tensor:
        """Return the cross-entropy, shape (labels, cells), of the joint scores of each cell with each label's class."""
        scores = (values[:, BOX_VALUES:].sigmoid() * values[:, 4:5].sigmoid()).sqrt().clamp(1e-7, 1 - 1e-7)
        others = -torch.log1p(-scores)
        return others.sum(1)[None] + (-torch.log(scores) - others).mT[class_id]


def _cells(shapes: Sequence[Sequence[int]], strides: Sequence[int], device: torch.device) -> _Cells:
    centres, steps = [], []
    for (height, width), stride in zip(shapes, strides, strict=True):
        rows, columns = torch.meshgrid(
            torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
        )
        centres.append((torch.stack((columns, rows), -1).reshape(-1, 2) + 0.5) * stride)
        steps.append(torch.full((height * width,), float(stride), device=device))
    return _Cells(torch.cat(centres), torch.cat(steps))


def _decode(values: Tensor, cells: _Cells) -> Tensor:
    """Return corners in input pixels, shape (pictures, cells, 4)."""
    stride = cells.stride[:, None]
    centre = values[..., :2] * stride + cells.centre - stride / 2
    half = values[..., 2:4].clamp(max=_LARGEST_LOG_SIDE).exp() * stride / 2
    return torch.cat((centre - half, centre + half), -1)


def _overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Return the intersection over union of corners (..., 4)."""
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    areas = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    return shared / (areas - shared + 1e-7)
