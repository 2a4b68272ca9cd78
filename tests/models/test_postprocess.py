"""Decoding and suppression against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.models import DetectorConfig, boxes_from_logits
from eventdet.models.postprocess import decode, suppress

CONFIG = DetectorConfig()


ANCHOR_FREE = DetectorConfig(head="simota")


def silent_logits(batch: int = 1, rows: int = 4, columns: int = 6) -> list[NDArray[np.float32]]:
    """Logits of a picture without objects, at strides 16 and 32."""
    shapes = ((batch, 21, rows, columns), (batch, 21, rows // 2, columns // 2))
    return [np.full(shape, -20, np.float32) for shape in shapes]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_decode_without_anchors_equals_a_plain_loop() -> None:
    generator = np.random.default_rng(0)
    logits = [generator.normal(size=(2, 7, *shape)).astype(np.float32) for shape in ((4, 6), (2, 3))]
    expected = []
    for maps, stride in zip(logits, (16, 32), strict=True):
        for row in range(maps.shape[2]):
            for column in range(maps.shape[3]):
                x, y, w, h, *scores = (float(value) for value in maps[1, :, row, column])
                centre_x, centre_y = (x + column) * stride, (y + row) * stride
                width, height = math.exp(w) * stride, math.exp(h) * stride
                corners = (centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)
                expected.append([*corners, *map(sigmoid, scores)])
    np.testing.assert_allclose(decode(logits, ANCHOR_FREE)[1], expected, rtol=2e-5, atol=1e-4)


def test_decode_without_anchors_of_huge_logits_stays_finite() -> None:
    logits = [np.full((1, 7, 4, 6), 1e4, np.float32), np.full((1, 7, 2, 3), 1e4, np.float32)]
    assert np.isfinite(decode(logits, ANCHOR_FREE)).all()


def test_decode_equals_a_plain_loop() -> None:
    generator = np.random.default_rng(0)
    logits = [generator.normal(size=scale.shape).astype(np.float32) for scale in silent_logits(batch=2)]
    expected = []
    for maps, anchors, stride in zip(logits, CONFIG.anchors, (16, 32), strict=True):
        _, _, rows, columns = maps.shape
        for index, (anchor_width, anchor_height) in enumerate(anchors):
            for row in range(rows):
                for column in range(columns):
                    x, y, w, h, *scores = (sigmoid(float(v)) for v in maps[1, 7 * index : 7 * index + 7, row, column])
                    centre_x, centre_y = (2 * x - 0.5 + column) * stride, (2 * y - 0.5 + row) * stride
                    width, height = (2 * w) ** 2 * anchor_width, (2 * h) ** 2 * anchor_height
                    corners = (centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)
                    expected.append((*corners, *scores))
    np.testing.assert_allclose(decode(logits, CONFIG)[1], expected, rtol=1e-4, atol=1e-3)


def test_one_strong_anchor_gives_its_box() -> None:
    logits = silent_logits()
    # Anchor 1 of stride 16 (23x27) in row 2, column 3: sigmoid(0) puts the centre at the middle of the cell.
    logits[0][0, 7:11, 2, 3] = 0
    logits[0][0, 11, 2, 3] = 20
    logits[0][0, 13, 2, 3] = 20
    (boxes,) = boxes_from_logits(logits, CONFIG, t_us=70_000)
    np.testing.assert_allclose(boxes.xyxy, [[56 - 11.5, 40 - 13.5, 56 + 11.5, 40 + 13.5]], atol=1e-4)
    assert boxes.class_id.tolist() == [1]
    assert boxes.score[0] == pytest.approx(1.0)
    assert boxes.t.tolist() == [70_000]


def test_each_picture_of_a_batch_has_its_own_boxes() -> None:
    logits = silent_logits(batch=3)
    logits[1][1, [4, 5], 0, 0] = 20
    assert [len(boxes) for boxes in boxes_from_logits(logits, CONFIG)] == [0, 1, 0]


def whole_decode(logits: list[NDArray[np.float32]], config: DetectorConfig) -> NDArray[np.float32]:
    """Decode every anchor of every cell, whatever its objectness."""
    scales = []
    for maps, anchors, stride in zip(logits, config.anchors, config.strides, strict=True):
        batch, _, rows, columns = maps.shape
        raw = maps.reshape(batch, len(anchors), 5 + config.classes, rows, columns)
        values = 0.5 * (1 + np.tanh(0.5 * raw))
        cell = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), dtype=np.float32)
        if config.head == "simota":
            centre = (raw[:, :, :2] + cell) * stride
            half = np.exp(raw[:, :, 2:4].clip(max=10.0)) * np.float32(stride / 2)
        else:
            centre = (2 * values[:, :, :2] - 0.5 + cell) * stride
            half = (2 * values[:, :, 2:4]) ** 2 * np.array(anchors, np.float32)[:, :, None, None] / 2
        decoded = np.concatenate((centre - half, centre + half, values[:, :, 4:]), axis=2)
        scales.append(decoded.transpose(0, 1, 3, 4, 2).reshape(batch, -1, 5 + config.classes))
    return np.concatenate(scales, axis=1)


@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 3),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9)),
    bias=st.sampled_from([-8.0, -2.0, 0.0, 30.0]),
    conf=st.sampled_from([0.0, 1e-4, 0.1, 0.25, 0.5, 1.0]),
    config=st.sampled_from([CONFIG, ANCHOR_FREE]),
)
def test_boxes_are_bit_for_bit_those_of_decoding_everything(
    seed: int, batch: int, shape: tuple[int, int], bias: float, conf: float, config: DetectorConfig
) -> None:
    generator = np.random.default_rng(seed)
    rows, columns = shape
    # Rounded, so that scores tie and the order of anchors decides.
    logits = [
        np.round(generator.normal(bias, 3, (batch, 7 * len(anchors), *size)), 1).astype(np.float32)
        for anchors, size in zip(config.anchors, ((2 * rows, 2 * columns), (rows, columns)), strict=True)
    ]
    found = boxes_from_logits(logits, config, conf=conf, iou=0.45, max_det=20)
    for boxes, picture in zip(found, whole_decode(logits, config), strict=True):
        scores = picture[:, 4:5] * picture[:, 5:]
        best, class_id = scores.max(1), scores.argmax(1)
        above = np.flatnonzero(best > conf)
        kept = above[suppress(picture[above, :4], best[above], class_id[above], iou=0.45, max_det=20)]
        assert boxes.xyxy.tobytes() == picture[kept, :4].tobytes()
        assert boxes.score.tobytes() == best[kept].tobytes()
        assert boxes.class_id.tolist() == class_id[kept].tolist()


def plain_suppress(
    xyxy: NDArray[np.float32], score: NDArray[np.float32], class_id: NDArray[np.int64], iou: float
) -> list[int]:
    order = sorted(range(len(score)), key=lambda index: -score[index])
    kept: list[int] = []
    for candidate in order:
        clear = True
        for other in kept:
            a, b = (tuple(float(value) for value in xyxy[index]) for index in (candidate, other))
            width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
            height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
            union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
            if class_id[candidate] == class_id[other] and width * height > iou * union:
                clear = False
        if clear:
            kept.append(candidate)
    return kept


# Whole pixels and a power-of-two overlap: every product is exact, so that ties fall the same way in both.
@given(
    boxes=st.lists(
        st.tuples(*[st.integers(0, 20)] * 2, *[st.integers(0, 12)] * 2, st.integers(0, 8), st.integers(0, 1)),
        max_size=25,
    ),
    iou=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_suppress_equals_a_plain_loop(boxes: list[tuple[int, ...]], iou: float) -> None:
    table = np.array(boxes, np.float32).reshape(-1, 6)
    xyxy = np.concatenate((table[:, :2], table[:, :2] + table[:, 2:4]), axis=1)
    score, class_id = (table[:, 4] / 8).astype(np.float32), table[:, 5].astype(np.int64)
    kept = suppress(xyxy, score, class_id, iou=iou, max_det=100)
    assert kept.tolist() == plain_suppress(xyxy, score, class_id, iou)


def test_suppress_keeps_at_most_max_det_best_first() -> None:
    xyxy = np.array([[0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10]], np.float32)
    score = np.array([0.2, 0.9, 0.5], np.float32)
    assert suppress(xyxy, score, np.zeros(3, np.int64), iou=0.5, max_det=2).tolist() == [1, 2]


@pytest.mark.parametrize("options", [{"conf": 1.1}, {"iou": -0.1}, {"max_det": -1}], ids=str)
def test_thresholds_outside_their_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        boxes_from_logits(silent_logits(), CONFIG, **options)  # type: ignore[arg-type] # a mixed dictionary
