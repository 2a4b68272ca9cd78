"""The weights that come with eventdet do what the docs say, on synthetic recordings that no training saw."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from eventdet.boxes import Boxes
from eventdet.evaluation import average_precision
from eventdet.models import bundled_names, load_detector
from eventdet.simulation import SimulationConfig
from eventdet.sources import SyntheticSource
from eventdet.streaming import Streamer, StreamOptions

ROOT = Path(__file__).resolve().parents[2]
NAME = "ems-res10-plain"


def test_bundled_weights_are_listed_and_small_enough() -> None:
    assert bundled_names() == [NAME]
    for path in (ROOT / "models" / "weights").glob("*.safetensors"):
        assert path.stat().st_size < 16 << 20


def test_bundled_description_tells_the_data_and_the_digest() -> None:
    described = json.loads((ROOT / "models" / "weights" / f"{NAME}.json").read_text())
    assert "synthetic" in described["metadata"]["data"]
    assert load_detector(NAME).weights_hash == described["sha256"]


def test_bundled_weights_find_most_cars_of_an_unseen_street() -> None:
    source = SyntheticSource(SimulationConfig(900_003, 3_000_000))
    found, true = [], []
    for result in Streamer.from_model(NAME, source, StreamOptions(conf=0.01), dtype="float32"):
        labels: Boxes = source.labels.at(result.t_us)
        if len(labels):
            found.append(result.boxes)
            true.append(labels)
    score = average_precision(found, true, num_classes=2)
    assert score.num_labels[0] >= 10
    # An untrained network scores 0; the margin below the 0.8 over many streets is for one street's chance.
    assert score.per_class[0, 0] > 0.5


@pytest.mark.slow
def test_bundled_weights_score_what_the_docs_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "train_zoo.py"), "--evaluate"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    printed = json.loads(done.stdout)
    page = (ROOT / "docs" / "detector.md").read_text()
    written = {
        name: float(value) for name, value in re.findall(r"^\| \**([\w:]+)\** \|.*\| \**(0\.\d+)\** \|$", page, re.M)
    }
    # bfloat16 and float32, and one CPU and another, round differently.
    assert written["mAP50"] == pytest.approx(printed["mAP50"], abs=0.01)
    assert written["mAP50:95"] == pytest.approx(printed["mAP50_95"], abs=0.01)
    for name in ("car", "pedestrian"):
        assert written[name] == pytest.approx(printed["AP50"][name], abs=0.02)
