"""``eventdet verify``: whether a store is as it was written."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Json, Quiet

__all__ = ["command"]


def command(
    store: Annotated[str, typer.Argument(help="Store of eventdet convert, or one recording in it; may be a URL.")],
    deep: Annotated[bool, typer.Option("--deep", help="Read all bytes, and find any flipped bit.")] = False,
    source: Annotated[
        Path | None,
        typer.Option(help="Folder that was converted: compare its files with the digests kept.", show_default=False),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Check a store: files, counts, manifest and leftovers; with --deep every checksum, stamp and index entry."""
    from eventdet.errors import InputError
    from eventdet.preprocessing.verify import verify_store

    report = verify_store(store, deep=deep, source=source)
    if json:
        from json import dumps

        typer.echo(dumps(report.to_dict(), indent=2))
    elif not quiet:
        for finding in report.findings:
            typer.echo(f"damaged: {finding.path}: {finding.reason}")
        for note in report.notes:
            typer.echo(f"note: {note.path}: {note.reason}")
        how = "all bytes read" if report.deep else "metadata read"
        typer.echo(f"{report.store}: {report.num_recordings} recordings, {len(report.findings)} findings, {how}")
    return InputError.exit_code if report.findings else 0
