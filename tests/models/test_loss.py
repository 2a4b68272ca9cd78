"""The loss against plain loops and by hand."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from eventdet.errors import OptionError
from eventdet.models import DetectorConfig
from eventdet.models.loss import DetectionLoss, LossGains, complete_iou

CONFIG = DetectorConfig()


def random_logits(steps: int = 1, batch: int = 2, *, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(steps, batch, 21, 4 // s, 6 // s, generator=generator) for s in (1, 2)]


def plain_ciou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Complete IoU of centre-size boxes, on numbers."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    common_w = max(0.0, min(ax + aw / 2, bx + bw / 2) - max(ax - aw / 2, bx - bw / 2))
    common_h = max(0.0, min(ay + ah / 2, by + bh / 2) - max(ay - ah / 2, by - bh / 2))
    iou = common_w * common_h / (aw * ah + bw * bh - common_w * common_h)
    hull_w = max(ax + aw / 2, bx + bw / 2) - min(ax - aw / 2, bx - bw / 2)
    hull_h = max(ay + ah / 2, by + bh / 2) - min(ay - ah / 2, by - bh / 2)
    v = 4 / math.pi**2 * (math.atan(aw / ah) - math.atan(bw / bh)) ** 2
    alpha = v / (v - iou + 1)
    return iou - ((ax - bx) ** 2 + (ay - by) ** 2) / (hull_w**2 + hull_h**2) - alpha * v


def plain_matches(row: NDArray[np.float32], scale: int, grid: tuple[int, int]) -> list[tuple[int, int, int]]:
    """Return (anchor, row, column) of every place that learns a target."""
    stride = (16, 32)[scale]
    x1, y1, x2, y2 = (float(value) / stride for value in row[2:])
    x, y, places = (x1 + x2) / 2, (y1 + y2) / 2, []
    for anchor, (w, h) in enumerate(CONFIG.anchors[scale]):
        ratios = ((x2 - x1) * stride / w, (y2 - y1) * stride / h)
        if max(max(ratio, 1 / ratio) for ratio in ratios) >= 4:
            continue
        column, line = int(x), int(y)
        beside = column - 1 if x - column < 0.5 else column + 1
        above = line - 1 if y - line < 0.5 else line + 1
        for c, r in ((column, line), (beside, line), (column, above)):
            if 0 <= c < grid[1] and 0 <= r < grid[0]:
                places.append((anchor, r, c))
    return places


def plain_loss(logits: list[Tensor], rows: NDArray[np.float32]) -> float:
    """The loss of one step, target by target."""
    gains = LossGains()
    total = 0.0
    for scale, output in enumerate(logits):
        maps = output[0].detach().reshape(output.shape[1], 3, 7, *output.shape[3:])
        objects = torch.zeros(maps.shape[0], 3, *maps.shape[3:])
        overlaps, class_losses = [], []
        for row in rows:
            for anchor, r, c in plain_matches(row, scale, (maps.shape[3], maps.shape[4])):
                values = maps[int(row[0]), anchor, :, r, c]
                stride = (16, 32)[scale]
                x, y, w, h = (float(value) for value in torch.sigmoid(values[:4]))
                anchor_w, anchor_h = (side / stride for side in CONFIG.anchors[scale][anchor])
                predicted = (2 * x - 0.5 + c, 2 * y - 0.5 + r, (2 * w) ** 2 * anchor_w, (2 * h) ** 2 * anchor_h)
                x1, y1, x2, y2 = (float(value) / stride for value in row[2:])
                overlap = plain_ciou(predicted, ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1))
                overlaps.append(overlap)
                place = (int(row[0]), anchor, r, c)
                objects[place] = max(float(objects[place]), overlap)
                wanted = torch.eye(2)[int(row[1])]
                class_losses.append(float(functional.binary_cross_entropy_with_logits(values[5:], wanted)))
        if overlaps:
            total += gains.box * (1 - sum(overlaps) / len(overlaps))
            total += gains.classes * sum(class_losses) / len(class_losses)
        objectness = functional.binary_cross_entropy_with_logits(maps[:, :, 4], objects)
        total += gains.objectness * gains.balance[scale] * float(objectness)
    return total * logits[0].shape[1]


def test_loss_equals_a_plain_loop_over_targets() -> None:
    generator = np.random.default_rng(0)
    low = generator.uniform(0, 60, (9, 2))
    corners = np.concatenate((low, low + generator.uniform(5, 35, (9, 2))), axis=1)
    heads = np.stack((generator.integers(0, 2, 9), generator.integers(0, 2, 9)), axis=1)
    rows = np.concatenate((heads, corners), axis=1).astype(np.float32)
    logits = random_logits()
    assert float(DetectionLoss(CONFIG)(logits, [rows]).total) == pytest.approx(plain_loss(logits, rows), rel=1e-5)


def test_loss_of_pictures_without_objects_is_their_objectness_alone() -> None:
    logits = [torch.zeros(1, 2, 21, 4, 6), torch.zeros(1, 2, 21, 2, 3)]
    terms = DetectionLoss(CONFIG)(logits, [np.empty((0, 6), np.float32)])
    # Every objectness is 0.5: cross-entropy log 2, gain 0.375, balances 4 and 1, two pictures.
    assert float(terms.total) == pytest.approx(0.375 * 5 * math.log(2) * 2)
    assert (float(terms.box), float(terms.classes)) == (0.0, 0.0)


def test_loss_ignores_steps_without_labels() -> None:
    logits = [scale.requires_grad_() for scale in random_logits(steps=3)]
    rows = np.array([[1, 0, 10, 10, 40, 40]], np.float32)
    loss = DetectionLoss(CONFIG)
    some = loss(logits, [None, rows, None]).total
    alone = loss([scale[1:2] for scale in logits], [rows]).total
    assert some.item() == pytest.approx(alone.item())
    some.backward()  # type: ignore[no-untyped-call] # torch is untyped here
    for scale in logits:
        assert scale.grad is not None
        assert float(scale.grad[0].abs().sum() + scale.grad[2].abs().sum()) == 0.0


def test_loss_of_nothing_labelled_is_zero_and_differentiable() -> None:
    logits = [scale.requires_grad_() for scale in random_logits()]
    total = DetectionLoss(CONFIG)(logits, [None]).total
    assert total.item() == 0.0
    assert [gradient.abs().max().item() for gradient in torch.autograd.grad(total, logits)] == [0.0, 0.0]


def test_loss_of_the_mean_readout_takes_one_entry() -> None:
    logits = random_logits()
    rows = np.array([[0, 1, 10, 10, 40, 40]], np.float32)
    loss = DetectionLoss(CONFIG)
    assert float(loss([scale[0] for scale in logits], [rows]).total) == float(loss(logits, [rows]).total)


@pytest.mark.parametrize("row", [(2, 0, 1, 1, 9, 9), (0, 2, 1, 1, 9, 9), (0, -1, 1, 1, 9, 9)], ids=str)
def test_loss_with_an_index_out_of_range_is_refused(row: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match=r"must be in 0\.\.1"):
        DetectionLoss(CONFIG)(random_logits(), [np.array([row], np.float32)])


def test_loss_with_another_number_of_steps_is_refused() -> None:
    with pytest.raises(OptionError, match="each of the 1 steps, got 2"):
        DetectionLoss(CONFIG)(random_logits(), [None, None])


def test_complete_iou_equals_the_formula_on_numbers() -> None:
    generator = np.random.default_rng(1)
    a, b = (generator.uniform(0.5, 4, (20, 4)) for _ in range(2))
    expected = [plain_ciou(tuple(one), tuple(other)) for one, other in zip(a, b, strict=True)]
    np.testing.assert_allclose(complete_iou(torch.tensor(a), torch.tensor(b)).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_complete_iou_of_a_box_with_itself_is_one() -> None:
    box = torch.tensor([[3.0, 4.0, 2.0, 5.0]])
    assert float(complete_iou(box, box)) == pytest.approx(1.0)
