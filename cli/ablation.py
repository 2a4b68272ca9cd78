"""``eventdet ablation``: the paper's comparisons as runs on any labelled data, at one budget each."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import Quiet
from ._progress import progress_bar
from ._report import check_targets, format_table, save_figure, write_json
from ._signals import EXIT_INTERRUPTED, stopped_by_signals
from .train import parse_settings

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
    network: Annotated[
        str | None, typer.Option(help="Base of the variants, like ems-nano; default: the paper's.", show_default=False)
    ] = None,
    width: Annotated[float, typer.Option(help="Factor on the channels of every variant.", min=0.01)] = 1.0,
    steps: Annotated[int, typer.Option(help="Budget: steps of the optimiser, the same for each.", min=1)] = 1000,
    num_steps: Annotated[
        int | None, typer.Option(help="Steps of the network; default: the paper's.", min=1, show_default=False)
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Input of the network, multiples of 32.", show_default=False)
    ] = None,
    anchors: Annotated[str, typer.Option(help="auto (fitted to the labels), gen1 or coco.")] = "auto",
    seed: Annotated[int, typer.Option(help="The same for each run.", min=0)] = 0,
    samples: Annotated[int, typer.Option(help="Validation clips for firing rate and energy.", min=1)] = 8,
    time_budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Stop all within this time; the same command goes on.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Recipe in TOML, as for eventdet train.", show_default=False)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Any value of the recipe; may be repeated.", show_default=False
        ),
    ] = None,
    figure: Annotated[bool, typer.Option("--figure/--no-figure", help="Draw ablation.png (extra plots).")] = True,
    quiet: Quiet = False,
) -> int:
    """Train what a table of the paper compares, and tell scores, firing rate and energy of each."""
    from eventdet.models.analysis.ablation import ABLATIONS, HEADER, run_ablation, table_of, variants

    variants(ablation, network or "")
    report, picture = output / "ablation.json", output / "ablation.png"
    check_targets(report, picture if figure else None)
    values: dict[str, Any] = {
        "anchors": anchors,
        "model": {"width": width},
        "data": {"num_steps": ABLATIONS[ablation].num_steps if num_steps is None else num_steps},
        "training": {"steps": steps, "epochs": 0, "seed": seed},
    }
    recipe = _recipe(config, values, size, time_budget).changed(parse_settings(settings or []))
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
    budget = f"{steps:,} steps of the optimiser each, seed {seed}"
    if rows:
        typer.echo(f"{question}: {source}, {budget}\n\n{format_table(HEADER, table_of(rows))}")
        write_json(report, _record(ablation, source, recipe, rows, ended_by))
        if figure:
            from eventdet.models.analysis.figures import draw_ablation

            save_figure(picture, draw_ablation(rows, title=f"{question}; {budget}"))
    if ended_by == "done":
        return 0
    typer.echo(f"stopped by {ended_by} with {len(rows)} runs done: the same command goes on", err=True)
    return EXIT_INTERRUPTED if ended_by == "request" else _EXIT_PARTIAL


def _recipe(config: Path | None, values: dict[str, Any], size: str | None, time_budget: str | None) -> "Recipe":
    """Return the recipe of all variants: a file's, with what the command line says in its place."""
    from eventdet.geometry import SensorSize
    from eventdet.models.training import Recipe, read_recipe
    from eventdet.units import MICROSECONDS_PER_SECOND, parse_duration_us

    if size is not None:
        values["model"]["input_size"] = list(SensorSize.parse(size))
    if time_budget is not None:
        budget_us = parse_duration_us(time_budget, name="--time-budget")
        values["training"]["time_budget_s"] = budget_us / MICROSECONDS_PER_SECOND
    return (Recipe() if config is None else read_recipe(config)).changed(values)


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
