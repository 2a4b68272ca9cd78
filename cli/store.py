"""``eventdet store``: keep a store in order."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Json, Quiet

__all__ = ["app"]

app = typer.Typer(help="Keep a Zarr store of eventdet convert in order.", no_args_is_help=True)

StorePath = Annotated[Path, typer.Argument(help="Store of eventdet convert.", show_default=False)]


@app.command()
def repair(
    store: StorePath,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Read all bytes and remove damaged recordings; convert makes them again.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Remove what killed processes left, and make the manifest say what is there."""
    from eventdet.preprocessing.repair import repair_store

    report = repair_store(store, damaged=damaged)
    if json:
        from json import dumps

        typer.echo(dumps(report.to_dict(), indent=2))
    elif not quiet:
        rows = (
            ("removed", report.leftovers),
            ("removed, damaged", report.damaged),
            ("dropped from the manifest", report.lines_dropped),
            ("added to the manifest", report.lines_added),
        )
        lines = [f"{what}: {name}" for what, names in rows for name in names]
        typer.echo("\n".join(lines) or f"{store}: nothing to repair")


@app.command()
def rm(
    store: StorePath,
    recordings: Annotated[
        list[str], typer.Argument(help="Recordings as manifest.jsonl names them: train/a_td.zarr.", show_default=False)
    ],
) -> None:
    """Remove recordings and their lines in the manifest."""
    from eventdet.preprocessing.repair import remove_recordings

    remove_recordings(store, recordings)
