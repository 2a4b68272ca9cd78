"""``eventdet evaluate``: scores under named protocols, of saved detections or of a detector run here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import Quiet, Runtime, SensorSizeText, parse_sensor_size

if TYPE_CHECKING:
    from eventdet.evaluation import Evaluation, Protocol
    from eventdet.geometry import SensorSize

    from ._evaluation import Evaluated

__all__ = ["command"]

_EXIT_PARTIAL = 5
_PROTOCOL = "rvt"

_SAVED, _WEIGHTS = "saved detections", "recordings with --weights"
_COCO, _PATCHES = "--format coco", "--format patches"
_MODES = (_SAVED, _WEIGHTS, _COCO, _PATCHES)
_MODES_OF = {
    **dict.fromkeys(("labels", "tracks", "classes"), (_SAVED,)),
    **dict.fromkeys(("protocol", "matching", "tolerance", "latency", "plots"), (_SAVED, _WEIGHTS)),
    **dict.fromkeys(("conf", "iou", "max_det"), (_WEIGHTS, _COCO, _PATCHES)),
    **dict.fromkeys(("dtype", "runtime"), (_WEIGHTS, _PATCHES)),
    "alarm_score": (_SAVED, _WEIGHTS, _PATCHES),
    "sensor_size": (_SAVED, _PATCHES),
    "canvas_noise": (_PATCHES,),
}
"""What options that are not for everything are for."""

_HINTS = {
    "labels": "labels lie beside the recordings",
    "tracks": "evaluate what `eventdet stream --track` wrote",
}


def command(
    context: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(help="Detections (.jsonl, .npy, folders); with --weights: recordings.", show_default=False),
    ],
    labels: Annotated[
        list[Path] | None, typer.Option(help="Labels: _bbox.npy, stores, folders.", show_default=False)
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Run this detector: bundled name or .safetensors file.", show_default=False)
    ] = None,
    protocol: Annotated[str, typer.Option(help="rvt, prophesee, prophesee-cli, side20, yolo, or all.")] = _PROTOCOL,
    matching: Annotated[
        str | None,
        typer.Option(help="exact, all-in-window or newest-before; default: the protocol's.", show_default=False),
    ] = None,
    tolerance: Annotated[
        str | None, typer.Option(help="Farthest, or with newest-before oldest, result of a label.", show_default=False)
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(
            help="Newest finished result at a label: `measured`, or a time like 20ms for all.", show_default=False
        ),
    ] = None,
    alarm_score: Annotated[
        float,
        typer.Option(
            help="Lowest score of a false alarm where nothing is labelled, or of a patch found.", min=0, max=1
        ),
    ] = 0.25,
    tracks: Annotated[
        bool, typer.Option("--tracks", help="Score track ids too: HOTA, IDF1, MOTA.", show_default=False)
    ] = False,
    classes: Annotated[str, typer.Option(help="Names by class id, for .npy.")] = "car,pedestrian",
    conf: Annotated[float, typer.Option(help="With --weights: lowest score.", min=0.0, max=1.0)] = 0.001,
    iou: Annotated[float, typer.Option(help="With --weights: overlap that suppresses.", min=0.0, max=1.0)] = 0.45,
    max_det: Annotated[int, typer.Option(help="With --weights: most detections a window.", min=1)] = 300,
    dtype: Annotated[str, typer.Option(help="With --weights: auto, float32, bfloat16 or int8.")] = "auto",
    runtime: Runtime = "torch",
    sensor_size: SensorSizeText = None,
    format: Annotated[str, typer.Option(help="events; coco: a folder of pictures; patches: N-CARS.")] = "events",  # noqa: A002
    canvas_noise: Annotated[
        float, typer.Option(metavar="HZ", help="Patches: noise events a pixel and second around them.", min=0, max=1e3)
    ] = 0.0,
    json: Annotated[Path | None, typer.Option(help="Write everything here as JSON.", show_default=False)] = None,
    plots: Annotated[
        Path | None,
        typer.Option(help="Write precision over recall here, .png and .csv (extra plots).", show_default=False),
    ] = None,
    quiet: Quiet = False,
) -> int:
    """Score detections against labels under a named protocol, or under all of them side by side."""
    from eventdet.errors import OptionError

    mode = _checked_mode(context, format, weights)
    if mode in (_COCO, _PATCHES):
        if weights is None or len(inputs) != 1:
            raise OptionError(f"{mode} needs one folder and --weights")
        if mode == _COCO:
            return _score_pictures(inputs[0], weights, conf=conf, iou=iou, max_det=max_det, json=json, quiet=quiet)
        canvas = (parse_sensor_size(sensor_size), canvas_noise)
        run_as: dict[str, Any] = {"dtype": dtype, "runtime": runtime, "json": json, "quiet": quiet}
        return _score_patches(inputs[0], weights, (conf, iou, max_det), canvas, alarm_score, **run_as)

    # It loads NumPy, which `eventdet --help` does without.
    from ._curves import check_curves, write_curves
    from ._evaluation import detect_recordings, format_evaluations, read_recordings, write_report

    protocols = _protocols(protocol, matching, tolerance)
    if plots is not None:
        check_curves(plots)
    if weights is None:
        if not labels:
            raise OptionError("saved detections need --labels", hint="or run a detector with --weights")
        names = tuple(name.strip() for name in classes.split(","))
        paths = [Path(path) for path in inputs]
        evaluated = read_recordings(paths, labels, class_names=names, size=parse_sensor_size(sensor_size))
    else:
        from eventdet.streaming import StreamOptions

        options = StreamOptions(conf=conf, iou=iou, max_detections=max_det)
        evaluated = detect_recordings(inputs, weights, options, dtype=dtype, runtime=runtime, quiet=quiet)
    evaluations = _evaluations(evaluated, protocols, latency, alarm_score=alarm_score, with_tracks=tracks)
    if json is not None:
        write_report(json, evaluated, evaluations)
    if plots is not None:
        write_curves(plots, evaluations, evaluated.class_names, title=evaluated.data)
    typer.echo(format_evaluations(evaluated, evaluations))
    return _EXIT_PARTIAL if evaluated.skipped else 0


def _checked_mode(context: typer.Context, format: str, weights: str | None) -> str:  # noqa: A002 # as the option
    """Return what is scored, after refusing options that are for something else: they would be without effect."""
    from eventdet.errors import OptionError, check_option

    check_option("--format", format, ("events", "coco", "patches"))
    events = _SAVED if weights is None else _WEIGHTS
    mode = events if format == "events" else f"--format {format}"
    for parameter in context.command.params:
        name = str(parameter.name)
        origin, modes = context.get_parameter_source(name), _MODES_OF.get(name, _MODES)
        if origin is not None and origin.name == "COMMANDLINE" and mode not in modes:
            raise OptionError(f"{parameter.opts[0]} is for {' or '.join(modes)}, got {mode}", hint=_HINTS.get(name, ""))
    return mode


def _evaluations(
    evaluated: "Evaluated", protocols: list["Protocol"], latency: str | None, *, alarm_score: float, with_tracks: bool
) -> list["Evaluation"]:
    from eventdet.evaluation import evaluate
    from eventdet.units import parse_duration_us

    from ._evaluation import with_constant_latency

    recordings = evaluated.recordings
    if latency is not None and latency != "measured":
        recordings = with_constant_latency(recordings, parse_duration_us(latency, name="--latency"))
    return [
        evaluate(
            recordings,
            rules,
            num_classes=len(evaluated.class_names),
            with_latency=latency is not None,
            alarm_score=alarm_score,
            with_tracks=with_tracks,
        )
        for rules in protocols
    ]


def _score_pictures(folder: str, weights: str, **options: Any) -> int:
    from ._coco_evaluation import evaluate_pictures

    typer.echo(evaluate_pictures(folder, weights, **options))
    return 0


def _score_patches(
    folder: str,
    weights: str,
    detection: tuple[float, float, int],
    canvas: "tuple[SensorSize | None, float]",
    found_score: float,
    **run_as: Any,
) -> int:
    from eventdet.geometry import GEN1
    from eventdet.streaming import StreamOptions

    from ._patch_evaluation import PatchOptions, evaluate_patches

    conf, iou, max_det = detection
    size, noise_hz = canvas
    options = PatchOptions(
        StreamOptions(conf=conf, iou=iou, max_detections=max_det), size or GEN1, noise_hz, found_score
    )
    table, is_whole = evaluate_patches(folder, weights, options, **run_as)
    typer.echo(table)
    return 0 if is_whole else _EXIT_PARTIAL


def _protocols(name: str, matching: str | None, tolerance: str | None) -> list["Protocol"]:
    """Return the protocols that are asked for, with another matching where the user gave one."""
    from dataclasses import replace

    from eventdet.errors import check_option
    from eventdet.evaluation import PROTOCOLS
    from eventdet.units import parse_duration_us

    check_option("--protocol", name, [*PROTOCOLS, "all"])
    chosen = list(PROTOCOLS.values()) if name == "all" else [PROTOCOLS[name]]
    if matching is not None:
        # Prophesee's tolerance is no age limit of another matching.
        own_us = PROTOCOLS["prophesee"].tolerance_us if matching == "all-in-window" else None
        chosen = [replace(rules, matching=matching, tolerance_us=own_us) for rules in chosen]
    if tolerance is not None:
        tolerance_us = parse_duration_us(tolerance, name="--tolerance")
        chosen = [replace(rules, tolerance_us=tolerance_us) for rules in chosen]
    return chosen
