"""``eventdet convert``: recordings to a Zarr store of events and tensors, or one recording to another event file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._conversion import conversion_bar, parse_classes, print_summary
from ._options import (
    Duplicates,
    End,
    Filters,
    Json,
    Policy,
    Quiet,
    Roi,
    SensorSizeText,
    Start,
    parse_policy,
    parse_representation,
    parse_sensor_size,
)
from ._signals import stopped_by_signals
from ._transcode import Encoding, FromZero, counted_events, parse_limits_us, print_transcoded

if TYPE_CHECKING:
    from eventdet.formats import ReadPolicy
    from eventdet.preprocessing import ConvertOptions, ConvertSummary, Shard
    from eventdet.preprocessing.executors import Executor

__all__ = ["command"]

_STORE_SUFFIXES = ("", ".zarr")


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Event files, folders, patterns in quotes, or @list.txt with one a line.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="Store (out.zarr, s3://bucket/out.zarr) or event file (out.raw).")
    ],
    representation: Annotated[
        str,
        typer.Option(
            metavar="[MODULE.]NAME[:ARG=VALUE,...]",
            help="What the tensors are, e.g. voxel or tore:depth=4; of a module of your own, if named. "
            "See docs/representations.md.",
        ),
    ] = "histogram",
    bins: Annotated[int, typer.Option(help="Time bins a window.", min=1, max=1000)] = 5,
    window: Annotated[str, typer.Option(help="Extent of a window: 250ms, 20000ev, or 50ms,20000ev.")] = "250ms",
    stride: Annotated[
        str | None, typer.Option(help="From one window's start to the next; default: the window.", show_default=False)
    ] = None,
    align: Annotated[
        str, typer.Option(help="Windows lie on the grid of the stride, or (label-end) one ends at each label's stamp.")
    ] = "grid",
    labels: Annotated[
        str, typer.Option(help="Leave labels out by the rules of none, prophesee, rvt, rvt-1mpx or side20.")
    ] = "none",
    classes: Annotated[
        str | None, typer.Option(help="Labels that stay: car,pedestrian or class ids.", show_default=False)
    ] = None,
    start: Start = None,
    end: End = None,
    roi: Roi = None,
    downsample: Annotated[
        int | None, typer.Option(help="Bring events and labels to a sensor so many times smaller.", min=1)
    ] = None,
    no_events: Annotated[bool, typer.Option("--no-events", help="Leave the events out.")] = False,
    no_frames: Annotated[bool, typer.Option("--no-frames", help="Leave the tensors out.")] = False,
    encoding: Encoding = None,
    from_zero: FromZero = False,
    sensor_size: SensorSizeText = None,
    policy: Policy = "repair",
    duplicates: Duplicates = "count",
    filters: Filters = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Processes.", min=1)] = 1,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Convert only the I-th of N parts, for job arrays.", show_default=False),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS|local", help="Run on a Dask cluster; local starts --jobs workers.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; estimate size and time from parts of a few files.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Convert recordings to a Zarr store of events and tensors, which resumes where it stopped, or one to a file."""
    if Path(output).suffix not in _STORE_SUFFIXES and not Path(output).is_dir():
        stray = {"--align": align != "grid", "--labels": labels != "none", "--classes": classes, "--jobs": jobs > 1,
                 "--shard": shard, "--dask": dask, "--dry-run": dry_run}  # fmt: skip
        return _to_event_file(
            _only(sources, stray=[name for name, given in stray.items() if given]),
            Path(output),
            encoding=encoding,
            from_zero=from_zero,
            sensor_size=sensor_size,
            policy=parse_policy(policy, duplicates),
            filters=_all_filters(roi, filters, downsample),
            limits=(start, end),
            quiet=quiet,
            json=json,
        )
    from eventdet.formats import parse_windows
    from eventdet.preprocessing import ConvertOptions, Shard, convert
    from eventdet.units import parse_duration_us

    grid = parse_windows(window, stride, names=("--window", "--stride"))
    options = ConvertOptions(
        representation=parse_representation(representation, bins=bins),
        window_us=grid.length_us,
        stride_us=grid.stride_us,
        window_events=grid.num_events,
        stride_events=grid.stride_events,
        align=align,
        write_events=not no_events,
        write_frames=not no_frames,
        sensor_size=parse_sensor_size(sensor_size),
        policy=parse_policy(policy, duplicates),
        filters=_all_filters(roi, filters, downsample),
        start_us=None if start is None else parse_duration_us(start, name="--start"),
        end_us=None if end is None else parse_duration_us(end, name="--end"),
        labels=labels,
        classes=parse_classes(classes),
    )
    part = None if shard is None else Shard.parse(shard)
    if dry_run:
        return _estimate(sources, options, part, jobs=jobs, json=json)
    with stopped_by_signals() as interrupted, conversion_bar(quiet=quiet, interrupted=interrupted) as advance:
        summary = convert(sources, output, options, shard=part, executor=_executor(jobs, dask), on_progress=advance)
    return _tell(summary, quiet=quiet, json=json)


