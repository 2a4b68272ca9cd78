"""A training from a folder to weights: it learns, goes on after a kill, and its processes agree."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.errors import InputError, OptionError
from eventdet.formats import write_boxes
from eventdet.formats.prophesee_boxes import BOX_DTYPE
from eventdet.models import load_detector
from eventdet.models.anchors import anchor_fitness, best_possible_recall, fit_anchors
from eventdet.models.checkpoint import load_checkpoint
from eventdet.models.config import GEN1_ANCHORS
from eventdet.models.training import DataOptions, Recipe, TrainConfig, ValidationOptions, fit, read_recipe
from eventdet.models.training.recipe import format_toml
from eventdet.preprocessing import ConvertOptions, Representation, convert
from eventdet.preprocessing.dataset import Augmentation
from eventdet.simulation import SimulationConfig
from eventdet.simulation.recording_files import write_recording

MODEL = {"name": "ems-nano", "input_size": [64, 96], "anchors": GEN1_ANCHORS}
COMMAND = [sys.executable, "-m", "eventdet.cli", "train"]
OPTIONS = ["--model", "ems-nano", "--size", "96x64", "--anchors", "gen1", "--num-steps", "2", "--batch", "2", "-q"]


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two synthetic drives of 2.5 s with eight label times each."""
    folder = tmp_path_factory.mktemp("drives")
    for seed in (14, 15):
        write_recording(folder / f"drive{seed}_td.dat", SimulationConfig(seed, 2_500_000))
    return folder


def recipe_of(steps: int, **options: object) -> Recipe:
    training = TrainConfig(steps=steps, log_every=1, warmup_steps=2, **options)  # type: ignore[arg-type] # by name
    return Recipe(MODEL, data=DataOptions(batch=2, num_steps=2), training=training)


def metrics_of(folder: Path) -> list[tuple[int, float]]:
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(record["step"], record["total"]) for record in records if "total" in record]


def test_smoke_training_overfits_eight_clips(tmp_path: Path) -> None:
    write_recording(tmp_path / "data" / "drive_td.dat", SimulationConfig(14, 2_500_000))
    recipe = Recipe(
        {"name": "ems-nano", "input_size": [128, 160]},
        data=DataOptions(batch=8, num_steps=3, val=str(tmp_path / "data")),
        augmentation=Augmentation(),
        training=TrainConfig(
            steps=300, learning_rate=5e-3, warmup_steps=20, validate_every=20, ema_decay=0.98,
            objectness_gain=1.0, class_gain=0.1,
        ),
        validation=ValidationOptions("yolo"),
    )  # fmt: skip
    scores: list[float] = []
    result = fit(
        tmp_path / "data",
        recipe,
        tmp_path / "run",
        watch=lambda report: scores.append(0.0 if report.score is None else report.score.map50),
        should_stop=lambda: max(scores, default=0.0) > 0.9,
    )
    assert result.best is not None
    assert result.best.map50 > 0.9
    assert load_detector(result.weights).config.anchors == result.detector.config.anchors
    described = json.loads(result.weights.with_suffix(".json").read_text())["metadata"]
    assert described["synthetic"] is True
    assert described["recipe"]["training"]["ema_decay"] == 0.98


@pytest.mark.parametrize("when", [pytest.param(1, marks=pytest.mark.slow), 4], ids=["before a save", "between saves"])
def test_a_run_killed_at_any_step_goes_on_with_the_losses_of_the_unbroken_one(
    drives: Path, tmp_path: Path, when: int
) -> None:
    more = ["--steps", "7", "--set", "training.checkpoint_every=3", "--set", "training.log_every=1"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*COMMAND, str(drives), "-o", str(whole), *OPTIONS, *more], check=True, env=environment)
    again = [*COMMAND, str(drives), "-o", str(killed), *OPTIONS, *more]
    process = subprocess.Popen(again, env=environment)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        lines = killed / "metrics.jsonl"
        if lines.exists() and len(lines.read_text().splitlines()) >= when:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(again, check=True, env=environment)
    assert metrics_of(killed) == metrics_of(whole)
    assert (killed / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


@pytest.mark.slow
def test_processes_of_torchrun_agree_and_learn_from_data_of_their_own(drives: Path, tmp_path: Path) -> None:
    script = """
import hashlib, json, sys
from eventdet.models.training import fit, runs
from tests.models.test_fit import recipe_of

seen, detectors = [], []
plain, build = runs.ClipBatches.__call__, runs.Detector
def spy(self, number):
    seen.extend((ref.source, ref.t0_us) for ref in self._plan.batch(number))
    return plain(self, number)
def keep(config):
    detectors.append(build(config))
    return detectors[-1]
runs.ClipBatches.__call__, runs.Detector = spy, keep
fit(sys.argv[1], recipe_of(3), sys.argv[2])
digest = hashlib.sha256()
for weights in detectors[0].parameters():
    digest.update(weights.detach().numpy().tobytes())
print(json.dumps([seen, digest.hexdigest()]))
"""
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(29_500 + os.getpid() % 500), "WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(drives), str(tmp_path / "run")], stdout=subprocess.PIPE, text=True,
            env=os.environ | address | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=200)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    (first, weights), (second, same_weights) = (json.loads(output.splitlines()[-1]) for output in outputs)
    assert weights == same_weights
    assert not set(map(tuple, first)) & set(map(tuple, second))
    assert len(first) == len(second) == 6
    assert [step for step, _ in metrics_of(tmp_path / "run")] == [1, 2, 3]


