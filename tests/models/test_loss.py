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
from eventdet.models.loss_terms import Targets

CONFIG = DetectorConfig()


def random_logits(steps: int = 1, batch: int = 2, *, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(steps, batch, 21, 4 // s, 6 // s, generator=generator) for s in (1, 2)]


def of_steps(*steps: object, batch: int = 2) -> Targets:
    """Targets of steps: rows (picture, class, corners), or None where nothing is labelled."""
    rows = [np.empty((0, 7), np.float32)]
    labelled = np.zeros((len(steps), batch), np.bool_)
    for step, own in enumerate(steps):
        if own is not None:
            own_rows = np.asarray(own, np.float32).reshape(-1, 6)
            rows.append(np.insert(own_rows, 0, step, axis=1))
            labelled[step] = True
    return Targets(np.concatenate(rows), labelled)


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
        beside = {True: column - 1, False: column + 1}[x - column < 0.5]
        above = {True: line - 1, False: line + 1}[y - line < 0.5]
        cells = [(column, line)]
        # In the middle of a cell no neighbour is nearer than the other: YOLOv5 takes none.
        cells += [(beside, line)] * (x - column != 0.5) + [(column, above)] * (y - line != 0.5)
        for c, r in cells:
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
    # The centre of one box lies in the middle of a cell.
    corners[0] = (8, 8, 40, 40)
    heads = np.stack((generator.integers(0, 2, 9), generator.integers(0, 2, 9)), axis=1)
    rows = np.concatenate((heads, corners), axis=1).astype(np.float32)
    logits = random_logits()
    assert float(DetectionLoss(CONFIG)(logits, of_steps(rows)).total) == pytest.approx(
        plain_loss(logits, rows), rel=1e-5
    )


def test_loss_of_pictures_without_objects_is_their_objectness_alone() -> None:
    logits = [torch.zeros(1, 2, 21, 4, 6), torch.zeros(1, 2, 21, 2, 3)]
    terms = DetectionLoss(CONFIG)(logits, of_steps([]))
    # Every objectness is 0.5: cross-entropy log 2, gain 0.375, balances 4 and 1, two pictures.
    assert float(terms.total) == pytest.approx(0.375 * 5 * math.log(2) * 2)
    assert (float(terms.box), float(terms.classes)) == (0.0, 0.0)


def test_loss_ignores_steps_without_labels() -> None:
    logits = [scale.requires_grad_() for scale in random_logits(steps=3)]
    rows = np.array([[1, 0, 10, 10, 40, 40]], np.float32)
    loss = DetectionLoss(CONFIG)
    some = loss(logits, of_steps(None, rows, None)).total
    alone = loss([scale[1:2] for scale in logits], of_steps(rows)).total
    assert some.item() == pytest.approx(alone.item())
    some.backward()  # type: ignore[no-untyped-call] # torch is untyped here
    for scale in logits:
        assert scale.grad is not None
        assert float(scale.grad[0].abs().sum() + scale.grad[2].abs().sum()) == 0.0


def test_loss_of_nothing_labelled_is_zero_and_differentiable() -> None:
    logits = [scale.requires_grad_() for scale in random_logits()]
    total = DetectionLoss(CONFIG)(logits, of_steps(None)).total
    assert total.item() == 0.0
    assert [gradient.abs().max().item() for gradient in torch.autograd.grad(total, logits)] == [0.0, 0.0]


def test_loss_of_the_mean_readout_takes_one_entry() -> None:
    logits = random_logits()
    rows = np.array([[0, 1, 10, 10, 40, 40]], np.float32)
    loss = DetectionLoss(CONFIG)
    assert float(loss([scale[0] for scale in logits], of_steps(rows)).total) == float(
        loss(logits, of_steps(rows)).total
    )


@pytest.mark.parametrize("row", [(2, 0, 1, 1, 9, 9), (0, 2, 1, 1, 9, 9), (0, -1, 1, 1, 9, 9)], ids=str)
def test_loss_with_an_index_out_of_range_is_refused(row: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match=r"must be in 0\.\.1"):
        DetectionLoss(CONFIG)(random_logits(), of_steps(row))


def test_loss_of_a_box_that_is_no_number_is_refused() -> None:
    with pytest.raises(OptionError, match="corners must be finite"):
        DetectionLoss(CONFIG)(random_logits(), of_steps((0, 1, 1, 1, 9, math.nan)))


def test_loss_with_another_number_of_steps_is_refused() -> None:
    with pytest.raises(OptionError, match="shape \\(1, 2\\), got \\(2, 2\\)"):
        DetectionLoss(CONFIG)(random_logits(), of_steps(None, None))


def test_complete_iou_equals_the_formula_on_numbers() -> None:
    generator = np.random.default_rng(1)
    a, b = (generator.uniform(0.5, 4, (20, 4)) for _ in range(2))
    expected = [plain_ciou(tuple(one), tuple(other)) for one, other in zip(a, b, strict=True)]
    np.testing.assert_allclose(complete_iou(torch.tensor(a), torch.tensor(b)).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_complete_iou_of_a_box_with_itself_is_one() -> None:
    box = torch.tensor([[3.0, 4.0, 2.0, 5.0]])
    assert float(complete_iou(box, box)) == pytest.approx(1.0)


def test_a_picture_that_nobody_labelled_does_not_count_beside_one_that_is() -> None:
    logits = [scale.requires_grad_() for scale in random_logits()]
    row = np.array([[0, 1, 0, 10, 10, 40, 40]], np.float32)
    total = DetectionLoss(CONFIG)(logits, Targets(row, np.array([[False, True]]))).total
    total.backward()  # type: ignore[no-untyped-call] # torch is untyped here
    for scale in logits:
        assert scale.grad is not None
        assert float(scale.grad[:, 0].abs().sum()) == 0.0
        assert float(scale.grad[:, 1].abs().sum()) > 0.0


def test_targets_of_the_last_step_are_those_of_the_mean() -> None:
    rows = np.array([[0, 0, 1, 1, 1, 9, 9], [2, 1, 0, 2, 2, 8, 8]], np.float32)
    labelled = np.array([[True, True], [False, False], [True, False]])
    last = Targets(rows, labelled).last_step()
    assert last.rows.tolist() == [[0, 1, 0, 2, 2, 8, 8]]
    assert last.labelled.tolist() == [[True, False]]
    assert rows[1, 0] == 2


@pytest.mark.parametrize(
    ("classes", "expected"), [(2, (0.075, 0.375, 0.01875)), (80, (0.075, 0.375, 0.75))], ids=["gen1", "coco"]
)
def test_gains_of_a_config_follow_the_reference(classes: int, expected: tuple[float, ...]) -> None:
    gains = LossGains.for_config(DetectorConfig(classes=classes))
    assert (gains.box, gains.objectness, gains.classes) == pytest.approx(expected)
