"""``eventdet ablation``: the paper's comparisons as runs on any labelled data, at one budget each."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import Quiet
from ._progress import progress_bar
from ._report import check_targets, format_table, save_figure, write_json
from ._signals import EXIT_INTERRUPTED, stopped_by_signals
from .train import parse_settings, recipe_option, without_none

if TYPE_CHECKING:
    from eventdet.models.training import Recipe, StepReport

__all__ = ["command"]

_EXIT_PARTIAL = 5


def command(
    ablation: Annotated[
        str, typer.Argument(help="blocks, depth, heads, detection-layer or steps.", show_default=False)
    ],
    source: Annotated[str, typer.Argument(help="Labelled data as for eventdet train, with val.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for runs, table and figure; what is done there stays.")
    ],
    format: Annotated[str | None, recipe_option("events, or coco: a folder of pictures.")] = None,  # noqa: A002
    network: Annotated[str | None, recipe_option("Base of the variants, like ems-nano; default: the paper's.")] = None,
    width: Annotated[float | None, recipe_option("Factor on the channels of every variant.")] = None,
    steps: Annotated[int | None, recipe_option("Budget: steps of the optimiser for each; default: 1000.")] = None,
    num_steps: Annotated[int | None, recipe_option("Steps of the network; default: the paper's.")] = None,
    size: Annotated[str | None, recipe_option("Input of the network, multiples of 32.", metavar="WxH")] = None,
    anchors: Annotated[str | None, recipe_option("auto (fitted to the labels, the default), gen1 or coco.")] = None,
    seed: Annotated[int | None, recipe_option("The same for each run; default: 0.")] = None,
    samples: Annotated[int, typer.Option(help="Validation clips for firing rate and energy.", min=1)] = 8,
    time_budget: Annotated[
        str | None, recipe_option("Stop all within this time; the same command goes on.", metavar="TIME")
    ] = None,
    config: Annotated[Path | None, recipe_option("Recipe in TOML; options given here come before it.")] = None,
    settings: Annotated[
        list[str] | None,
        recipe_option("Any value of the recipe; may be repeated.", "--set", metavar="SECTION.KEY=VALUE"),
    ] = None,
    figure: Annotated[bool, typer.Option("--figure/--no-figure", help="Draw ablation.png (extra plots).")] = True,
    quiet: Quiet = False,
) -> int:
    """Train what a table of the paper compares, and tell scores, firing rate and energy of each."""
    from eventdet.models.analysis.ablation import ABLATIONS, HEADER, learnt_from, run_ablation, table_of, variants

    variants(ablation, network or "")
    report, picture = output / "ablation.json", output / "ablation.png"
    check_targets(report, picture if figure else None)
    given: dict[str, dict[str, Any]] = {
        "model": {"width": width},
        "data": {"format": format, "num_steps": num_steps},
        "training": {"steps": steps, "epochs": None if steps is None else 0, "seed": seed},
    }
    recipe = _recipe(ABLATIONS[ablation].num_steps, config, given, size=size, time_budget=time_budget)
    recipe = recipe.changed(({} if anchors is None else {"anchors": anchors}) | parse_settings(settings or []))
    with stopped_by_signals() as asked, progress_bar("ablation", None, unit="steps", quiet=quiet) as advance:
        rows, ended_by = run_ablation(
            ablation,
            source,
            recipe,
            output,
            network=network or "",
            samples=samples,
            watch=_watch(advance),
            should_stop=asked,
        )
    question = ABLATIONS[ablation].question
    training = recipe.training
    length = f"{training.epochs} epochs" if training.epochs else f"{training.steps:,} steps of the optimiser"
    budget = f"{length} each, seed {training.seed}"
    if rows:
        kind = learnt_from(output, rows)
        data = f"{kind} data, " if kind else ""
        typer.echo(f"{question}: {source}, {data}{budget}\n\n{format_table(HEADER, table_of(rows))}")
        write_json(report, _record(ablation, source, recipe, rows, ended_by))
        if figure:
            from eventdet.models.analysis.figures import draw_ablation

            save_figure(picture, draw_ablation(rows, title=f"{question}: {data}{budget}"))
    if ended_by == "done":
        return 0
    typer.echo(f"stopped by {ended_by} with {len(rows)} runs done: the same command goes on", err=True)
    return EXIT_INTERRUPTED if ended_by == "request" else _EXIT_PARTIAL


def _recipe(
    num_steps: int, config: Path | None, given: dict[str, dict[str, Any]], *, size: str | None, time_budget: str | None
) -> "Recipe":
    """Return the recipe of all variants: the paper's steps, a file's values before them, the options before both."""
    from eventdet.geometry import SensorSize
    from eventdet.models.training import Recipe, read_recipe
    from eventdet.units import MICROSECONDS_PER_SECOND, parse_duration_us

    if size is not None:
        given["model"]["input_size"] = list(SensorSize.parse(size))
    if time_budget is not None:
        budget_us = parse_duration_us(time_budget, name="--time-budget")
        given["training"]["time_budget_s"] = budget_us / MICROSECONDS_PER_SECOND
    base = Recipe().changed({"data": {"num_steps": num_steps}})
    return (base if config is None else read_recipe(config, base)).changed(without_none(given))


def _watch(advance: Callable[..., None]) -> "Callable[[str, StepReport], None]":
    def show(variant: str, report: "StepReport") -> None:
        advance(report.step, f"{variant}  loss {float(report.terms.total):.3f}")

    return show


def _record(ablation: str, source: str, recipe: "Recipe", rows: list[Any], ended_by: str) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "ablation": ablation,
        "source": source,
        "ended_by": ended_by,
        "recipe": recipe.to_dict(),
        "rows": [asdict(row) for row in rows],
    }
