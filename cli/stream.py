"""``eventdet stream``: events in, detections out, window by window."""

from pathlib import Path
from typing import Annotated

import typer

from ._link import LiveFormat
from ._log import LogFormat, StreamLog, errors_logged
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
from ._service import (
    Cluster,
    Config,
    MaxRestarts,
    MetricsPort,
    PrintConfig,
    Record,
    Resume,
    Sources,
    run_otherwise,
)
from ._signals import terminated_like_interrupt
from ._stream_run import RunOptions, run_stream
from ._threads import default_threads, limit_spinning

__all__ = ["command"]


def command(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            help="Event file, synthetic://?seed=1&seconds=5, or live: tcp, unix, udp, zmq, camera://..., or - .",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            help="x.jsonl, .csv, .json (COCO), .txt (MOT), .npy, .rrd, .mp4, .gif, dir/%06d.png, web://127.0.0.1:8765 "
            "(a live page), zmq://, mqtt://, udp:// or - ; may be repeated.",
        ),
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Bundled name or .safetensors file.")] = "ems-res10-plain",
    window: Annotated[
        str | None,
        typer.Option(
            help="End of a window: 50ms, 20000ev, or 50ms,20000ev, whichever is first; default: the model's.",
            show_default=False,
        ),
    ] = None,
    stride: Annotated[
        str | None, typer.Option(help="From one window's start to the next; default: the window.", show_default=False)
    ] = None,
    pace: Annotated[str, typer.Option(help="max, realtime, or a factor like 2x.")] = "max",
    late: Annotated[
        str, typer.Option(help="When the detector is late: block (lose nothing), latest (skip windows), thin (events).")
    ] = "block",
    max_latency: Annotated[
        str | None,
        typer.Option(help="A window that waits longer is late; default: until the next one.", show_default=False),
    ] = None,
    thin: Annotated[float, typer.Option(help="Share of events that --late thin drops from a late window.")] = 0.5,
    state: Annotated[str, typer.Option(help="Membranes: keep from window to window, or reset every few.")] = "keep",
    steps: Annotated[
        int | None,
        typer.Option(help="Windows between resets; default: what the model was trained on.", min=1, show_default=False),
    ] = None,
    conf: Annotated[
        float,
        typer.Option(
            help="Lowest score of a detection; tracks begin and are found by scores of their own.", min=0.0, max=1.0
        ),
    ] = 0.25,
    iou: Annotated[
        float, typer.Option(help="Overlap above which the lower score is suppressed.", min=0.0, max=1.0)
    ] = 0.45,
    max_det: Annotated[int, typer.Option(help="Most detections a window.", min=1)] = 100,
    track: Annotated[
        bool, typer.Option("--track", help="Follow objects: boxes get ids, ages and velocities, and are predicted.")
    ] = False,
    fit: Fit = "scale",
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or int8.")] = "auto",
    runtime: Runtime = "torch",
    threads: Annotated[
        int | None,
        typer.Option(help="Torch threads; one for a live source or a pace, else all cores.", min=1, show_default=False),
    ] = None,
    start: Start = None,
    duration: Duration = None,
    sensor_size: SensorSizeText = None,
    format: LiveFormat = None,  # noqa: A002 - the option's name
    allow_remote: AllowRemote = False,
    policy: Policy = "repair",
    duplicates: Duplicates = "ignore",
    filters: Filters = None,
    record: Record = None,
    resume: Resume = False,
    config: Config = None,
    print_config: PrintConfig = False,
    sources: Sources = None,
    cluster: Cluster = None,
    max_restarts: MaxRestarts = 10,
    metrics_port: MetricsPort = None,
    profile: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write what each stage did when, as a Chrome trace.", show_default=False),
    ] = None,
    log_format: LogFormat = "text",
    quiet: Quiet = False,
) -> int:
    """Detect objects in a recording or a live stream, and write them to any number of outputs, or show them live.

    To watch: eventdet stream drive.dat --pace realtime -o web://127.0.0.1:8765
    """
    log = StreamLog(log_format, quiet=quiet)
    if (code := run_otherwise(context, log)) is not None:
        return code
    limit_spinning()
    from eventdet.sources import open_source
    from eventdet.sources.filtered import filter_source
    from eventdet.streaming import Streamer, StreamOptions, TraceLog
    from eventdet.streaming.detector import with_windows
    from eventdet.units import parse_duration_us, parse_pace

    trace = None if profile is None else TraceLog(profile)
    wanted = RunOptions(
        tuple(output or ()), allow_remote, record, resume, metrics_port, inputs=_inputs(model, config), trace=trace
    )
    # A long source may take a while to open, before there is anything to finalise.
    with errors_logged(log), terminated_like_interrupt():
        recording = open_source(
            str(source),
            sensor_size=parse_sensor_size(sensor_size),
            policy=parse_policy(policy, duplicates),
            format=format,
            allow_remote=allow_remote,
        )
        recording = filter_source(recording, filters or ())
        span_us = parse_span_us(start, duration, t_first_us=recording.t_first_us)
        options = StreamOptions(
            pace=parse_pace(pace),
            late=late,
            max_latency_us=None if max_latency is None else parse_duration_us(max_latency, name="--max-latency"),
            thin=thin,
            state=state,
            reset_steps=steps,
            conf=conf,
            iou=iou,
            max_detections=max_det,
            track=track,
            fit=fit,
            start_us=span_us[0],
            stop_us=span_us[1],
        )
        options = with_windows(options, window, stride, names=("--window", "--stride"))
        threads = threads or default_threads(recording, options.pace)
        streamer = Streamer.from_model(
            model, recording, options, dtype=dtype, runtime=runtime, threads=threads, trace=trace
        )
        return run_stream(streamer, recording, wanted, log)


def _inputs(model: str, config: Path | None) -> tuple[Path, ...]:
    # A bundled name is no file, and then nothing can be written over it.
    return (Path(model),) if config is None else (Path(model), config)
