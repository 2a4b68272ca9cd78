import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.evaluation import COCO, YOLO, AveragePrecision, Metric, SizeRange, average_precision

from ._pycocotools import coco_sets, run_coco


def _one(xyxy: list[float], score: float = 1.0, class_id: int = 0) -> Boxes:
    return Boxes.from_xyxy([xyxy], score=score, class_id=class_id)


def _assert_like_pycocotools(detections: list[Boxes], labels: list[Boxes], *, num_classes: int) -> AveragePrecision:
    ours = average_precision(detections, labels, num_classes=num_classes)
    precision, recall = run_coco(*coco_sets(detections, labels, num_classes=num_classes))
    np.testing.assert_allclose(ours.precision, precision, atol=1e-9)
    np.testing.assert_allclose(ours.recall, recall, atol=1e-9)
    return ours


def test_perfect_detections_score_one() -> None:
    labels = [_one([0, 0, 10, 10]), _one([5, 5, 30, 40], class_id=1)]
    result = average_precision(labels, labels, num_classes=2)
    assert result.map50 == result.map50_95 == 1.0
    assert result.num_labels.tolist() == [1, 1]


def test_a_false_positive_above_the_only_hit_halves_precision() -> None:
    labels = [_one([0, 0, 10, 10])]
    found = [Boxes.concatenate([_one([50, 50, 60, 60], score=0.9), _one([0, 0, 10, 10], score=0.5)])]
    assert average_precision(found, labels, num_classes=1).map50 == pytest.approx(0.5)


def test_a_recall_of_two_thirds_reads_67_of_101_points() -> None:
    labels = [Boxes.from_xyxy([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]])]
    # Hit, miss, hit: precision 1 up to recall 1/3 (34 points from 0 to 0.33), then 2/3 up to 2/3 (33 points).
    found = [Boxes.from_xyxy([[0, 0, 10, 10], [90, 0, 99, 9], [20, 0, 30, 10]], score=[0.9, 0.8, 0.7])]
    result = average_precision(found, labels, num_classes=1)
    assert result.map50 == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert result.average_recall() == pytest.approx({1: 1 / 3, 10: 2 / 3, 100: 2 / 3})


def test_an_overlap_of_six_tenths_passes_the_thresholds_up_to_it() -> None:
    # 10 x 6 of 10 x 10 pixels: 0.5, 0.55 and 0.6 pass.
    result = average_precision([_one([0, 0, 10, 6])], [_one([0, 0, 10, 10])], num_classes=1)
    assert result.per_class[:, 0].tolist() == pytest.approx([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])


def test_sizes_count_their_own_labels_and_forgive_detections_of_others() -> None:
    labels = [Boxes.from_xyxy([[0, 0, 10, 10], [50, 50, 150, 150]])]
    found = [Boxes.from_xyxy([[50, 50, 150, 150], [0, 0, 10, 10]], score=[0.9, 0.5])]
    result = average_precision(found, labels, num_classes=1)
    assert result.labels_by_size.tolist() == [[2, 1, 0, 1]]
    assert result.size_map("small") == result.size_map("large") == 1.0
    assert np.isnan(result.size_map("medium"))


def test_other_size_ranges_may_be_given() -> None:
    metric = Metric(sizes=(SizeRange("all", 0, 1e10), SizeRange("tiny", 0, 99)))
    result = average_precision([_one([0, 0, 9, 9])], [_one([0, 0, 9, 9])], num_classes=1, metric=metric)
    assert result.size_map("tiny") == 1.0
    assert result.num_labels.tolist() == [1]


def test_a_class_without_labels_is_left_out_of_the_mean() -> None:
    labels = [_one([0, 0, 10, 10])]
    result = average_precision(labels, labels, num_classes=2)
    assert np.isnan(result.per_class[0, 1])
    assert result.map50 == 1.0


def test_no_detections_score_zero() -> None:
    assert average_precision([Boxes.empty()], [_one([0, 0, 10, 10])], num_classes=1).map50 == 0.0


@pytest.mark.parametrize("images", [[], [Boxes.empty()]], ids=["no images", "an empty image"])
def test_no_labels_at_all_is_nan(images: list[Boxes]) -> None:
    result = average_precision(images, images, num_classes=1)
    assert np.isnan(result.map50)
    assert np.isnan(result.size_map("small"))


def test_yolo_draws_a_line_from_the_last_point_to_no_precision_at_full_recall() -> None:
    labels = [Boxes.from_xyxy([[0, 0, 10, 10], [20, 0, 30, 10]])]
    found = [_one([0, 0, 10, 10])]
    # 1 up to recall 0.5, then straight to 0 at recall 1: 0.5 + 0.25. COCO: 51 of 101 points.
    assert average_precision(found, labels, num_classes=1, metric=YOLO).map50 == pytest.approx(0.75)
    assert average_precision(found, labels, num_classes=1, metric=COCO).map50 == pytest.approx(51 / 101)


