"""Weights on disk."""

import json
from pathlib import Path

import pytest
import torch

from eventdet.errors import InputError
from eventdet.models import Detector, build_detector, bundled_names, load_detector, save_detector


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Detector, Path]:
    torch.manual_seed(0)
    detector = build_detector("ems-res10", classes=3, class_names=("a", "b", "c"))
    return detector, save_detector(detector, tmp_path_factory.mktemp("weights") / "tiny", {"synthetic": True})


def test_loaded_detector_is_the_saved_one_in_half_precision(saved: tuple[Detector, Path]) -> None:
    detector, path = saved
    loaded = load_detector(path)
    assert loaded.config == detector.config
    assert not loaded.training
    for name, value in detector.state_dict().items():
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(loaded.state_dict()[name], expected), name


def test_saving_what_was_loaded_gives_the_same_bytes(saved: tuple[Detector, Path], tmp_path: Path) -> None:
    _, path = saved
    loaded = load_detector(path)
    again = save_detector(loaded, tmp_path / "again")
    assert again.read_bytes() == path.read_bytes()
    assert load_detector(again).weights_hash == loaded.weights_hash


def test_description_keeps_the_metadata(saved: tuple[Detector, Path]) -> None:
    described = json.loads(saved[1].with_suffix(".json").read_text())
    assert described["metadata"] == {"synthetic": True}
    assert described["config"]["class_names"] == ["a", "b", "c"]


def test_unknown_name_is_refused_with_the_bundled_ones() -> None:
    with pytest.raises(InputError, match="bundled: ") as caught:
        load_detector("no-such-weights")
    for name in bundled_names():
        assert name in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "changed", "no description", "description not JSON", "other format"])
def test_broken_weights_are_refused(saved: tuple[Detector, Path], tmp_path: Path, damage: str) -> None:
    content = bytearray(saved[1].read_bytes())
    description = saved[1].with_suffix(".json").read_text()
    if damage == "truncated":
        del content[-100:]
    elif damage == "changed":
        content[-1] ^= 1
    elif damage == "description not JSON":
        description = "{"
    elif damage == "other format":
        description = description.replace('"format": 1', '"format": 99')
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    if damage != "no description":
        path.with_suffix(".json").write_text(description)
    with pytest.raises(InputError, match="broken"):
        load_detector(path)


def test_weights_of_another_network_than_described_are_refused(saved: tuple[Detector, Path], tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(saved[1].read_bytes())
    description = saved[1].with_suffix(".json").read_text().replace("ems-res10", "ems-res18")
    path.with_suffix(".json").write_text(description)
    with pytest.raises(InputError, match="do not fit their description"):
        load_detector(path)
