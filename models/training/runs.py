"""From a folder of labelled recordings to a weights file: one call for the command line and for scripts."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from eventdet.errors import InputError, OptionError, OutputError
from eventdet.models.anchors import ANCHORS_PER_SCALE, fit_anchors
from eventdet.models.config import COCO_ANCHORS, GEN1_ANCHORS, DetectorConfig
from eventdet.models.detector import Detector
from eventdet.models.zoo import save_detector

from .data import ClipBatches, box_sides, find_split, is_synthetic, open_clips, open_held_out
from .loop import train
from .pictures import PictureBatches, check_classes, open_pictures, picture_scorer, picture_sides
from .processes import Processes, joined
from .recipe import Recipe, format_toml
from .validation import clip_scorer
from .values import BatchSource, Hooks, Score, StepReport

__all__ = ["FitResult", "fit"]

_PAPER_ANCHORS = {"gen1": GEN1_ANCHORS, "coco": COCO_ANCHORS}


class FitResult(NamedTuple):
    """What a training has given."""

    weights: Path
    """Of the best averaged network by validation, or of the last one without; ``eventdet stream -m`` takes it."""

    detector: Detector
    """The last averaged network, in evaluation mode."""

    step: int
    """Steps done."""

    loss: float
    """Of the last step."""

    ended_by: str
    """``steps``, ``patience``, ``time budget`` or ``request``."""

    best: Score | None
    """Of the validations; None without any."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a training is made of."""

    batches: BatchSource
    """By number."""

    batches_per_epoch: int
    """How many go over the data once."""

    validate: Callable[[Detector], Score] | None
    """Scores a detector."""

    config: DetectorConfig
    """Of the detector, its anchors decided."""

    data: str
    """What the weights learn from, for their description."""

    synthetic: bool | None = None
    """Whether all of that was simulated; None when it is not known."""


