"""The detection loss: complete IoU of the boxes, cross-entropy of objectness and classes, on matched anchors.

A box is learnt by every anchor whose sides are within a factor of four of its own, in the cell of its centre and the
one or two cells whose border is nearest (Jocher et al., YOLOv5), so that few objects still give many examples.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from eventdet.errors import OptionError

from .config import DetectorConfig
from .head import BOX_VALUES
from .loss_terms import LossTerms, Targets, labelled_pictures

__all__ = ["DetectionLoss", "LossGains", "complete_iou"]

_BALANCE = (4.0, 1.0, 0.25, 0.06)
"""Weight of the objectness by scale, fine first (YOLOv5)."""


@dataclass(frozen=True, slots=True)
class LossGains:
    """Weights and rules of the loss; :meth:`for_config` has EMS-YOLO's for any detector.

    The defaults are those of two scales, two classes and 320-pixel inputs.
    """

    box: float = 0.075
    """Gain of 1 - CIoU."""

    objectness: float = 0.375
    """Gain of the objectness."""

    classes: float = 0.01875
    """Gain of the class scores."""

    anchor_ratio: float = 4.0
    """Largest factor between a side of a box and of an anchor that learns it."""

    balance: tuple[float, ...] = _BALANCE
    """Weight of the objectness at each scale, fine first; those beyond the last scale are not used."""

    @classmethod
    def for_config(cls, config: DetectorConfig) -> "LossGains":
        """Return the gains that EMS-YOLO takes, by number of scales and classes and by the larger side of the input.

        Examples
        --------
        >>> LossGains.for_config(DetectorConfig()) == LossGains()
        True
        """
        scales = 3 / config.heads
        return cls(
            box=0.05 * scales,
            objectness=(max(config.input_size) / 640) ** 2 * scales,
            classes=0.5 * config.classes / 80 * scales,
        )


class _Matches(NamedTuple):
    """Pairs of a target and an anchor of one scale, n of them."""

    place: tuple[Tensor, Tensor, Tensor, Tensor]
    """Picture, anchor, row and column of each pair, int64."""

    box: Tensor
    """Shape (n, 4): centre relative to the cell, width and height, in cells."""

    anchor: Tensor
    """Shape (n, 2): width and height of the anchor in cells."""

    class_id: Tensor
    """Shape (n,), int64."""


class DetectionLoss:
    """Loss of a detector's logits, of one readout or of every step.

    Parameters
    ----------
    config : DetectorConfig
        Classes and anchors.
    gains : LossGains, optional
        Weights; those of :meth:`LossGains.for_config` when left out.
    """

    def __init__(self, config: DetectorConfig, gains: LossGains | None = None) -> None:
        self.config = config
        self.gains = LossGains.for_config(config) if gains is None else gains
        if len(self.gains.balance) < config.heads:
            raise OptionError(f"balance must have {config.heads} values, got {len(self.gains.balance)}")

    def __call__(self, logits: Sequence[Tensor], targets: Targets) -> LossTerms:
        """Return the loss, times the number of pictures in the batch.

        Parameters
        ----------
        logits : sequence of Tensor
            By scale, (T, B, C, rows, columns) of readout ``steps`` or (B, C, rows, columns) of readout ``mean``.
        targets : Targets
            Of T steps, or of one for readout ``mean``.

        Returns
        -------
        LossTerms
            Scalars, float32.

        Raises
        ------
        OptionError
            When the targets do not match the logits, or a class is out of range.
        """
        maps = [scale if scale.ndim == 5 else scale[None] for scale in logits]
        steps, batch = maps[0].shape[:2]
        rows, pictures = labelled_pictures(targets, steps=steps, batch=batch, classes=self.config.classes)
        # Zero, but joined to the logits: a batch without a label still has a gradient.
        total = torch.stack([scale[:0].float().sum() for scale in maps]).sum().expand(3)
        if len(pictures):
            chosen = torch.from_numpy(pictures).to(maps[0].device)
            labels = torch.from_numpy(rows).to(maps[0].device)
            for scale, output in enumerate(maps):
                total = total + self._scale_loss(scale, output.flatten(0, 1)[chosen].float(), labels)
        total = total * batch
        return LossTerms(total.sum(), total[0], total[1], total[2])

    def _scale_loss(self, scale: int, output: Tensor, rows: Tensor) -> Tensor:
        """Return box, objectness and class loss of one scale; `output` is (pictures, C, rows, columns)."""
        anchors = torch.tensor(self.config.anchors[scale], device=output.device) / self.config.strides[scale]
        # (pictures, anchors, rows, columns, values)
        values = _split_anchors(output, len(anchors)).permute(0, 1, 3, 4, 2)
        matches = self._match(rows, anchors, self.config.strides[scale], values.shape[2:4])
        objects = torch.zeros_like(values[..., 4])
        box_loss = class_loss = output.new_zeros(())
        if len(matches.class_id):
            chosen = values[matches.place]
            overlap = complete_iou(_decode(chosen, matches.anchor), matches.box)
            box_loss = (1.0 - overlap).mean()
            objects = _raise_to(objects, matches.place, overlap.detach().clamp(min=0.0))
            wanted = functional.one_hot(matches.class_id, self.config.classes).to(chosen.dtype)
            if self.config.classes > 1:
                class_loss = functional.binary_cross_entropy_with_logits(chosen[:, BOX_VALUES:], wanted)
        object_loss = functional.binary_cross_entropy_with_logits(values[..., 4], objects)
        gains = self.gains
        return torch.stack(
            (gains.box * box_loss, gains.objectness * gains.balance[scale] * object_loss, gains.classes * class_loss)
        )

    def _match(self, rows: Tensor, anchors: Tensor, stride: int, grid: Sequence[int]) -> _Matches:
        corners = rows[:, 2:] / stride
        centre, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        ratio = size[:, None] / anchors[None]
        fits = torch.maximum(ratio, 1 / ratio).amax(2) < self.gains.anchor_ratio
        target, anchor = fits.nonzero(as_tuple=True)
        cells, pair = _cells_of(centre[target], grid)
        target, anchor = target[pair], anchor[pair]
        box = torch.cat((centre[target] - cells, size[target]), 1)
        index = (rows[target, 0].long(), anchor, cells[:, 1], cells[:, 0])
        return _Matches(index, box, anchors[anchor], rows[target, 1].long())


def _cells_of(centre: Tensor, grid: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the cells (column, row) that learn each centre, shape (m, 2), and which centre each belongs to.

    The cell of the centre is one; the neighbour across the nearer border of each axis is another, if it exists and one
    border is nearer.
    """
    height, width = grid
    home = centre.floor().long()
    nearer = torch.sign(centre - home - 0.5).long()
    axes = torch.eye(2, dtype=torch.long, device=centre.device)
    cells = torch.cat((home, home + nearer * axes[0], home + nearer * axes[1]))
    owner = torch.arange(len(centre), device=centre.device).repeat(3)
    is_other = torch.cat((torch.ones_like(nearer[:, 0]), nearer[:, 0], nearer[:, 1])) != 0
    inside = ((cells >= 0) & (cells < torch.tensor((width, height), device=centre.device))).all(1) & is_other
    return cells[inside], owner[inside]


