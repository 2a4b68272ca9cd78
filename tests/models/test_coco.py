"""Pictures in the form of COCO: read, drawn for training, learnt from, and scored as pycocotools scores."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.errors import InputError
from eventdet.geometry import SensorSize
from eventdet.models.coco_scores import score_pictures
from eventdet.preprocessing.dataset.coco import CocoImages, find_instances, read_coco
from eventdet.preprocessing.dataset.images import ImageAugmentation, Letterbox, load_image, make_image

FRAME = SensorSize(96, 128)
CATEGORIES = [{"id": 3, "name": "disc"}, {"id": 17, "name": "square"}, {"id": 90, "name": "bar"}]
"""Ids with gaps, as COCO's."""


def draw(folder: Path, split: str, count: int, *, seed: int, crowds: bool = False) -> Path:
    """Write pictures of discs, squares and bars with their instances file."""
    rng = np.random.default_rng(seed)
    (folder / split).mkdir(parents=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(count):
        height, width = int(rng.integers(80, 140)), int(rng.integers(90, 180))
        picture = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
        for _ in range(int(rng.integers(1, 4))):
            kind, side = int(rng.integers(0, 3)), int(rng.integers(18, 60))
            x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
            box = (x, y, side, side if kind < 2 else side // 2)
            colour = [(0, 0, 255), (0, 255, 0), (255, 80, 0)][kind]
            if kind == 0:
                cv2.circle(picture, (x + side // 2, y + side // 2), side // 2, colour, -1)
            else:
                cv2.rectangle(picture, (x, y), (x + box[2] - 1, y + box[3] - 1), colour, -1)
            area = box[2] * box[3] * (0.785 if kind == 0 else 1.0)
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": 1000 + number, "bbox": box, "area": area,
                    "category_id": CATEGORIES[kind]["id"], "iscrowd": int(crowds and rng.random() < 0.25),
                }
            )  # fmt: skip
        cv2.imwrite(str(folder / split / f"{number:04d}.png"), picture)
        images.append({"id": 1000 + number, "file_name": f"{number:04d}.png", "height": height, "width": width})
    path = folder / "annotations" / f"instances_{split}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": CATEGORIES}))
    return path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco")
    draw(folder, "train2017", 6, seed=0)
    draw(folder, "val2017", 6, seed=0)
    return folder


def noisy(images: CocoImages, *, seed: int) -> list[Boxes]:
    """Detections near the labels, with repeats, wrong classes and boxes of nothing."""
    rng = np.random.default_rng(seed)
    found = []
    for labels in images.labels:
        known = labels.xyxy.astype(np.float64)
        near = np.concatenate((known, known, rng.uniform(0, 60, (3, 4))))
        near[-3:, 2:] += near[-3:, :2] + 5
        near += rng.normal(0, 4, near.shape)
        class_id = np.concatenate((labels.class_id, labels.class_id, rng.integers(0, 3, 3)))
        # Scores of few values: equals are common.
        score = rng.integers(1, 30, len(near)) / 30
        sound = (near[:, 2:] > near[:, :2]).all(1)
        found.append(Boxes.from_xyxy(near[sound], class_id=class_id[sound], score=score[sound]))
    return found


def test_scores_with_crowds_and_outlines_equal_pycocotools(tmp_path: Path) -> None:
    path = draw(tmp_path, "val", 60, seed=3, crowds=True)
    images = read_coco(path)
    assert sum(map(np.sum, images.is_crowd)) > 10
    found = noisy(images, seed=1)
    scores = score_pictures(found, images, range(len(images)))
    results: list[dict[str, Any]] = [
        {
            "image_id": image_id, "category_id": images.category_ids[class_id], "bbox": box, "score": score,
        }
        for image_id, boxes in zip(images.image_ids, found, strict=True)
        for class_id, score, box in zip(
            boxes.class_id.tolist(), boxes.score.astype(float).tolist(),
            np.hstack((boxes.xyxy[:, :2].astype(float), boxes.xyxy[:, 2:].astype(float) - boxes.xyxy[:, :2])).tolist(),
            strict=True,
        )
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        oracle = COCOeval(truth, truth.loadRes(results), "bbox")
        oracle.evaluate()
        oracle.accumulate()
        oracle.summarize()
    ours = [scores.map50_95, scores.map50, scores.map_at(0.75)]
    ours += [scores.size_map(name) for name in ("small", "medium", "large")] + list(scores.average_recall().values())
    expected = np.where(oracle.stats[:9] < 0, np.nan, oracle.stats[:9])
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert 0.1 < scores.map50_95 < 0.95


def test_categories_with_gaps_are_classes_in_their_order(drawn: Path) -> None:
    images = read_coco(drawn / "annotations" / "instances_train2017.json")
    assert images.class_names == ("disc", "square", "bar")
    assert images.category_ids == (3, 17, 90)
    assert all(path.is_file() for path in images.paths)
    assert find_instances(drawn, "train") == drawn / "annotations" / "instances_train2017.json"


def test_letterbox_and_back_is_the_identity() -> None:
    picture = SensorSize(100, 300)
    box = Letterbox.of(picture, FRAME)
    corners = np.array([[0, 0, 300, 100], [12, 30, 90, 77]], np.float32)
    placed = box.into_frame(corners)
    assert placed[0].tolist() == pytest.approx([0, box.top, 128, box.top + 42.67], abs=0.5)
    np.testing.assert_allclose(box.out_of_frame(placed, picture), corners, atol=1e-3)


@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_boxes_lie_on_what_they_label_after_augmentation(drawn: Path, mosaic: float) -> None:
    images = read_coco(drawn / "annotations" / "instances_train2017.json")
    augmentation = ImageAugmentation(flip=0.5, mosaic=mosaic, hsv=(0.0, 0.0, 0.0))
    seen = 0
    for seed in range(20):
        made = make_image(images, seed % len(images), FRAME, augmentation, np.random.default_rng(seed))
        assert made.pixels.shape == (3, *FRAME)
        for (x0, y0, x1, y1), class_id in zip(made.labels.xyxy, made.labels.class_id, strict=True):
            part = made.pixels[:, int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))]
            # Red discs, green squares, blue bars, of which later ones may cover earlier ones.
            seen += int(part.reshape(3, -1).max(1)[[0, 1, 2][class_id]] > 200)
            assert (x0 >= 0) & (y0 >= 0) & (x1 <= FRAME.width) & (y1 <= FRAME.height)
    assert seen > 25