@pytest.mark.slow
def test_workers_do_not_change_the_losses(drives: Path, tmp_path: Path) -> None:
    recipe = recipe_of(2)
    fit(drives, recipe, tmp_path / "plain")
    data = DataOptions(batch=2, num_steps=2, workers=1)
    fit(drives, Recipe(MODEL, data=data, training=recipe.training), tmp_path / "other")
    assert metrics_of(tmp_path / "other") == metrics_of(tmp_path / "plain")


def test_stored_tensors_are_learnt_from_when_their_bins_are_the_steps(drives: Path, tmp_path: Path) -> None:
    convert(drives, tmp_path / "store", ConvertOptions(Representation("histogram", bins=2), window_us=100_000))
    recipe = Recipe(
        {"name": "ems-nano", "anchors": GEN1_ANCHORS},
        data=DataOptions(read="tensors", batch=2, num_steps=2),
        training=TrainConfig(steps=1, log_every=1),
    )
    fit(tmp_path / "store", recipe, tmp_path / "run")
    assert len(metrics_of(tmp_path / "run")) == 1
    with pytest.raises(OptionError, match="stored windows of 2 bins of 50000 us do not make 3 steps"):
        fit(tmp_path / "store", replace(recipe, data=replace(recipe.data, num_steps=3)), tmp_path / "other")


def test_stream_order_keeps_state_and_is_resumed_exactly(drives: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        MODEL,
        data=DataOptions(batch=2, num_steps=2, order="stream"),
        training=TrainConfig(steps=6, log_every=1, readout="steps", checkpoint_every=2),
    )
    fit(drives, recipe, tmp_path / "whole")
    steps: list[int] = []
    halves = [lambda: len(steps) == 3, lambda: False]
    for should_stop in halves:
        fit(
            drives,
            recipe,
            tmp_path / "halves",
            watch=lambda report: steps.append(report.step),
            should_stop=should_stop,
        )
    assert metrics_of(tmp_path / "halves") == metrics_of(tmp_path / "whole")
    assert load_checkpoint(tmp_path / "whole" / "checkpoint.safetensors").tensors["membranes"]


def test_recipe_is_written_beside_the_weights_and_gives_the_same_run_again(drives: Path, tmp_path: Path) -> None:
    fit(drives, recipe_of(2), tmp_path / "one")
    written = read_recipe(tmp_path / "one" / "recipe.toml")
    fit(drives, written, tmp_path / "two")
    assert metrics_of(tmp_path / "two") == metrics_of(tmp_path / "one")
    assert (
        load_checkpoint(tmp_path / "one" / "checkpoint.safetensors").about["recipe"]["training.learning_rate"] == 2e-3
    )


def test_command_line_comes_before_the_file_and_the_file_before_defaults(drives: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "train.toml"
    recipe.write_text('anchors = "gen1"\n[training]\nsteps = 9\nwarmup_steps = 3\n[data]\nbatch = 2\nnum_steps = 1\n')
    options = ["--model", "ems-nano", "--size", "96x64", "--steps", "1", "--set", "training.ema_decay=0.5", "-q"]
    assert run(["train", str(drives), "-o", str(tmp_path / "run"), "--config", str(recipe), *options]) == 0
    resolved = read_recipe(tmp_path / "run" / "recipe.toml")
    assert (resolved.training.steps, resolved.training.warmup_steps, resolved.training.ema_decay) == (1, 3, 0.5)
    assert resolved.training.weight_decay == TrainConfig().weight_decay


def _write_labels(path: Path, class_id: int) -> None:
    write_boxes(path, Boxes.from_xywh([[10, 10, 60, 40]], t=600_000, class_id=class_id))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("rows", "no labels in 1 recordings"),
        ("bytes", "drive_bbox.npy"),
        ("class", "class ids of labels must be in 0..1, got 7"),
    ],
)
def test_labels_to_learn_nothing_from_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: str, message: str
) -> None:
    write_recording(tmp_path / "drive_td.dat", SimulationConfig(3, 800_000))
    path = tmp_path / "drive_bbox.npy"
    if labels == "rows":
        np.save(path, np.empty(0, BOX_DTYPE))
    elif labels == "bytes":
        path.write_bytes(b"")
    else:
        _write_labels(path, 7)
    assert run(["train", str(tmp_path), "-o", str(tmp_path / "run"), *OPTIONS, "--steps", "1"]) == 3
    printed = capsys.readouterr().err
    assert message in printed.splitlines()[0]
    assert "Traceback" not in printed


