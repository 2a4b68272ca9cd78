"""The COCO document, read by pycocotools."""

import json
from pathlib import Path

import numpy as np
import pytest

from eventdet import Boxes
from eventdet.sinks import StreamHeader, WindowResult, open_sink


def _write(target: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    with open_sink(str(target), header=header) as sink:
        for result in results:
            sink.write(result)


def test_pycocotools_loads_every_window_and_box(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult], capsys: pytest.CaptureFixture[str]
) -> None:
    coco_module = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    target = tmp_path / "a.json"
    _write(target, header, results)
    coco = coco_module.COCO(str(target))
    boxes = Boxes.concatenate(result.boxes for result in results)
    annotations = coco.loadAnns(coco.getAnnIds())
    np.testing.assert_allclose([one["bbox"] for one in annotations], boxes.xywh, atol=0.006)
    np.testing.assert_allclose([one["score"] for one in annotations], boxes.score, atol=1e-4)
    assert [one["category_id"] for one in annotations] == [1, 2] * 4
    images = coco.loadImgs(coco.getImgIds())
    assert [(one["file_name"], one["t_us"]) for one in images] == [
        (f"{seq:06d}.png", 50_000 * (seq + 1)) for seq in range(5)
    ]
    assert {(one["height"], one["width"]) for one in images} == {(240, 304)}
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == ["car", "pedestrian"]
    assert coco.getAnnIds(imgIds=[3]) == []
    # What was detected can be scored against it: the annotations are results too.
    assert len(coco.loadRes(json.loads(target.read_text())["annotations"]).getAnnIds()) == 8
    capsys.readouterr()


def test_no_window_at_all_is_a_document(tmp_path: Path, header: StreamHeader) -> None:
    _write(tmp_path / "a.json", header, [])
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["images"] == document["annotations"] == []
    assert document["info"]["synthetic"] is True
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_discarded_document_leaves_the_earlier_one(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "a.json"
    target.write_text("before")
    sink = open_sink(str(target), header=header)
    sink.write(results[0])
    sink.discard()
    sink.close()
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
