"""``eventdet simulate``: write a synthetic recording in Gen1's form."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Json, Quiet
from ._progress import progress_bar

__all__ = ["command"]


def command(
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, named like NAME_td.dat.")],
    seconds: Annotated[float, typer.Option(help="Recorded seconds.", min=0.001, max=4294.0)] = 5.0,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.", min=0)] = 1,
    label_rate: Annotated[float, typer.Option(help="Label times a second.", min=0.1, max=100.0)] = 4.0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a synthetic driving recording (Gen1 form: DAT with its bbox.npy)."""
    from eventdet.simulation import write_recording
    from eventdet.units import MICROSECONDS_PER_SECOND

    duration_us = round(seconds * MICROSECONDS_PER_SECOND)
    with progress_bar("simulate", seconds, quiet=quiet) as advance:
        summary = write_recording(
            output,
            seed=seed,
            duration_us=duration_us,
            label_rate_hz=label_rate,
            on_progress=lambda t_us: advance(t_us / MICROSECONDS_PER_SECOND),
        )
    if json:
        from json import dumps

        typer.echo(dumps(summary.to_dict()))
    elif not quiet:
        typer.echo(
            f"{summary.td_path}: synthetic, {summary.num_events:,} events, {seconds:g} s, seed {seed}\n"
            f"{summary.bbox_path}: {summary.num_boxes} boxes\n"
            f"sha256 {summary.sha256}"
        )