def test_yolo_gives_no_second_choice_of_label() -> None:
    # Both detections overlap the first label most (0.8 and 0.7); the second one also overlaps the second label by 0.6.
    labels = [Boxes.from_xyxy([[0, 0, 10, 10], [0, 0, 6, 7]])]
    found = [Boxes.from_xyxy([[0, 0, 10, 8], [0, 0, 10, 7]], score=[0.9, 0.8])]
    assert average_precision(found, labels, num_classes=1, metric=COCO).recall[0, 0, 0, -1] == 1.0
    assert average_precision(found, labels, num_classes=1, metric=YOLO).recall[0, 0, 0, -1] == 0.5


def test_sequences_of_different_length_are_refused() -> None:
    with pytest.raises(OptionError, match="1 images"):
        average_precision([], [Boxes.empty()], num_classes=1)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (_one([0, 0, 1, 1], class_id=2), r"class ids must be in 0\.\.1, got 2"),
        (_one([0, 0, 1, 1], class_id=-1), r"class ids must be in 0\.\.1, got -1"),
        (_one([0, 0, 1, 1], score=float("nan")), "score of a box must be finite, got nan"),
        (_one([0, 0, float("inf"), 1]), "corners of a box must be finite"),
    ],
    ids=["high class", "negative class", "NaN score", "infinite corner"],
)
def test_a_box_that_cannot_be_scored_is_refused(box: Boxes, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        average_precision([box], [Boxes.empty()], num_classes=2)


@pytest.mark.parametrize(
    "change",
    [{"average": "voc"}, {"iou_thresholds": (0.0,)}, {"sizes": ()}, {"max_detections": (10, 1)}],
    ids=str,
)
def test_a_metric_out_of_its_rules_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        Metric(**change)  # type: ignore[arg-type] # wrong on purpose


def test_an_overlap_that_is_not_scored_is_refused() -> None:
    result = average_precision([Boxes.empty()], [_one([0, 0, 1, 1])], num_classes=1)
    with pytest.raises(OptionError, match="iou must be one of"):
        result.map_at(0.3)


@pytest.mark.parametrize("seed", range(3))
def test_random_streets_score_like_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, detections = [], []
    for _ in range(60):
        corner = rng.uniform(0, 200, (rng.integers(0, 6), 2))
        true = np.concatenate([corner, corner + rng.uniform(8, 150, corner.shape)], axis=1)
        noisy = np.repeat(true, 3, axis=0) + rng.normal(0, 4, (3 * len(true), 4))
        noisy[:, 2:] = np.maximum(noisy[:, 2:], noisy[:, :2] + 1)
        labels.append(Boxes.from_xyxy(true, class_id=rng.integers(0, 2, len(true))))
        detections.append(
            Boxes.from_xyxy(noisy, class_id=rng.integers(0, 3, len(noisy)), score=rng.uniform(0, 1, len(noisy)))
        )
    assert _assert_like_pycocotools(detections, labels, num_classes=3).map50 > 0.1


def test_more_detections_than_the_limit_score_like_pycocotools() -> None:
    rng = np.random.default_rng(7)
    corner = rng.integers(0, 200, (250, 2))
    found = Boxes.from_xyxy(np.concatenate([corner, corner + 30], axis=1), score=rng.integers(0, 20, 250) / 20)
    labels = [found[:5], found[200:240]]
    _assert_like_pycocotools([found, found], labels, num_classes=1)


# A coarse grid: equal scores, equal overlaps, boxes without area and repeated boxes are then common.
_BOXES = st.lists(
    st.tuples(*[st.integers(0, 3)] * 4, st.integers(0, 1), st.integers(0, 3)),
    max_size=7,
).map(
    lambda rows: Boxes.from_xywh(
        [[40 * x, 40 * y, 40 * w, 40 * h] for x, y, w, h, _, _ in rows] or np.empty((0, 4)),
        class_id=[row[4] for row in rows] or 0,
        score=[row[5] / 4 for row in rows] or 0.0,
    )
)


@settings(max_examples=150)
@given(st.lists(st.tuples(_BOXES, _BOXES), min_size=1, max_size=3))
def test_any_boxes_score_like_pycocotools(images: list[tuple[Boxes, Boxes]]) -> None:
    detections, labels = [found for found, _ in images], [true for _, true in images]
    _assert_like_pycocotools(detections, labels, num_classes=2)
