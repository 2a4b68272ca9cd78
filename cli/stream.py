"""``eventdet stream``: events in, detections out, window by window."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from ._link import LiveFormat, format_link
from ._options import (
    AllowRemote,
    Duplicates,
    Duration,
    Filters,
    Fit,
    Policy,
    Quiet,
    Runtime,
    SensorSizeText,
    Start,
    parse_policy,
    parse_sensor_size,
    parse_span_us,
)
from ._progress import progress_bar
from ._signals import EXIT_INTERRUPTED, stopped_by_signals

if TYPE_CHECKING:
    from eventdet.sinks import Outputs
    from eventdet.sources import EventSource
    from eventdet.streaming import Streamer, StreamSummary

__all__ = ["command"]


def command(
    source: Annotated[
        str,
        typer.Argument(
            help="Event file, synthetic://?seed=1&seconds=5, or live: tcp, unix, udp, zmq, camera://..., or - .",
            show_default=False,
        ),
    ],
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            help="x.jsonl, .csv, .json (COCO), .txt (MOT), .npy, .rrd, .mp4, .gif, dir/%06d.png, zmq://, mqtt://, "
            "udp:// or - ; may be repeated.",
        ),
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Bundled name or .safetensors file.")] = "ems-res10-plain",
    window: Annotated[
        str | None, typer.Option(help="Length of a window; default: the model's.", show_default=False)
    ] = None,
    stride: Annotated[
        str | None, typer.Option(help="From one window's start to the next; default: the window.", show_default=False)
    ] = None,
    pace: Annotated[str, typer.Option(help="max, realtime, or a factor like 2x.")] = "max",
    state: Annotated[str, typer.Option(help="Membranes: keep from window to window, or reset every few.")] = "keep",
    steps: Annotated[
        int | None,
        typer.Option(help="Windows between resets; default: what the model was trained on.", min=1, show_default=False),
    ] = None,
    conf: Annotated[float, typer.Option(help="Lowest score of a detection.", min=0.0, max=1.0)] = 0.25,
    iou: Annotated[
        float, typer.Option(help="Overlap above which the lower score is suppressed.", min=0.0, max=1.0)
    ] = 0.45,
    max_det: Annotated[int, typer.Option(help="Most detections a window.", min=1)] = 100,
    fit: Fit = "scale",
    dtype: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    runtime: Runtime = "torch",
    threads: Annotated[int | None, typer.Option(help="Torch threads.", min=1, show_default=False)] = None,
    start: Start = None,
    duration: Duration = None,
    sensor_size: SensorSizeText = None,
    format: LiveFormat = None,  # noqa: A002 - the option's name
    allow_remote: AllowRemote = False,
    policy: Policy = "repair",
    duplicates: Duplicates = "ignore",
    filters: Filters = None,
    quiet: Quiet = False,
) -> int:
    """Detect objects in a recording, window by window, and write them to any number of outputs."""
    from eventdet.sources import open_source
    from eventdet.sources.filtered import filter_source
    from eventdet.streaming import Streamer, StreamOptions
    from eventdet.units import parse_duration_us, parse_pace

    recording = open_source(
        source,
        sensor_size=parse_sensor_size(sensor_size),
        policy=parse_policy(policy, duplicates),
        format=format,
        allow_remote=allow_remote,
    )
    recording = filter_source(recording, filters or ())
    start_us, stop_us = parse_span_us(start, duration, t_first_us=recording.t_first_us)
    options = StreamOptions(
        window_us=None if window is None else parse_duration_us(window, name="--window"),
        stride_us=None if stride is None else parse_duration_us(stride, name="--stride"),
        pace=parse_pace(pace),
        state=state,
        reset_steps=steps,
        conf=conf,
        iou=iou,
        max_detections=max_det,
        fit=fit,
        start_us=start_us,
        stop_us=stop_us,
    )
    streamer = Streamer.from_model(model, recording, options, dtype=dtype, runtime=runtime, threads=threads)
    return _run(streamer, recording, output or [], quiet=quiet, allow_remote=allow_remote)


def _run(streamer: "Streamer", source: "EventSource", targets: list[str], *, quiet: bool, allow_remote: bool) -> int:
    """Stream to the targets until the source or the user ends it; return the exit code."""
    from eventdet.errors import EventdetError
    from eventdet.sinks import Outputs
    from eventdet.sources import LiveSource

    outputs = None
    try:
        with ExitStack() as stack:
            interrupted = stack.enter_context(stopped_by_signals(streamer.stop))
            if isinstance(source, LiveSource):
                stack.enter_context(source)
            outputs = stack.enter_context(Outputs(targets, header=streamer.header, allow_remote=allow_remote))
            advance = stack.enter_context(progress_bar("stream", streamer.duration_s, quiet=quiet))
            for result in streamer:
                outputs.write(result)
                if outputs.is_done:
                    return 0
                advance(streamer.recorded_s)
            outputs.conclude(streamer.summary().totals)
    except EventdetError:
        if not quiet and streamer.recorded_s:
            _print_outcome(streamer.summary(), source, outputs)
        raise
    if not quiet:
        _print_outcome(streamer.summary(), source, outputs)
    return EXIT_INTERRUPTED if interrupted() else 0


def _print_outcome(summary: "StreamSummary", source: "EventSource", outputs: "Outputs | None") -> None:
    from eventdet.sources import LiveSource

    typer.echo(format_summary(summary), err=True)
    if isinstance(source, LiveSource):
        typer.echo(format_link(source), err=True)
    for sink in outputs.sinks if outputs is not None else ():
        typer.echo(f"wrote {sink.target}" + (f" ({sink.note})" if sink.note else ""), err=True)


def format_summary(summary: "StreamSummary") -> str:
    """Return the lines printed at the end of a run."""
    lines = [
        f"{summary.num_windows} windows, {summary.num_events:,} events, {summary.num_boxes} boxes; "
        f"{summary.recorded_s:.2f} s recorded in {summary.wall_s:.2f} s ({summary.speed:.1f}x)",
    ]
    if summary.events_cut:
        lines.append(f"{summary.events_cut:,} events fell outside the network's input")
    lines.extend(f"repaired: {name} {count:,}" for name, count in summary.report.repairs.items())
    lines.extend(f"note: {note}" for note in summary.notes)
    if summary.latency_ms:
        lines.append(f"{'latency ms':<12} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8}")
    lines.extend(
        f"{stage:<12} {row.p50:8.2f} {row.p95:8.2f} {row.p99:8.2f} {row.max:8.2f}"
        for stage, row in summary.latency_ms.items()
    )
    return "\n".join(lines)
