"""``eventdet visualize``: event frames with boxes, as video or pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import (
    Duplicates,
    Duration,
    Filters,
    Policy,
    Quiet,
    SensorSizeText,
    Start,
    parse_policy,
    parse_sensor_size,
    parse_span_us,
)
from ._progress import progress_bar
from ._signals import EXIT_INTERRUPTED, stopped_by_signals

if TYPE_CHECKING:
    from eventdet.sinks.clip import VisualizeSummary

__all__ = ["command"]


def command(
    source: Annotated[
        str, typer.Argument(help="Event file, store, or synthetic://?seed=1&seconds=5.", show_default=False)
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="clip.mp4, clip.gif, frames/%06d.png or picture.png.")],
    boxes: Annotated[
        Path | None, typer.Option(help="Detections: .jsonl of eventdet stream, or .npy.", show_default=False)
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Labels: _bbox.npy; drawn dashed.", show_default=False)] = None,
    window: Annotated[str, typer.Option(help="Events shown in one picture.")] = "33333us",
    fps: Annotated[float, typer.Option(help="Pictures a second of video.", min=0.1, max=1000.0)] = 30.0,
    slow: Annotated[float, typer.Option(help="Slow motion: 10 shows 0.1 s in one second.", min=0.01)] = 1.0,
    palette: Annotated[str, typer.Option(help="dark, light, coolwarm or gray.")] = "dark",
    scale: Annotated[int | None, typer.Option(help="Whole pixels a pixel; default: by sensor.", min=1, max=8)] = None,
    start: Start = None,
    duration: Duration = None,
    sensor_size: SensorSizeText = None,
    policy: Policy = "repair",
    duplicates: Duplicates = "ignore",
    filters: Filters = None,
    quiet: Quiet = False,
) -> int:
    """Draw a recording, with boxes if given, to a video or pictures.

    To watch detections in a browser as they are made: eventdet stream ... -o web://127.0.0.1:8765
    """
    from eventdet.boxes import GEN1_CLASSES
    from eventdet.drawing import Style
    from eventdet.formats import read_boxes
    from eventdet.sinks import Clip, read_detections, visualize
    from eventdet.sources.filtered import filter_finite
    from eventdet.sources.target import open_finite
    from eventdet.units import parse_duration_us

    recording = filter_finite(
        open_finite(source, sensor_size=parse_sensor_size(sensor_size), policy=parse_policy(policy, duplicates)),
        filters or (),
    )
    start_us, stop_us = parse_span_us(start, duration, t_first_us=recording.t_first_us)
    header, detections = (None, None) if boxes is None else read_detections(boxes)
    clip = Clip(
        window_us=parse_duration_us(window, name="--window"),
        fps=fps,
        slow=slow,
        start_us=start_us,
        stop_us=stop_us,
        hold_boxes_us=None if header is None else header.stride_us,
        class_names=GEN1_CLASSES if header is None else header.class_names,
        synthetic=recording.synthetic,
    )
    with stopped_by_signals() as interrupted, progress_bar("visualize", 1.0, unit="", quiet=quiet) as advance:
        summary = visualize(
            recording,
            output,
            boxes=detections,
            labels=None if labels is None else read_boxes(labels),
            clip=clip,
            style=Style(palette=palette, scale=scale),
            on_progress=advance,
            should_stop=interrupted,
        )
    if not quiet:
        _print(summary)
        if header is not None and header.sensor_size != recording.sensor_size:
            typer.echo(f"note: the boxes are those of a sensor of {header.sensor_size}, not {recording.sensor_size}")
    return EXIT_INTERRUPTED if interrupted() else 0


def _print(summary: "VisualizeSummary") -> None:
    typer.echo(f"{summary.path}: {summary.num_frames} pictures")
    for name, count in summary.repairs.items():
        typer.echo(f"repaired: {name} {count:,}")
    if summary.note:
        typer.echo(f"note: {summary.note}")
