"""``eventdet train``: a detector from labelled recordings or pictures, by a recipe."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import Quiet
from ._progress import Advance, progress_bar
from ._signals import EXIT_INTERRUPTED, stopped_by_signals

if TYPE_CHECKING:
    from eventdet.models.training import FitResult, Recipe, StepReport

__all__ = ["command", "parse_settings", "recipe_option", "without_none"]


def recipe_option(help_text: str, *names: str, **more: Any) -> Any:
    """Return an option that leaves a value of the recipe as it is when it is not given."""
    return typer.Option(*names, help=help_text, show_default=False, **more)


def command(
    source: Annotated[
        str, typer.Argument(help="Store, folder of event files with labels, or COCO folder.", show_default=False)
    ],
    output: Annotated[
        Path, recipe_option("Folder for weights, metrics and checkpoint; a run in it goes on.", "-o", "--output")
    ],
    config: Annotated[Path | None, recipe_option("Recipe in TOML; options given here come before it.")] = None,
    model: Annotated[str | None, recipe_option("Network, like ems-nano or ems-res10.")] = None,
    head: Annotated[str | None, recipe_option("How boxes are learnt: anchors or simota.")] = None,
    anchors: Annotated[str | None, recipe_option("auto (fitted to the labels), gen1 or coco.")] = None,
    classes: Annotated[str | None, recipe_option("Names by class id, joined by commas.")] = None,
    size: Annotated[str | None, recipe_option("Input of the network, multiples of 32.", metavar="WxH")] = None,
    window: Annotated[str | None, recipe_option("Length of a step, like 50ms.", metavar="TIME")] = None,
    num_steps: Annotated[int | None, recipe_option("Steps of the network for a clip or picture.")] = None,
    format: Annotated[str | None, recipe_option("events or coco.")] = None,  # noqa: A002 - the option's name
    read: Annotated[str | None, recipe_option("Of a store: events (cut anew), tensors, or auto.")] = None,
    val: Annotated[str | None, recipe_option("Validation data; default: val beside train in the folder.")] = None,
    order: Annotated[str | None, recipe_option("shuffle, balanced (by class) or stream (state kept).")] = None,
    steps: Annotated[int | None, recipe_option("Steps of the optimiser.")] = None,
    epochs: Annotated[int | None, recipe_option("Passes over the data, in the place of --steps.")] = None,
    batch: Annotated[int | None, recipe_option("Clips or pictures at once.")] = None,
    accumulate: Annotated[int | None, recipe_option("Batches of a step of the optimiser.")] = None,
    optimizer: Annotated[str | None, recipe_option("adamw or sgd.")] = None,
    learning_rate: Annotated[float | None, recipe_option("Highest learning rate.", "--learning-rate", "--lr")] = None,
    precision: Annotated[str | None, recipe_option("auto, float32 or bfloat16.")] = None,
    validate_every: Annotated[int | None, recipe_option("Steps between validations.")] = None,
    protocol: Annotated[str | None, recipe_option("Of the validation, as in eventdet evaluate.")] = None,
    patience: Annotated[int | None, recipe_option("Validations without a better score before the end.")] = None,
    seed: Annotated[int | None, recipe_option("Of first weights, order and augmentation.")] = None,
    device: Annotated[str | None, recipe_option("cpu, cuda or cuda:N.")] = None,
    workers: Annotated[int | None, recipe_option("Processes that make batches.")] = None,
    time_budget: Annotated[
        str | None, recipe_option("Stop within this time, like 9m, and save.", metavar="TIME")
    ] = None,
    tensorboard: Annotated[bool | None, recipe_option("Metrics for TensorBoard too.", "--tensorboard")] = None,
    settings: Annotated[
        list[str] | None,
        recipe_option("Any other value of a recipe; may be repeated.", "--set", metavar="SECTION.KEY=VALUE"),
    ] = None,
    quiet: Quiet = False,
) -> int:
    """Train a detector; the same command goes on with what was stopped, killed or out of time."""
    from eventdet.errors import OptionError
    from eventdet.geometry import SensorSize
    from eventdet.models.training import Recipe, read_recipe
    from eventdet.units import MICROSECONDS_PER_SECOND, parse_duration_us

    if steps is not None and epochs is not None:
        raise OptionError("--steps and --epochs exclude each other", hint="give one of them")
    names = None if classes is None else [name.strip() for name in classes.split(",")]
    given: dict[str, dict[str, Any]] = {
        "model": {
            "name": model,
            "head": head,
            "class_names": names,
            "classes": None if names is None else len(names),
            "input_size": None if size is None else list(SensorSize.parse(size)),
            "window_us": None if window is None else parse_duration_us(window, name="--window"),
        },
        "data": {
            "format": format, "read": read, "val": val, "order": order, "batch": batch, "num_steps": num_steps,
            "workers": workers,
        },
        "training": {
            "steps": steps, "epochs": 0 if epochs is None and steps is not None else epochs, "accumulate": accumulate,
            "optimizer": optimizer, "learning_rate": learning_rate, "precision": precision,
            "validate_every": validate_every, "patience": patience, "seed": seed, "device": device,
            "time_budget_s": None if time_budget is None
            else parse_duration_us(time_budget, name="--time-budget") / MICROSECONDS_PER_SECOND,
            "tensorboard": tensorboard,
        },
        "validation": {"protocol": protocol},
    }  # fmt: skip
    values = without_none(given) | ({} if anchors is None else {"anchors": anchors})
    recipe = Recipe() if config is None else read_recipe(config)
    recipe = recipe.changed(values).changed(parse_settings(settings or []))
    with stopped_by_signals() as asked:
        result = _run(source, recipe, output, asked, quiet=quiet or int(os.environ.get("RANK", "0")) > 0)
    return EXIT_INTERRUPTED if result.ended_by == "request" else 0


def _run(source: str, recipe: "Recipe", output: Path, asked: Callable[[], bool], *, quiet: bool) -> "FitResult":
    from eventdet.models.training import fit

    with progress_bar("train", recipe.training.steps or None, unit="steps", quiet=quiet) as advance:
        result = fit(source, recipe, output, watch=_Watch(advance, quiet=quiet), should_stop=asked)
    if not quiet:
        typer.echo(_summary(result, output), err=True)
    return result


class _Watch:
    """Shows losses as they come, and scores as lines that stay."""

    def __init__(self, advance: Advance, *, quiet: bool) -> None:
        self._advance, self._quiet, self._score = advance, quiet, ""

    def __call__(self, report: "StepReport") -> None:
        terms = report.terms
        if report.score is not None:
            self._score = f"mAP50 {100 * report.score.map50:.1f}"
            if not self._quiet:
                scores = f"{self._score}  mAP {100 * report.score.map50_95:.1f}"
                typer.echo(f"step {report.step}  loss {float(terms.total):.4f}  {scores}", err=True)
        self._advance(report.step, f"loss {float(terms.total):.3f}  {self._score}")


def _summary(result: "FitResult", output: Path) -> str:
    reasons = {
        "steps": "done",
        "patience": "ended early: no better score",
        "time budget": "out of time: the same command goes on",
        "request": "stopped: the same command goes on",
    }
    score = (
        ""
        if result.best is None
        else f", best mAP50 {100 * result.best.map50:.1f} mAP {100 * result.best.map50_95:.1f}"
    )
    return f"{output}: {result.step} steps, {reasons[result.ended_by]}{score}\nwrote {result.weights}"


def without_none(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of a recipe that were given, by section; sections without any are left out."""
    sections = {
        name: {key: value for key, value in section.items() if value is not None} for name, section in values.items()
    }
    return {name: section for name, section in sections.items() if section}


def parse_settings(texts: list[str]) -> dict[str, Any]:
    """Return ``section.key=value`` texts by section; values are written as in TOML, text with or without quotes."""
    import tomllib

    from eventdet.errors import OptionError

    sections: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        section, dot, key = name.strip().partition(".")
        if not equals or not dot:
            raise OptionError(
                f"--set must be like section.key=value, got {text!r}", hint="e.g. training.ema_decay=0.99"
            )
        try:
            parsed = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value.strip()
        sections.setdefault(section, {})[key] = parsed
    return sections
