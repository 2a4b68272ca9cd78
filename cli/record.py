"""``eventdet record``: a live source to an event file."""

from pathlib import Path
from typing import Annotated

import typer

from ._link import LiveFormat, format_link
from ._options import (
    AllowRemote,
    Duplicates,
    Filters,
    Json,
    Policy,
    Quiet,
    SensorSizeText,
    parse_policy,
    parse_sensor_size,
)
from ._signals import EXIT_INTERRUPTED, stopped_by_signals
from ._transcode import Encoding, FromZero, counted_events, print_transcoded

__all__ = ["command"]


def command(
    source: Annotated[str, typer.Argument(help="Live source: tcp, unix, udp, zmq, camera://..., or - .")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Event file to write; its ending names the format.")],
    duration: Annotated[
        str | None,
        typer.Option(
            "--duration", metavar="TIME", help="Stop this long after the first event; else at the end or Ctrl-C."
        ),
    ] = None,
    encoding: Encoding = None,
    from_zero: FromZero = False,
    sensor_size: SensorSizeText = None,
    format: LiveFormat = None,  # noqa: A002 - the option's name
    allow_remote: AllowRemote = False,
    policy: Policy = "repair",
    duplicates: Duplicates = "ignore",
    filters: Filters = None,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Record a live source to an event file, until the stream, the time or Ctrl-C ends it."""
    from eventdet.errors import OptionError
    from eventdet.filters import parse_filter
    from eventdet.formats import output_format, write_events
    from eventdet.sources import LiveSource, open_source
    from eventdet.units import parse_duration_us

    output_format(output, encoding=encoding)
    duration_us = None if duration is None else parse_duration_us(duration, name="--duration")
    live = open_source(
        source,
        sensor_size=parse_sensor_size(sensor_size),
        policy=parse_policy(policy, duplicates),
        format=format,
        allow_remote=allow_remote,
    )
    if not isinstance(live, LiveSource):
        raise OptionError(f"source must be a live one, got {source!r}", hint="use eventdet convert or eventdet cut")
    with live, stopped_by_signals(live.stop) as interrupted:
        live.add_filters([parse_filter(text) for text in filters or ()])
        with counted_events("record", quiet=quiet) as count:
            summary = write_events(
                live, live.chunks(duration_us), output, encoding=encoding, from_zero=from_zero, on_progress=count
            )
    print_transcoded(summary, quiet=quiet, json=json)
    if not quiet:
        typer.echo(format_link(live), err=True)
    return EXIT_INTERRUPTED if interrupted() else 0