def fit(
    source: str | Path,
    recipe: Recipe,
    folder: str | Path,
    *,
    watch: Callable[[StepReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> FitResult:
    """Train a detector on labelled data; a run that was stopped in `folder` goes on.

    Parameters
    ----------
    source : str or Path
        A store or a folder of event files, with ``train`` and ``val`` in it or without; or a COCO folder.
    recipe : Recipe
        How. Under torchrun every process takes its part of the data.
    folder : str or Path
        For ``best`` and ``last`` weights, ``recipe.toml``, ``metrics.jsonl``, ``metrics.csv`` and the checkpoint.
    watch : callable, optional
        Called after each step, in the first process.
    should_stop : callable, optional
        Asked before each step; when it says yes the run is saved and ends.

    Returns
    -------
    FitResult
        Where the weights are, and how the run ended.

    Raises
    ------
    InputError
        When data are missing, have no labels or labels of unknown classes, or a checkpoint is broken or of another run.
    OptionError
        When parts of the recipe do not go together.
    OutputError
        When `folder` cannot be written.
    EventdetError
        When the loss is no longer a number.
    """
    started, target = time.monotonic(), Path(folder)
    with joined(recipe.training.device) as processes:
        _check_folder(target)
        prepared = _prepare(source, recipe, processes)
        resolved = _resolved(recipe, prepared)
        if processes.is_first:
            _write(target / "recipe.toml", format_toml(resolved.to_dict()) + "\n")
        torch.manual_seed(recipe.training.seed)
        detector = Detector(prepared.config)
        budget_s = max(0.0, recipe.training.time_budget_s - (time.monotonic() - started))

        def keep(averaged: Detector, name: str, step: int, score: Score | None) -> None:
            about = {
                "data": prepared.data,
                "synthetic": prepared.synthetic,
                "steps": step,
                "recipe": resolved.to_dict(),
            }
            save_detector(averaged, target / name, about | _described(score))

        hooks = Hooks(
            prepared.validate,
            watch,
            lambda averaged, step, score: keep(averaged, "best", step, score),
            should_stop,
            resolved.fixed() | {"source": str(Path(source).resolve())},
        )
        result = train(
            prepared.batches,
            detector,
            replace(resolved.training, time_budget_s=budget_s),
            folder=target,
            hooks=hooks,
            processes=processes,
        )
        weights = target / "last.safetensors"
        if processes.is_first:
            keep(result.detector, "last", result.step, None)
        if result.best is not None:
            weights = target / "best.safetensors"
        return FitResult(weights, result.detector, result.step, result.loss, result.ended_by, result.best)


def _prepare(source: str | Path, recipe: Recipe, processes: Processes) -> Prepared:
    return (_prepare_pictures if recipe.data.format == "coco" else _prepare_clips)(source, recipe, processes)


def _prepare_clips(source: str | Path, recipe: Recipe, processes: Processes) -> Prepared:
    split = find_split(source, recipe.data.val)
    config = _config(recipe)
    training = open_clips(split.train, config, recipe, for_training=True)
    config = _with_anchors(config, recipe, box_sides(training))
    validate = None
    if split.val is not None:
        held_out = open_held_out(split.val, config, recipe)
        validate = clip_scorer(
            held_out, config, recipe.validation, batch=recipe.data.batch, readout=recipe.training.readout
        )
    batches = ClipBatches(training, recipe, processes)
    return Prepared(batches, batches.batches_per_epoch, validate, config, str(source), synthetic=is_synthetic(training))


def _prepare_pictures(source: str | Path, recipe: Recipe, processes: Processes) -> Prepared:
    training, held_out = open_pictures(source, recipe.data.val)
    given = {
        "channels": 3, "count_clip": 255, "classes": len(training.class_names),
        "class_names": list(training.class_names),
    }  # fmt: skip
    config = _config(replace(recipe, model=given | dict(recipe.model)))
    check_classes(config, training, held_out)
    config = _with_anchors(config, recipe, picture_sides(training, config))
    validate = None if held_out is None else picture_scorer(held_out, recipe)
    batches = PictureBatches(training, config, recipe, processes)
    return Prepared(batches, batches.batches_per_epoch, validate, config, str(source))


def _config(recipe: Recipe) -> DetectorConfig:
    """Return the detector of a recipe, its anchors still those of its default."""
    known = [each.name for each in fields(DetectorConfig)]
    unknown = [name for name in recipe.model if name not in known]
    if unknown:
        raise OptionError(f"[model] has no {unknown[0]!r}", hint=f"it has {', '.join(known)}")
    given: dict[str, Any] = {"readout_steps": recipe.data.num_steps if recipe.training.readout == "mean" else 1}
    try:
        return DetectorConfig.from_dict(given | dict(recipe.model))
    except (TypeError, InputError) as error:
        raise OptionError(f"[model]: {error}") from error


def _with_anchors(config: DetectorConfig, recipe: Recipe, sides: NDArray[np.float32]) -> DetectorConfig:
    if config.head != "anchors" or "anchors" in recipe.model:
        return config
    if recipe.anchors == "auto":
        anchors = fit_anchors(sides, scales=config.heads, per_scale=ANCHORS_PER_SCALE, seed=recipe.training.seed)
    else:
        anchors = _PAPER_ANCHORS[recipe.anchors]
    return replace(config, anchors=anchors)


def _resolved(recipe: Recipe, prepared: Prepared) -> Recipe:
    """Return the recipe with everything decided that was left to defaults and data."""
    training = replace(recipe.training, learning_rate=recipe.training.highest_rate)
    if training.epochs:
        steps = -(-training.epochs * prepared.batches_per_epoch // training.accumulate)
        training = replace(training, steps=steps, epochs=0)
    return replace(recipe, model=Recipe(prepared.config.to_dict()).to_dict()["model"], training=training)


def _described(score: Score | None) -> dict[str, Any]:
    return {} if score is None else {"mAP50": round(score.map50, 4), "mAP50_95": round(score.map50_95, 4)}


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"output {folder} must be a folder, got a file", hint="name another")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
