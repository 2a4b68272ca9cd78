import contextlib
import io

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.evaluation import COCO_IOU_THRESHOLDS, average_precision


def _one(xyxy: list[float], score: float = 1.0, class_id: int = 0) -> Boxes:
    return Boxes.from_xyxy([xyxy], score=score, class_id=class_id)


def test_perfect_detections_score_one() -> None:
    labels = [_one([0, 0, 10, 10]), _one([5, 5, 30, 40], class_id=1)]
    result = average_precision(labels, labels, num_classes=2)
    assert result.map50 == result.map50_95 == 1.0
    assert result.num_labels.tolist() == [1, 1]


def test_a_false_positive_above_the_only_hit_halves_precision() -> None:
    labels = [_one([0, 0, 10, 10])]
    found = [Boxes.concatenate([_one([50, 50, 60, 60], score=0.9), _one([0, 0, 10, 10], score=0.5)])]
    assert average_precision(found, labels, num_classes=1).map50 == pytest.approx(0.5)


def test_a_class_without_labels_is_left_out_of_the_mean() -> None:
    labels = [_one([0, 0, 10, 10])]
    result = average_precision(labels, labels, num_classes=2)
    assert np.isnan(result.per_class[0, 1])
    assert result.map50 == 1.0


def test_no_detections_score_zero() -> None:
    assert average_precision([Boxes.empty()], [_one([0, 0, 10, 10])], num_classes=1).map50 == 0.0


def test_no_labels_at_all_is_nan() -> None:
    assert np.isnan(average_precision([Boxes.empty()], [Boxes.empty()], num_classes=1).map50)


def test_sequences_of_different_length_are_refused() -> None:
    with pytest.raises(OptionError, match="1 images"):
        average_precision([], [Boxes.empty()], num_classes=1)


def _random_images(rng: np.random.Generator, count: int) -> tuple[list[Boxes], list[Boxes]]:
    labels, detections = [], []
    for _ in range(count):
        corner = rng.uniform(0, 200, (rng.integers(0, 6), 2))
        true = np.concatenate([corner, corner + rng.uniform(8, 80, corner.shape)], axis=1)
        noisy = np.repeat(true, 2, axis=0) + rng.normal(0, 4, (2 * len(true), 4))
        noisy[:, 2:] = np.maximum(noisy[:, 2:], noisy[:, :2] + 1)
        # Whole pixels, as the reference evaluator reads them from its own float lists without change.
        labels.append(Boxes.from_xyxy(true, class_id=rng.integers(0, 2, len(true))))
        detections.append(
            Boxes.from_xyxy(noisy, class_id=rng.integers(0, 2, len(noisy)), score=rng.uniform(0, 1, len(noisy)))
        )
    return detections, labels


def _reference(detections: list[Boxes], labels: list[Boxes]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    coco_module = pytest.importorskip("pycocotools.coco", reason="pycocotools is the oracle of this test")
    evaluator = pytest.importorskip("pycocotools.cocoeval").COCOeval

    def entries(images: list[Boxes]) -> list[dict[str, object]]:
        return [
            {
                "image_id": image,
                "category_id": int(boxes.class_id[row]) + 1,
                "bbox": [float(value) for value in boxes.xywh.astype(np.float64)[row]],
                "area": float(np.prod(boxes.xywh.astype(np.float64)[row, 2:])),
                "iscrowd": 0,
                "score": float(boxes.score[row]),
            }
            for image, boxes in enumerate(images)
            for row in range(len(boxes))
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_module.COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(len(labels))],
            "categories": [{"id": 1}, {"id": 2}],
            "annotations": [entry | {"id": number + 1} for number, entry in enumerate(entries(labels))],
        }
        truth.createIndex()
        run = evaluator(truth, truth.loadRes(entries(detections)), "bbox")
        run.evaluate()
        run.accumulate()
    precision: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = run.eval["precision"][:, :, :, 0, -1].mean(axis=1)
    return precision


@pytest.mark.parametrize("seed", range(4))
def test_random_detections_score_like_pycocotools(seed: int) -> None:
    detections, labels = _random_images(np.random.default_rng(seed), 60)
    ours = average_precision(detections, labels, num_classes=2, iou_thresholds=COCO_IOU_THRESHOLDS)
    np.testing.assert_allclose(ours.per_class, _reference(detections, labels), atol=2e-6)
