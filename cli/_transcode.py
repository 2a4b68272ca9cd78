"""What ``convert`` and ``cut`` share: options of a written event file, and what is printed about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ._progress import progress_bar

if TYPE_CHECKING:
    from eventdet.formats import Recording, TranscodeSummary

__all__ = ["Encoding", "FromZero", "counted_events", "parse_limits_us", "print_transcoded"]

Encoding = Annotated[
    str | None, typer.Option("--encoding", help="Words of a .raw file: evt2, evt21 or evt3.", show_default="evt3")
]
FromZero = Annotated[
    bool, typer.Option("--from-zero", help="Event files: subtract the stamp of the first event written.")
]


def parse_limits_us(recording: "Recording", start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Return start and end on the clock of the recording, given relative to its first event."""
    from eventdet.errors import OptionError
    from eventdet.units import parse_duration_us

    limits = [
        None if text is None else parse_duration_us(text, name=name)
        for name, text in (("--start", start), ("--end", end))
    ]
    if limits[1] is not None and limits[1] <= (limits[0] or 0):
        raise OptionError(f"--end must be after --start, got {end} and {start or '0s'}")
    # The first stamp of a stream format costs a pass through it.
    first = 0 if limits == [None, None] else recording.t_first_us
    start_us, end_us = (None if limit is None else first + limit for limit in limits)
    return start_us, end_us


@contextmanager
def counted_events(label: str, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how many events have been written; how many there are is not known before the end."""
    with progress_bar(label, None, unit="million events", quiet=quiet) as advance:
        yield lambda num_events: advance(num_events / 1e6)


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
    if summary.num_triggers_left_out:
        typer.echo(
            f"note: {summary.num_triggers_left_out:,} external triggers are left out: a store keeps them", err=True
        )
    if not summary.keeps_synthetic_mark:
        typer.echo(f"note: {summary.format} has no place for the mark that these events are synthetic", err=True)
