"""``eventdet convert``: recordings to a Zarr store of events and tensors, or one recording to another event file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import (
    Duplicates,
    Filters,
    Json,
    Policy,
    Quiet,
    SensorSizeText,
    parse_policy,
    parse_representation,
    parse_sensor_size,
)
from ._progress import progress_bar
from ._transcode import Encoding, FromZero, print_transcoded

if TYPE_CHECKING:
    from eventdet.formats import ReadPolicy
    from eventdet.preprocessing import ConvertSummary

__all__ = ["command"]

_STORE_SUFFIXES = ("", ".zarr")


def command(
    source: Annotated[Path, typer.Argument(help="Event file, or a folder of them.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Store (out.zarr) or event file (out.raw) to write.")],
    representation: Annotated[
        str,
        typer.Option(
            metavar="[MODULE.]NAME[:ARG=VALUE,...]",
            help="What the tensors are, e.g. voxel or tore:depth=4; of a module of your own, if named. "
            "See docs/representations.md.",
        ),
    ] = "histogram",
    bins: Annotated[int, typer.Option(help="Time bins a window.", min=1, max=1000)] = 5,
    window: Annotated[str, typer.Option(help="Length of a window, e.g. 250ms.")] = "250ms",
    stride: Annotated[
        str | None, typer.Option(help="From one window's start to the next; default: the window.", show_default=False)
    ] = None,
    no_events: Annotated[bool, typer.Option("--no-events", help="Leave the events out.")] = False,
    no_frames: Annotated[bool, typer.Option("--no-frames", help="Leave the tensors out.")] = False,
    encoding: Encoding = None,
    from_zero: FromZero = False,
    sensor_size: SensorSizeText = None,
    policy: Policy = "repair",
    duplicates: Duplicates = "count",
    filters: Filters = None,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Convert recordings to a Zarr store of events and tensors, which resumes where it stopped, or one to a file."""
    if output.suffix not in _STORE_SUFFIXES and not output.is_dir():
        return _to_event_file(
            source,
            output,
            encoding=encoding,
            from_zero=from_zero,
            sensor_size=sensor_size,
            policy=parse_policy(policy, duplicates),
            filters=filters or (),
            quiet=quiet,
            json=json,
        )
    from eventdet.preprocessing import ConvertOptions, convert
    from eventdet.units import parse_duration_us

    window_us = parse_duration_us(window, name="--window")
    options = ConvertOptions(
        representation=parse_representation(representation, bins=bins),
        window_us=window_us,
        stride_us=window_us if stride is None else parse_duration_us(stride, name="--stride"),
        write_events=not no_events,
        write_frames=not no_frames,
        sensor_size=parse_sensor_size(sensor_size),
        policy=parse_policy(policy, duplicates),
        filters=tuple(filters or ()),
    )
    with progress_bar("convert", 1.0, unit="of the bytes", quiet=quiet) as advance:
        summary = convert(source, output, options, on_progress=advance)
    if json:
        from json import dumps

        typer.echo(dumps(summary.to_dict(), indent=2))
    elif not quiet:
        _print_summary(summary)
    return 5 if summary.failed else 0


def _to_event_file(
    source: Path,
    output: Path,
    *,
    encoding: str | None,
    from_zero: bool,
    sensor_size: str | None,
    policy: "ReadPolicy",
    filters: Sequence[str],
    quiet: bool,
    json: bool,
) -> int:
    from eventdet.filters import with_filters
    from eventdet.formats import output_format, transcode
    from eventdet.sources.stored import open_file_or_store

    # A wrong ending is told before the input is looked at.
    output_format(output, encoding=encoding)
    recording = with_filters(
        open_file_or_store(source, sensor_size=parse_sensor_size(sensor_size), policy=policy), filters
    )
    print_transcoded(transcode(recording, output, encoding=encoding, from_zero=from_zero), quiet=quiet, json=json)
    return 0


def _print_summary(summary: "ConvertSummary") -> None:
    typer.echo(
        f"{summary.output}: {summary.num_converted} converted, {summary.num_up_to_date} up to date, "
        f"{len(summary.failed)} failed; {summary.num_events:,} events, {summary.num_frames:,} windows"
    )
    for name, count in summary.repairs.items():
        typer.echo(f"repaired: {name} {count:,}")
    for failure in summary.failed:
        typer.echo(f"failed: {failure.path}: {failure.reason}", err=True)
