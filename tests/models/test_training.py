"""Training learns, repeats itself, and goes on where it stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from eventdet.errors import InputError, OptionError
from eventdet.models import Batch, Detector, TrainConfig, build_detector, train

SIDE = 64
STEPS = 2


def moving_square(step: int) -> Batch:
    """One picture with a textured square that moves; the batch number sets where it begins."""
    generator = torch.Generator().manual_seed(step)
    counts = torch.zeros(STEPS, 1, 2, SIDE, SIDE, dtype=torch.uint8)
    targets = []
    for t in range(STEPS):
        left, top = 8 + 4 * (step % 3) + 3 * t, 16
        counts[t, 0, :, top : top + 24, left : left + 28] = torch.randint(0, 6, (2, 24, 28), generator=generator).byte()
        targets.append(np.array([[0, 1, left, top, left + 28, top + 24]], np.float32))
    return Batch(counts, targets)


def fresh() -> Detector:
    torch.manual_seed(0)
    return build_detector()


def losses(config: TrainConfig, detector: Detector | None = None) -> list[float]:
    seen: list[float] = []
    train(moving_square, detector or fresh(), config, on_step=lambda _, terms: seen.append(float(terms.total)))
    return seen


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_loss_on_one_fixed_batch_falls(optimizer: str) -> None:
    seen: list[float] = []
    # The loss of one picture is 1/64 of that of the reference's batch, for which its 1e-2 was chosen.
    rate = 2e-3 if optimizer == "adamw" else 5e-2
    config = TrainConfig(steps=20, warmup_steps=3, optimizer=optimizer, learning_rate=rate)
    train(lambda _: moving_square(0), fresh(), config, on_step=lambda _, terms: seen.append(float(terms.total)))
    assert np.mean(seen[-3:]) < 0.9 * np.mean(seen[:3])


def test_training_with_one_seed_repeats_itself() -> None:
    config = TrainConfig(steps=3)
    assert losses(config) == losses(config)


def test_resumed_run_goes_on_as_the_unbroken_one(tmp_path: Path) -> None:
    unbroken = losses(TrainConfig(steps=6))
    checkpoint = tmp_path / "run.safetensors"
    first: list[float] = []

    def stop_after_three(step: int) -> Batch:
        if step == 3:
            raise KeyboardInterrupt
        return moving_square(step)

    config = TrainConfig(steps=6, checkpoint=checkpoint, checkpoint_every=3)
    with pytest.raises(KeyboardInterrupt):
        train(stop_after_three, fresh(), config, on_step=lambda _, terms: first.append(float(terms.total)))
    # Resumed into other weights than it began with: they must come from the file.
    torch.manual_seed(99)
    assert first + losses(config, build_detector()) == unbroken


def test_run_out_of_its_time_budget_is_saved_and_says_so(tmp_path: Path) -> None:
    checkpoint = tmp_path / "run.safetensors"
    result = train(moving_square, fresh(), TrainConfig(steps=5, time_budget_s=0.0, checkpoint=checkpoint))
    assert (result.step, result.finished) == (0, False)
    assert checkpoint.exists()


def test_averaged_detector_is_not_the_raw_one() -> None:
    raw = fresh()
    result = train(moving_square, raw, TrainConfig(steps=3, ema_decay=0.9))
    assert result.finished
    assert not result.detector.training
    averaged, last = (next(d.parameters()).detach() for d in (result.detector, raw))
    assert not torch.equal(averaged, last)


def test_metrics_are_json_lines_with_every_term(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics" / "run.jsonl"
    losses(TrainConfig(steps=4, log_every=2, metrics=metrics))
    records = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [record["step"] for record in records] == [2, 4]
    assert set(records[0]) == {"step", "total", "box", "objectness", "classes", "rate", "elapsed_s"}


def test_checkpoint_of_another_detector_is_refused(tmp_path: Path) -> None:
    config = TrainConfig(steps=1, checkpoint=tmp_path / "run.safetensors")
    losses(config)
    with pytest.raises(InputError, match="another detector"):
        losses(config, build_detector("ems-res18"))


def test_checkpoint_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="not a checkpoint"):
        losses(TrainConfig(steps=1, checkpoint=path))


@pytest.mark.parametrize("options", [{"optimizer": "lion"}, {"readout": "last"}, {"steps": 0}], ids=str)
def test_train_config_with_a_wrong_value_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        TrainConfig(**options)  # type: ignore[arg-type] # wrong on purpose
