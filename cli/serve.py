"""``eventdet serve``: a recording to a network, as if a camera were there."""

from typing import Annotated

import typer

from ._options import AllowRemote, Policy, Quiet, SensorSizeText, parse_sensor_size
from ._signals import terminated_like_interrupt

__all__ = ["command"]


def command(
    source: Annotated[str, typer.Argument(help="Event file, or synthetic://?seed=1&seconds=5.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            "--to", help="tcp://127.0.0.1:0, unix://path, zmq://127.0.0.1:0 (port 0: any), udp://host:port, or - ."
        ),
    ],
    pace: Annotated[str, typer.Option(help="max, realtime, or a factor like 2x.")] = "realtime",
    clients: Annotated[int, typer.Option(help="Receivers to wait for before the first event.", min=1)] = 1,
    overflow: Annotated[
        str, typer.Option(help="A receiver that is too slow: wait (for it) or drop (its frames, counted).")
    ] = "wait",
    format: Annotated[  # noqa: A002 - the option's name
        str | None,
        typer.Option(help="Over udp: spif, faery13 or faery8; default: our framing.", show_default=False),
    ] = None,
    sensor_size: SensorSizeText = None,
    policy: Policy = "repair",
    allow_remote: AllowRemote = False,
    quiet: Quiet = False,
) -> None:
    """Publish a recording to receivers such as eventdet stream tcp://...; its address is the first line on stderr."""
    from eventdet.publishing import PublishOptions, open_publisher, publish
    from eventdet.sources import open_source
    from eventdet.units import parse_pace

    factor = parse_pace(pace)
    recording = open_source(source, sensor_size=parse_sensor_size(sensor_size), policy=policy)
    options = PublishOptions(format=format, num_clients=clients, overflow=overflow, allow_remote=allow_remote)
    with terminated_like_interrupt(), open_publisher(to, recording, options) as publisher:
        # Also when quiet: with port 0 nobody could know it otherwise.
        typer.echo(f"serving on {publisher.address}", err=True)
        report = publish(recording, publisher, pace=factor)
    if not quiet:
        lost = f"; dropped {report.dropped_messages:,}" if report.dropped_messages else ""
        stalled = f"; let go {report.stalled_clients} receivers" if report.stalled_clients else ""
        typer.echo(f"{report.num_events:,} events in {report.messages:,} messages{lost}{stalled}", err=True)
