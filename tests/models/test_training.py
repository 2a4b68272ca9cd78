"""Training learns, repeats itself, and goes on where it stopped."""

import csv
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_file

from eventdet.errors import EventdetError, InputError, OptionError
from eventdet.models import Detector, build_detector
from eventdet.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from eventdet.models.loss_terms import Targets
from eventdet.models.training import Batch, Hooks, Score, StepReport, TrainConfig, train
from eventdet.models.training.metrics import MetricsLog

NAME = "ems-nano"
SIDE = 64
STEPS = 2


def moving_square(step: int) -> Batch:
    """One picture with a textured square that moves; the batch number sets where it begins."""
    generator = torch.Generator().manual_seed(step)
    counts = torch.zeros(STEPS, 1, 2, SIDE, SIDE, dtype=torch.uint8)
    rows = []
    for t in range(STEPS):
        left, top = 8 + 4 * (step % 3) + 3 * t, 16
        counts[t, 0, :, top : top + 24, left : left + 28] = torch.randint(0, 6, (2, 24, 28), generator=generator).byte()
        rows.append([t, 0, 1, left, top, left + 28, top + 24])
    return Batch(counts, Targets(np.array(rows, np.float32), np.ones((STEPS, 1), np.bool_)))


def fresh() -> Detector:
    torch.manual_seed(0)
    return build_detector(NAME)


def losses(config: TrainConfig, detector: Detector | None = None, folder: Path | None = None) -> list[float]:
    seen: list[float] = []
    hooks = Hooks(watch=lambda report: seen.append(float(report.terms.total)))
    train(moving_square, detector or fresh(), config, folder=folder, hooks=hooks)
    return seen


@pytest.mark.parametrize(
    ("head", "optimizer", "readout"),
    [("anchors", "adamw", "steps"), ("anchors", "sgd", "mean"), ("simota", "adamw", "steps")],
)
def test_loss_on_one_fixed_batch_falls(head: str, optimizer: str, readout: str) -> None:
    seen: list[float] = []
    # The loss of one picture is 1/64 of that of the reference's batch, for which its 1e-2 was chosen.
    rate = 5e-3 if optimizer == "adamw" else 5e-2
    config = TrainConfig(steps=30, warmup_steps=3, optimizer=optimizer, learning_rate=rate, readout=readout)
    hooks = Hooks(watch=lambda report: seen.append(float(report.terms.total)))
    torch.manual_seed(0)
    train(lambda _: moving_square(0), build_detector(NAME, head=head), config, hooks=hooks)
    assert np.mean(seen[-3:]) < 0.9 * np.mean(seen[:3])


def test_training_with_one_seed_repeats_itself() -> None:
    config = TrainConfig(steps=3)
    assert losses(config) == losses(config)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_resumed_run_goes_on_as_the_unbroken_one(tmp_path: Path, optimizer: str) -> None:
    config = TrainConfig(steps=6, checkpoint_every=2, accumulate=2, optimizer=optimizer)
    unbroken = losses(config)
    first: list[float] = []

    def broken_in_step_four(number: int) -> Batch:
        if number == 9:
            raise KeyboardInterrupt
        return moving_square(number)

    hooks = Hooks(watch=lambda report: first.append(float(report.terms.total)))
    with pytest.raises(KeyboardInterrupt):
        train(broken_in_step_four, fresh(), config, folder=tmp_path, hooks=hooks)
    # Resumed into other weights than it began with: they must come from the file.
    torch.manual_seed(99)
    assert first + losses(config, build_detector(NAME), tmp_path) == unbroken


def test_membranes_are_kept_where_a_recording_goes_on_and_saved_with_the_run(tmp_path: Path) -> None:
    def stream(number: int) -> Batch:
        batch = moving_square(number)
        return batch._replace(is_first=torch.tensor([number == 0]))

    config = TrainConfig(steps=4, checkpoint_every=2, readout="steps")
    unbroken: list[float] = []
    hooks = Hooks(watch=lambda report: unbroken.append(float(report.terms.total)))
    train(stream, fresh(), config, hooks=hooks)
    resumed: list[float] = []
    hooks = Hooks(watch=lambda report: resumed.append(float(report.terms.total)), should_stop=lambda: len(resumed) == 2)
    assert train(stream, fresh(), config, folder=tmp_path, hooks=hooks).ended_by == "request"
    hooks = Hooks(watch=lambda report: resumed.append(float(report.terms.total)))
    train(stream, fresh(), config, folder=tmp_path, hooks=hooks)
    assert resumed == unbroken
    forgetful = losses(config)
    assert unbroken[0] == forgetful[0]
    assert unbroken[1] != forgetful[1]