def _tell(summary: "ConvertSummary", *, quiet: bool, json: bool) -> int:
    """Print what came of a conversion, and return the exit code."""
    from eventdet.errors import PartialError
    from eventdet.preprocessing.planning import describe_passed_over

    if json:
        from json import dumps

        typer.echo(dumps(summary.to_dict(), indent=2))
    elif not quiet:
        print_summary(summary)
        for replaced in summary.replaced:
            typer.echo(f"note: {replaced.path}: {replaced.reason}", err=True)
        if summary.passed_over:
            typer.echo(f"note: {describe_passed_over(summary.passed_over)}", err=True)
    lacks_all = summary.without_windows and not summary.num_frames
    return PartialError.exit_code if summary.failed or lacks_all else 0


def _all_filters(roi: str | None, filters: Sequence[str] | None, downsample: int | None) -> tuple[str, ...]:
    """Return the filters in the order that costs least: the region first, fewer pixels last."""
    from eventdet.formats import Region

    region = [] if roi is None else ["roi:x={},y={},w={},h={}".format(*Region.parse(roi))]
    smaller = [] if downsample is None else [f"downsample:factor={downsample}"]
    return (*region, *(filters or ()), *smaller)


def _executor(jobs: int, dask: str | None) -> "Executor | None":
    from eventdet.preprocessing import DaskExecutor, ProcessExecutor

    if dask is not None:
        return DaskExecutor(dask, num_workers=jobs)
    return ProcessExecutor(jobs) if jobs > 1 else None


def _estimate(
    sources: Sequence[str], options: "ConvertOptions", shard: "Shard | None", *, jobs: int, json: bool
) -> int:
    from eventdet.preprocessing.estimate import estimate_conversion

    estimate = estimate_conversion(sources, options, shard=shard)
    if json:
        from json import dumps

        typer.echo(dumps(estimate.to_dict(), indent=2))
    else:
        typer.echo(
            f"{estimate.num_files} files, {estimate.source_bytes / 1e6:,.1f} MB: about {estimate.num_events:,} events, "
            f"{estimate.num_bytes / 1e6:,.1f} MB to write, {estimate.seconds / jobs:,.1f} s with --jobs {jobs}"
        )
        typer.echo(f"estimated from {estimate.how}")
    return 0


def _only(sources: Sequence[str], *, stray: Sequence[str]) -> str:
    """Return the one source of an event file; options that say nothing about such a file are refused."""
    from eventdet.errors import OptionError

    if stray:
        raise OptionError(f"{', '.join(stray)}: for stores, not for an event file", hint="use -o out.zarr")
    if len(sources) > 1:
        raise OptionError(f"an event file is written from one recording, got {len(sources)}", hint="use -o out.zarr")
    return sources[0]


def _to_event_file(
    source: str,
    output: Path,
    *,
    encoding: str | None,
    from_zero: bool,
    sensor_size: str | None,
    policy: "ReadPolicy",
    filters: Sequence[str],
    limits: tuple[str | None, str | None],
    quiet: bool,
    json: bool,
) -> int:
    from eventdet.filters import with_filters
    from eventdet.formats import output_format, transcode
    from eventdet.sources.stored import open_file_or_store

    # A wrong ending is told before the input is looked at.
    output_format(output, encoding=encoding)
    recording = open_file_or_store(source, sensor_size=parse_sensor_size(sensor_size), policy=policy)
    start_us, stop_us = parse_limits_us(recording, *limits)
    with counted_events("convert", quiet=quiet) as count:
        summary = transcode(
            with_filters(recording, filters),
            output,
            encoding=encoding,
            start_us=start_us,
            stop_us=stop_us,
            from_zero=from_zero,
            on_progress=count,
        )
    print_transcoded(summary, quiet=quiet, json=json)
    return 0