def test_an_empty_label_file_beside_a_full_one_does_not_matter(drives: Path, tmp_path: Path) -> None:
    for name in ("drive14_td.dat", "drive14_bbox.npy", "drive15_td.dat"):
        (tmp_path / name).write_bytes((drives / name).read_bytes())
    np.save(tmp_path / "drive15_bbox.npy", np.empty(0, BOX_DTYPE))
    assert fit(tmp_path, recipe_of(1), tmp_path / "run").step == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--steps", "1", "--epochs", "1"], 2, "exclude each other"),
        (["--model", "ems-res11"], 2, "ems-res11"),
        (["--set", "ema_decay=0.5"], 2, "--set must be like section.key=value"),
        (["--set", "training.emma=0.5"], 2, "key of [training] must be one of"),
        (["--set", "model.wings=2"], 2, "[model] has no 'wings'"),
        (["--set", "training.steps=many"], 2, "training.steps must be of type int"),
        (["--config", "none.toml"], 3, "none.toml: recipe cannot be read"),
        (["--device", "tpu9"], 2, "device must be"),
        (["--order", "stream"], 2, "order stream needs readout steps"),
        (["--format", "coco", "--workers", "2"], 2, "pictures are shuffled"),
        (["--val", "none"], 3, "none: no such file or folder"),
        (["--size", "100x64"], 2, "multiples of 32"),
    ],
)
def test_wrong_options_are_one_line(
    drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert run(["train", str(drives), "-o", str(tmp_path / "run"), *OPTIONS, *arguments]) == code
    assert message in capsys.readouterr().err.splitlines()[0]


def test_recipe_survives_toml_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    recipe = Recipe(
        {"name": "ems-nano", "input_size": [64, 96]}, anchors="coco", augmentation=Augmentation(zoom_range=(0.5, 2.0))
    )
    path = tmp_path / "recipe.toml"
    path.write_text(format_toml(recipe.to_dict()))
    assert read_recipe(path) == recipe
    path.write_text("training = 3\n")
    with pytest.raises(OptionError, match="must be a section"):
        read_recipe(path)
    path.write_text("[training\n")
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(path)


def test_fitted_anchors_fit_better_than_the_papers_and_do_not_depend_on_chance() -> None:
    rng = np.random.default_rng(0)
    sides = np.exp(rng.normal((3.0, 2.5), 0.5, (400, 2)))
    anchors = fit_anchors(sides, scales=2)
    flat = np.array(anchors).reshape(-1, 2)
    assert anchor_fitness(flat, sides) > anchor_fitness(np.array(GEN1_ANCHORS).reshape(-1, 2), sides)
    assert best_possible_recall(anchors, sides) > 0.99
    assert np.all(np.diff(flat.prod(1)) >= 0)
    assert fit_anchors(sides, scales=2) == anchors


def test_anchor_fitness_is_the_worse_side_of_the_best_anchor() -> None:
    # Half as wide: 0.5. Five times as wide: no anchor learns it.
    assert anchor_fitness(np.array([[10.0, 10.0], [100.0, 100.0]]), np.array([[5.0, 10.0], [500.0, 100.0]])) == 0.25


@pytest.mark.parametrize("sides", [np.full((9, 2), 5.0), np.array([[1.0, 0.0]] * 9), np.full((9, 2), np.nan)])
def test_boxes_that_no_anchors_follow_from_are_refused(
    sides: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
) -> None:
    with pytest.raises(OptionError):
        fit_anchors(sides, scales=2)


def test_ctrl_c_saves_and_is_exit_code_130(drives: Path, tmp_path: Path) -> None:
    process = subprocess.Popen([*COMMAND, str(drives), "-o", str(tmp_path), *OPTIONS, "--set", "training.log_every=1"])
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and not (tmp_path / "metrics.jsonl").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert load_checkpoint(tmp_path / "checkpoint.safetensors").about["progress"]["step"] >= 0
    assert torch.isfinite(next(load_detector(tmp_path / "last.safetensors").parameters())).all()
