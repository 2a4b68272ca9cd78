"""``eventdet formats``: what is read, written, sought and streamed."""

from typing import TYPE_CHECKING

import typer

from ._options import Json

if TYPE_CHECKING:
    from eventdet.formats import EventFormat

__all__ = ["command"]

_COLUMNS = ("name", "format", "file", "read", "write", "stream", "window in the middle", "extra")


def command(json: Json = False) -> None:
    """List the event-file formats: which are read, written and streamed, and how a window is found."""
    from eventdet.formats import FORMATS

    rows = [_row(name, known) for name, known in FORMATS.items()]
    if json:
        from json import dumps

        typer.echo(dumps(rows, indent=2))
        return
    cells = [_COLUMNS, *(tuple(_text(value) for value in row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _row(name: str, known: "EventFormat") -> dict[str, str | bool]:
    return {
        "name": name,
        "title": known.title,
        "suffix": known.suffix,
        "reads": True,
        "writes": known.write is not None,
        "streams": known.streams,
        "seek": known.seek,
        "extra": known.extra,
    }


def _text(value: str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value or "-"
