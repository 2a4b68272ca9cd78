"""Comparisons: what is varied and nothing else, done runs that stay done, and a table of what was measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from eventdet.cli.main import run
from eventdet.errors import OptionError
from eventdet.models.analysis import ablation
from eventdet.models.analysis.ablation import ABLATIONS, variants
from eventdet.models.training import FitResult, Recipe, fit
from eventdet.models.zoo import load_detector

from .test_coco import draw

SMALL = [
    "--network", "ems-nano", "--width", "0.5", "--steps", "2", "--num-steps", "2", "--size", "160x128",
    "--samples", "2", "--set", "data.batch=2", "--set", "validation.protocol=yolo", "--set", "validation.clips=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic recordings with labels, to learn from and to score with."""
    folder = tmp_path_factory.mktemp("ablation") / "drives"
    command = ["simulate", str(folder), "--recordings", "2", "--seconds", "3", "--split", "0.5,0.5,0", "--seed", "7"]
    assert run([*command, "-q"]) == 0
    return folder


def recipes(name: str, network: str = "") -> dict[str, dict[str, Any]]:
    base = Recipe({"width": 0.5})
    return {each.name: base.changed(each.changes).fixed() for each in variants(name, network)}


@pytest.mark.parametrize(
    ("name", "varied", "values"),
    [
        ("blocks", "model.name", ["sew-res18", "ms-res18", "ems-res18"]),
        ("depth", "model.name", ["ems-res10", "ems-res18", "ems-res34"]),
        ("heads", "model.heads", [2, 4]),
        ("detection-layer", "model.detection", ["non-spiking", "spiking"]),
        ("steps", "data.num_steps", [1, 3, 5, 7]),
    ],
)
def test_variants_differ_in_what_is_compared_alone(name: str, varied: str, values: list[Any]) -> None:
    found = list(recipes(name).values())
    assert [each[varied] for each in found] == values
    assert len({json.dumps({k: v for k, v in each.items() if k != varied}) for each in found}) == 1
    assert set(ABLATIONS) == {"blocks", "depth", "heads", "detection-layer", "steps"}


def test_a_base_gives_its_size_or_its_family() -> None:
    assert list(recipes("blocks", "ems-nano")) == ["sew-nano", "ms-nano", "ems-nano"]
    assert list(recipes("depth", "ms-nano")) == ["ms-res10", "ms-res18", "ms-res34"]
    with pytest.raises(OptionError, match="must have variants such as ems-res18 has, got 'wide-res34-cat'"):
        variants("blocks", "wide-res34-cat")


def test_ablation_trains_measures_and_does_nothing_twice(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["ablation", "detection-layer", str(drives), "-o", str(tmp_path / "out"), *SMALL]
    assert run(command) == 0
    printed = capsys.readouterr().out
    record = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [row["variant"] for row in record["rows"]] == ["non-spiking", "spiking"]
    assert record["rows"][0]["parameters"] == record["rows"][1]["parameters"]
    for row in record["rows"]:
        assert (row["train_steps"], row["num_steps"], row["network"]) == (2, 2, "ems-nano")
        assert f"{row['energy_mj']:.3g}" in printed
        assert row["energy_mj"] > 0
        assert 0 <= row["firing_rate"] <= 1
    assert "synthetic data, 2 steps of the optimiser each, seed 0" in printed
    assert (tmp_path / "out" / "ablation.png").read_bytes().startswith(b"\x89PNG")

    # The same again only reads, whatever was changed meanwhile in how it is told.
    def trained_again(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(ablation, "fit", trained_again)
    assert run([*command, "--no-figure"]) == 0
    assert capsys.readouterr().out == printed
    with pytest.raises(AssertionError):
        run([*command, "--seed", "1"])


def test_ablation_of_pictures_trains_and_measures_on_them(tmp_path: Path) -> None:
    for split, seed in (("train2017", 0), ("val2017", 1)):
        draw(tmp_path / "coco", split, 3, seed=seed)
    command = ["ablation", "blocks", str(tmp_path / "coco"), "--format", "coco", "-o", str(tmp_path / "out"), *SMALL]
    assert run([*command, "--anchors", "coco", "--no-figure", "-q"]) == 0
    record = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [row["variant"] for row in record["rows"]] == ["sew-nano", "ms-nano", "ems-nano"]
    assert record["recipe"]["data"]["format"] == "coco"
    for row in record["rows"]:
        assert (row["train_steps"], row["num_steps"]) == (2, 2)
        assert 0 <= row["map50"] <= 1
        assert row["energy_mj"] > 0
    weights = load_detector(tmp_path / "out" / "ems-nano" / "best.safetensors")
    assert weights.config.class_names == ("disc", "square", "bar")
    assert weights.config.channels == 3


def test_ablation_of_pictures_without_any_held_out_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "coco", "train2017", 2, seed=0)
    command = ["ablation", "heads", str(tmp_path / "coco"), "--format", "coco", "-o", str(tmp_path / "out")]
    assert run(command) == 3
    assert "needs validation data" in capsys.readouterr().err


def test_values_of_a_file_count_where_no_option_is_given(drives: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('anchors = "gen1"\n[training]\nsteps = 1\nseed = 5\n[data]\nnum_steps = 1\nbatch = 1\n')
    options = ["--config", str(recipe), "--network", "ems-nano", "--width", "0.5", "--size", "160x128"]
    scored = ["--samples", "1", "--set", "validation.protocol=yolo", "--set", "validation.clips=1", "--no-figure", "-q"]
    command = ["ablation", "detection-layer", str(drives), "-o", str(tmp_path / "out"), *options, *scored]
    assert run([*command, "--seed", "6"]) == 0
    found = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert found["recipe"]["anchors"] == "gen1"
    assert found["recipe"]["training"]["seed"] == 6
    assert [(row["train_steps"], row["num_steps"]) for row in found["rows"]] == [(1, 1), (1, 1)]


def test_a_run_without_a_score_is_named(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unscored(*arguments: Any, **options: Any) -> FitResult:
        return fit(*arguments, **options)._replace(best=None)

    monkeypatch.setattr(ablation, "fit", unscored)
    command = ["ablation", "heads", str(drives), "-o", str(tmp_path / "out"), *SMALL, "-q"]
    assert run(command) == 3
    assert "a run without a score" in capsys.readouterr().err


def test_an_ablation_out_of_time_tells_what_is_done_and_how_to_go_on(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["ablation", "heads", str(drives), "-o", str(tmp_path / "out"), *SMALL, "--time-budget", "1ms"]
    assert run(command) == 5
    told = capsys.readouterr()
    assert "stopped by time budget with 0 runs done: the same command goes on" in told.err
    assert not (tmp_path / "out" / "ablation.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["width"], 2, "ablation must be one of blocks, depth, detection-layer, heads, steps"),
        (["blocks", "--network", "ems-res11"], 2, "network must be one of"),
        (["blocks", "--set", "training.pace=2"], 2, "key of [training] must be one of"),
        (["blocks", "--size", "33x33"], 2, "multiples of 32"),
    ],
    ids=["ablation", "network", "set", "size"],
)
def test_ablation_says_what_is_wrong(
    arguments: list[str], code: int, message: str, drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = arguments
    assert run(["ablation", name, str(drives), "-o", str(tmp_path / "out"), *options]) == code
    assert message in capsys.readouterr().err


def test_an_ablation_without_validation_data_is_refused(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ablation", "heads", str(drives / "train"), "-o", str(tmp_path / "out")]) == 3
    assert "needs validation data" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
