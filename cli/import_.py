"""``eventdet import``: data sets of other tools to a store."""

from pathlib import Path
from typing import Annotated

import typer

from ._interchange import print_summary
from ._options import Json, Quiet
from ._progress import progress_bar

__all__ = ["command"]


def command(
    folder: Annotated[Path, typer.Argument(help="Data set, or one recording of it.", show_default=False)],
    output: Annotated[str, typer.Option("--output", "-o", help="Store to write.")],
    layout: Annotated[str, typer.Option("--from", help="rvt: what RVT's preprocessing makes, or export --to rvt.")],
    representation: Annotated[
        str | None,
        typer.Option(help="Folder of tensors, e.g. stacked_histogram_dt=50_nbins=10; needed where there are several."),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Write tensors and labels of a data set to a store without events; resumes where it stopped."""
    from eventdet.errors import check_option
    from eventdet.preprocessing.interchange import import_rvt

    check_option("--from", layout, ("rvt",))
    with progress_bar("import", 1.0, unit="of the recordings", quiet=quiet) as advance:
        summary = import_rvt(folder, output, representation=representation, on_progress=advance)
    return print_summary(summary, quiet=quiet, json=json)
