"""What ``convert`` and ``cut`` share: options of a written event file, and what is printed about it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eventdet.formats import TranscodeSummary

__all__ = ["Encoding", "FromZero", "print_transcoded"]

Encoding = Annotated[
    str | None, typer.Option("--encoding", help="Words of a .raw file: evt2, evt21 or evt3.", show_default="evt3")
]
FromZero = Annotated[
    bool, typer.Option("--from-zero", help="Event files: subtract the stamp of the first event written.")
]


def print_transcoded(summary: "TranscodeSummary", *, quiet: bool, json: bool) -> None:
    """Print what was written, for people or as JSON."""
    if json:
        from json import dumps

        typer.echo(dumps(summary.to_dict(), indent=2))
    elif not quiet:
        typer.echo(
            f"{summary.output}: {summary.num_events:,} events as {summary.format}, {summary.sensor_size}, "
            f"{summary.num_bytes:,} bytes"
        )
        for name, count in summary.repairs.items():
            typer.echo(f"repaired: {name} {count:,}")
    if not summary.keeps_synthetic_mark:
        typer.echo(f"note: {summary.format} has no place for the mark that these events are synthetic", err=True)