def test_accumulated_batches_are_summed_into_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # Batch normalisation sees half as much at once, and nothing else differs: frozen, the two are the same.
    def frozen() -> Detector:
        detector = fresh()
        for module in detector.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
                monkeypatch.setattr(module, "train", _frozen)
        return detector

    def both(_: int) -> Batch:
        one, other = moving_square(0), moving_square(1)
        moved = other.targets.rows.copy()
        moved[:, 1] = 1
        rows = np.concatenate((one.targets.rows, moved))
        return Batch(torch.cat((one.counts, other.counts), 1), Targets(rows, np.ones((STEPS, 2), np.bool_)))

    config = TrainConfig(steps=1, precision="float32", optimizer="sgd", clip_norm=1e9)
    together, apart = frozen(), frozen()
    train(both, together, config)
    train(moving_square, apart, TrainConfig(**{**_values(config), "accumulate": 2}))
    for (name, one), (_, other) in zip(together.named_parameters(), apart.named_parameters(), strict=True):
        # Box and class losses are means over the matches of a batch: as many in either picture.
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=name)


def test_run_out_of_its_time_budget_is_saved_and_says_so(tmp_path: Path) -> None:
    result = train(moving_square, fresh(), TrainConfig(steps=5, time_budget_s=0.0), folder=tmp_path)
    assert (result.step, result.finished, result.ended_by) == (0, False, "time budget")
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_averaged_detector_is_not_the_raw_one() -> None:
    raw = fresh()
    result = train(moving_square, raw, TrainConfig(steps=3, ema_decay=0.9))
    assert result.finished
    assert not result.detector.training
    averaged, last = (next(d.parameters()).detach() for d in (result.detector, raw))
    assert not torch.equal(averaged, last)


def test_run_that_gets_no_better_ends_early_and_keeps_its_best(tmp_path: Path) -> None:
    scores = iter([Score(0.5, 0.2), Score(0.6, 0.3), Score(0.9, 0.1), Score(0.6, 0.3)])
    kept: list[tuple[int, Score]] = []
    hooks = Hooks(validate=lambda _: next(scores), keep_best=lambda _, step, score: kept.append((step, score)))
    result = train(moving_square, fresh(), TrainConfig(steps=9, validate_every=1, patience=2), hooks=hooks)
    assert (result.step, result.ended_by, result.best) == (4, "patience", Score(0.6, 0.3))
    assert kept == [(1, Score(0.5, 0.2)), (2, Score(0.6, 0.3))]


def test_patience_outlives_a_resume(tmp_path: Path) -> None:
    config = TrainConfig(steps=9, validate_every=1, patience=3, checkpoint_every=1)
    worse = iter([0.5, 0.4, 0.3, 0.2, 0.1])
    seen: list[StepReport] = []
    hooks = Hooks(lambda _: Score(1.0, next(worse)), seen.append, should_stop=lambda: len(seen) == 2)
    train(moving_square, fresh(), config, folder=tmp_path, hooks=hooks)
    result = train(moving_square, fresh(), config, folder=tmp_path, hooks=Hooks(lambda _: Score(1.0, next(worse))))
    assert (result.step, result.ended_by, result.best) == (4, "patience", Score(1.0, 0.5))


def test_loss_that_is_no_number_ends_the_run_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    detector = fresh()

    def poisoned(number: int) -> Batch:
        if number == 3:
            detector.detect.convs[0].get_parameter("bias").data[0] = np.nan
        return moving_square(number)

    config = TrainConfig(steps=5, checkpoint_every=2)
    with pytest.raises(EventdetError, match="is no longer a number in step 4") as caught:
        train(poisoned, detector, config, folder=tmp_path)
    assert "learning rate" in caught.value.hint
    assert train(moving_square, fresh(), config, folder=tmp_path).step == 5


