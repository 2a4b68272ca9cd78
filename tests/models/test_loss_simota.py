"""The anchor-free loss against plain loops over cells and labels."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from eventdet.errors import OptionError
from eventdet.models import Detector, DetectorConfig
from eventdet.models.loss_simota import SimOTALoss
from eventdet.models.loss_terms import Targets

CONFIG = DetectorConfig(head="simota", classes=3, class_names=("a", "b", "c"))
GRIDS = ((16, 4, 6), (32, 2, 3))
"""Stride, rows and columns of the two scales of a 64 x 96 picture."""


def random_logits(batch: int, *, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1, batch, 8, rows, columns, generator=generator) for _, rows, columns in GRIDS]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def cross_entropy(score: float, wanted: float) -> float:
    return -wanted * math.log(score) - (1 - wanted) * math.log(1 - score)


def iou(a: list[float], b: list[float]) -> float:
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


class PlainCell:
    """One cell of one scale, and what it predicts."""

    def __init__(self, values: list[float], stride: int, row: int, column: int) -> None:
        self.stride, self.centre = stride, ((column + 0.5) * stride, (row + 0.5) * stride)
        x, y = (values[0] + column) * stride, (values[1] + row) * stride
        half_w, half_h = math.exp(values[2]) * stride / 2, math.exp(values[3]) * stride / 2
        self.box = [x - half_w, y - half_h, x + half_w, y + half_h]
        self.objectness, self.scores = sigmoid(values[4]), [sigmoid(value) for value in values[5:]]

    def is_near(self, box: list[float]) -> bool:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return max(abs(self.centre[0] - x), abs(self.centre[1] - y)) < 1.5 * self.stride

    def cost(self, class_id: int, box: list[float]) -> float:
        joint = [math.sqrt(score * self.objectness) for score in self.scores]
        classes = sum(cross_entropy(score, float(index == class_id)) for index, score in enumerate(joint))
        return classes - 3 * math.log(iou(self.box, box) + 1e-8)


def plain_loss(logits: list[Tensor], rows: NDArray[np.float32], batch: int) -> tuple[float, float, float]:
    box_loss = object_loss = class_loss = 0.0
    matched = 0
    for picture in range(batch):
        cells = [
            PlainCell(logits[scale][0, picture, :, r, c].tolist(), stride, r, c)
            for scale, (stride, height, width) in enumerate(GRIDS)
            for r in range(height)
            for c in range(width)
        ]
        labels = [(int(row[2]), row[3:].tolist()) for row in rows if row[1] == picture]
        candidates = [cell for cell in cells if any(cell.is_near(box) for _, box in labels)]
        owner: dict[int, int] = {}
        for number, (class_id, box) in enumerate(labels):
            wanted = max(1, int(sum(sorted((iou(cell.box, box) for cell in candidates), reverse=True)[:10])))
            near = [cell for cell in candidates if cell.is_near(box)]
            for cell in sorted(near, key=lambda each: each.cost(class_id, box))[:wanted]:
                place = cells.index(cell)
                rival = owner.get(place)
                if rival is None or cell.cost(class_id, box) < cell.cost(*labels[rival]):
                    owner[place] = number
        for place, cell in enumerate(cells):
            object_loss += cross_entropy(cell.objectness, float(place in owner))
        for place, number in owner.items():
            class_id, box = labels[number]
            overlap = iou(cells[place].box, box)
            box_loss += 5 * (1 - overlap**2)
            class_loss += sum(
                cross_entropy(score, overlap * (index == class_id)) for index, score in enumerate(cells[place].scores)
            )
        matched += len(owner)
    scale = batch / max(1, matched)
    return box_loss * scale, object_loss * scale, class_loss * scale


@pytest.mark.parametrize("seed", range(4))
def test_simota_loss_equals_a_plain_loop_over_labels_and_cells(seed: int) -> None:
    generator = np.random.default_rng(seed)
    low = generator.uniform(0, (60, 30), (7, 2))
    corners = np.minimum(low + generator.uniform(6, 50, (7, 2)), (96, 64))
    # Two pictures with labels that lie close enough to want the same cells, one without any.
    head = np.stack((np.zeros(7), generator.integers(0, 2, 7), generator.integers(0, 3, 7)), axis=1)
    rows = np.concatenate((head, low, corners), axis=1).astype(np.float32)
    logits = random_logits(3, seed=seed)
    terms = SimOTALoss(CONFIG)(logits, Targets(rows, np.ones((1, 3), np.bool_)))
    expected = plain_loss(logits, rows, 3)
    assert [float(terms.box), float(terms.objectness), float(terms.classes)] == pytest.approx(expected, rel=1e-4)
    assert float(terms.total) == pytest.approx(sum(expected), rel=1e-4)


def test_simota_loss_of_pictures_without_objects_is_their_objectness_alone() -> None:
    logits = [torch.zeros_like(scale) for scale in random_logits(2)]
    terms = SimOTALoss(CONFIG)(logits, Targets(np.empty((0, 7), np.float32), np.ones((1, 2), np.bool_)))
    # 30 cells a picture, every objectness is 0.5, divided by one, times two pictures.
    assert float(terms.total) == pytest.approx(2 * 30 * math.log(2) * 2)
    assert (float(terms.box), float(terms.classes)) == (0.0, 0.0)


def test_simota_loss_of_nothing_labelled_is_zero_and_differentiable() -> None:
    logits = [scale.requires_grad_() for scale in random_logits(2)]
    total = SimOTALoss(CONFIG)(logits, Targets(np.empty((0, 7), np.float32), np.zeros((1, 2), np.bool_))).total
    assert total.item() == 0.0
    assert [gradient.abs().max().item() for gradient in torch.autograd.grad(total, logits)] == [0.0, 0.0]


def test_simota_loss_with_a_class_out_of_range_is_refused() -> None:
    row = np.array([[0, 0, 3, 1, 1, 9, 9]], np.float32)
    with pytest.raises(OptionError, match=r"class id must be in 0\.\.2, got 3"):
        SimOTALoss(CONFIG)(random_logits(1), Targets(row, np.ones((1, 1), np.bool_)))


def test_detector_without_anchors_has_one_box_a_cell() -> None:
    shapes = [tuple(scale.shape) for scale in Detector(CONFIG)(torch.zeros(1, 2, 2, 64, 96)).logits]
    assert shapes == [(2, 8, 4, 6), (2, 8, 2, 3)]
    assert DetectorConfig.from_dict(CONFIG.to_dict()) == CONFIG
