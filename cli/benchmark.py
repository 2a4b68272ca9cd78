"""``eventdet benchmark``: our kernels against peers and against the limit, as ratios in one run."""

from collections.abc import Callable
from importlib import import_module
from typing import Annotated

import typer

from eventdet.benchmarks import BenchmarkRow, format_rows
from eventdet.errors import check_option

from ._options import Json
from ._threads import limit_spinning

__all__ = ["command"]

_PARTS = (
    "formats",
    "tensors",
    "store",
    "loader",
    "convert",
    "model",
    "evaluation",
    "wire",
    "stream",
    "cameras",
    "simulate",
)


def command(
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Any of formats, tensors, store, loader, convert, model, evaluation, wire, stream, cameras, "
            "simulate; default: all.",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="The median of this many runs is printed.", min=1, max=100)] = 5,
    json: Json = False,
) -> None:
    """Measure formats, tensors, the store, the loader, the detector, scores, the network and streams against peers."""
    # As the command that is measured.
    limit_spinning()
    from eventdet.streaming.hardware import machine

    chosen = [check_option("part", part, _PARTS) for part in parts or _PARTS]
    results = {part: _measure(part)(repeats=repeats) for part in chosen}
    if json:
        from json import dumps

        tables = {part: [row._asdict() for row in rows] for part, rows in results.items()}
        typer.echo(dumps({"machine": machine(), "repeats": repeats, **tables}, indent=2))
        return
    typer.echo(f"{machine()}; median of {repeats}")
    for part, rows in results.items():
        typer.echo(f"\n{part}\n{format_rows(rows)}")


def _measure(part: str) -> Callable[..., list[BenchmarkRow]]:
    measure: Callable[..., list[BenchmarkRow]] = getattr(
        import_module(f"eventdet.benchmarks.{part}"), f"benchmark_{part}"
    )
    return measure