def test_metrics_are_json_lines_and_a_table_with_every_term(tmp_path: Path) -> None:
    config = TrainConfig(steps=4, log_every=2, validate_every=4)
    train(moving_square, fresh(), config, folder=tmp_path, hooks=Hooks(lambda _: Score(0.25, 0.125)))
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 4, 4]
    assert set(records[0]) == {"step", "total", "box", "objectness", "classes", "rate", "elapsed_s"}
    assert records[2] == {"step": 4, "mAP50": 0.25, "mAP50_95": 0.125}
    with (tmp_path / "metrics.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["step"] for row in rows] == ["2", "4", "4"]
    assert float(rows[0]["total"]) == records[0]["total"]
    assert (rows[2]["mAP50"], rows[2]["total"]) == ("0.25", "")


def test_metrics_of_steps_that_come_again_are_removed(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    for step in range(1, 6):
        log.write({"step": step, "total": float(step)})
    with (tmp_path / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 6, "to')
    MetricsLog(tmp_path, after_step=3).write({"step": 4, "total": 40.0})
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(record["step"], record["total"]) for record in records] == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0)]
    with (tmp_path / "metrics.csv").open(newline="") as table:
        assert [row["total"] for row in csv.DictReader(table)] == ["1.0", "2.0", "3.0", "40.0"]


def test_metrics_for_tensorboard_are_read_back(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(moving_square, fresh(), TrainConfig(steps=2, log_every=1, tensorboard=True), folder=tmp_path)
    board = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    scalars = [(each.step, each.value) for each in board.Scalars("total")]
    assert scalars == [(each["step"], pytest.approx(each["total"], rel=1e-6)) for each in records]


def test_checkpoint_of_another_detector_is_refused(tmp_path: Path) -> None:
    config = TrainConfig(steps=1)
    losses(config, folder=tmp_path)
    with pytest.raises(InputError, match="another detector: its head is anchors, not simota"):
        losses(config, build_detector(NAME, head="simota"), tmp_path)


def test_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    config = TrainConfig(steps=1)
    train(moving_square, fresh(), config, folder=tmp_path, hooks=Hooks(about={"data.batch": 4}))
    with pytest.raises(InputError, match=r"another recipe: its data\.batch is 4, not 8"):
        train(moving_square, fresh(), config, folder=tmp_path, hooks=Hooks(about={"data.batch": 8}))


@pytest.mark.parametrize("damage", ["no checkpoint", "empty", "truncated", "changed", "other file"])
def test_broken_checkpoint_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    config, path = TrainConfig(steps=1), tmp_path / "checkpoint.safetensors"
    losses(config, folder=tmp_path)
    content = bytearray(path.read_bytes())
    if damage == "no checkpoint":
        content = bytearray(b"not a checkpoint")
    elif damage == "empty":
        content.clear()
    elif damage == "truncated":
        del content[-100:]
    elif damage == "changed":
        content[-50] ^= 1
    else:
        content = bytearray(save_file({"weights": torch.zeros(2)}))
    path.write_bytes(content)
    with pytest.raises(InputError, match="checkpoint") as caught:
        losses(config, folder=tmp_path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint == "remove it to start anew"


def test_checkpoint_without_a_part_is_refused(tmp_path: Path) -> None:
    config, path = TrainConfig(steps=1), tmp_path / "checkpoint.safetensors"
    losses(config, folder=tmp_path)
    whole = load_checkpoint(path)
    for group in ("detector", "average"):
        members = {name: value for name, value in whole.tensors[group].items() if not name.startswith("detect")}
        save_checkpoint(path, Checkpoint({**whole.tensors, group: members}, whole.about))
        with pytest.raises(InputError, match="lacks a part"):
            losses(config, folder=tmp_path)
    save_checkpoint(path, Checkpoint(whole.tensors, {**whole.about, "progress": {"step": "many"}}))
    with pytest.raises(InputError, match="does not say how far"):
        losses(config, folder=tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"optimizer": "lion"}, {"readout": "last"}, {"steps": 0}, {"learning_rate": float("nan")}, {"ema_decay": 2.0}],
    ids=str,
)
def test_train_config_with_a_wrong_value_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        TrainConfig(**options)  # type: ignore[arg-type] # wrong on purpose


def _values(config: TrainConfig) -> dict[str, Any]:
    return {each.name: getattr(config, each.name) for each in fields(config)}


def _frozen(mode: bool = True) -> None:
    """In the place of a layer's `train`: it stays as it is."""