def test_colours_change_and_shapes_do_not(drawn: Path) -> None:
    images = read_coco(drawn / "annotations" / "instances_train2017.json")
    plain = load_image(images, 0, FRAME)
    changed = make_image(images, 0, FRAME, ImageAugmentation(flip=0.0, mosaic=0.0), np.random.default_rng(1))
    assert (changed.pixels != plain.pixels).any()
    np.testing.assert_array_equal(changed.labels.xyxy, plain.labels.xyxy)


def test_pictures_train_and_evaluate_by_the_command_line(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--format", "coco", "--model", "ems-nano", "--size", "96x96", "--num-steps", "1", "--batch", "6"]
    learning = ["--steps", "60", "--lr", "5e-3", "--validate-every", "60", "--anchors", "coco", "-q"]
    plain = (
        "data.mosaic=0.0",
        "augmentation.flip=0.0",
        "training.warmup_steps=5",
        "training.ema_decay=0.9",
    )
    settings = [word for value in plain for word in ("--set", value)]
    assert run(["train", str(drawn), "-o", str(tmp_path / "run"), *options, *learning, *settings]) == 0
    report = tmp_path / "scores.json"
    weights = str(tmp_path / "run" / "best.safetensors")
    assert run(["evaluate", str(drawn), "--format", "coco", "--weights", weights, "--json", str(report), "-q"]) == 0
    assert "AP50" in capsys.readouterr().out
    record = json.loads(report.read_text())
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    # Weights are kept in half precision, and evaluation suppresses at 0.45.
    assert record["AP50"] == pytest.approx(metrics[-1]["mAP50"], abs=0.15)
    assert set(record["classes"]) == {"disc", "square", "bar"}
    assert record["AP50"] > 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": [{"image_id": 1000, "category_id": 4, "bbox": [1, 1, 5, 5]}]}, "unknown category 4"),
        ({"annotations": [{"image_id": 9, "category_id": 3, "bbox": [1, 1, 5, 5]}]}, "unknown image 9"),
        ({"annotations": [{"image_id": 1000, "category_id": 3, "bbox": [1, 5]}]}, "bbox of annotation 0"),
        ({"categories": []}, "no categories"),
        ({"images": [{"id": 1, "file_name": "a.png", "height": -1, "width": 5}]}, "not a COCO instances file"),
        ({"images": 3}, "not a COCO instances file"),
    ],
)
def test_broken_instances_are_one_line(drawn: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = json.loads((drawn / "annotations" / "instances_train2017.json").read_text())
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content | change))
    with pytest.raises(InputError, match=message):
        read_coco(path)


def test_missing_and_wrong_pictures_are_named(drawn: Path, tmp_path: Path) -> None:
    content = json.loads((drawn / "annotations" / "instances_train2017.json").read_text())
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"0000\.png: no such picture"):
        load_image(read_coco(path), 0, FRAME)
    (tmp_path / "0000.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"0000\.png: not a picture"):
        load_image(read_coco(path), 0, FRAME)
    cv2.imwrite(str(tmp_path / "0000.png"), np.zeros((5, 5, 3), np.uint8))
    with pytest.raises(InputError, match="the picture is 5x5"):
        load_image(read_coco(path), 0, FRAME)


def test_folder_without_instances_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no COCO instances file"):
        find_instances(tmp_path)