def _split_anchors(logits: Tensor, anchors: int) -> Tensor:
    """Return (pictures, anchors, values, rows, columns) of (pictures, anchors * values, rows, columns)."""
    pictures, _, rows, columns = logits.shape
    return logits.reshape(pictures, anchors, -1, rows, columns)


def _decode(values: Tensor, anchor: Tensor) -> Tensor:
    """Return (n, 4) boxes relative to their cell: centre, width, height, in cells."""
    centre = values[:, :2].sigmoid() * 2 - 0.5
    size = (values[:, 2:4].sigmoid() * 2) ** 2 * anchor
    return torch.cat((centre, size), 1)


def _raise_to(objects: Tensor, index: tuple[Tensor, ...], overlap: Tensor) -> Tensor:
    """Return `objects` with the best overlap where pairs meet in one place, whatever their order."""
    flat = torch.zeros_like(index[0])
    for position, length in zip(index, objects.shape, strict=True):
        flat = flat * length + position
    return objects.flatten().scatter_reduce(0, flat, overlap, "amax").view_as(objects)


def complete_iou(a: Tensor, b: Tensor, *, epsilon: float = 1e-7) -> Tensor:
    """Return the complete IoU (Zheng et al. 2020) of pairs of boxes.

    ``IoU - distance² / diagonal² - alpha * v``, where v compares the aspect ratios.

    Parameters
    ----------
    a, b : Tensor, shape (n, 4)
        Centre x, centre y, width, height, in one unit.
    epsilon : float
        Added to denominators.

    Returns
    -------
    Tensor, shape (n,)
        In (-2, 1].
    """
    a_low, a_high = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2
    b_low, b_high = b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    common = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(1)
    iou = common / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - common + epsilon)
    diagonal = (torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)).square().sum(1) + epsilon
    distance = (a[:, :2] - b[:, :2]).square().sum(1)
    angle = torch.atan(a[:, 2] / (a[:, 3] + epsilon)) - torch.atan(b[:, 2] / (b[:, 3] + epsilon))
    v = 4 / math.pi**2 * angle.square()
    with torch.no_grad():
        alpha = v / (v - iou + 1 + epsilon)
    return iou - distance / diagonal - alpha * v
