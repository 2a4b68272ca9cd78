"""``eventdet simulate``: write a synthetic recording in Gen1's form, or a data set of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import Json, Quiet
from ._progress import progress_bar

if TYPE_CHECKING:
    from eventdet.simulation import SimulationConfig
    from eventdet.simulation.dataset import DatasetOptions

__all__ = ["command"]


def command(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of a data set, with --recordings.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File of one recording, named like NAME_td.dat.", show_default=False),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Recorded seconds.", min=0.001, max=4294.0)] = 5.0,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.", min=0)] = 1,
    preset: Annotated[str, typer.Option(help="Kind of street; docs/simulation.md lists them.")] = "plain",
    sensor: Annotated[str, typer.Option(help="Kind of camera: atis, atis-noisy, or voltmeter.")] = "atis",
    rate: Annotated[
        float | None,
        typer.Option(help="Bring it to so many Mev/s: a load for readers.", min=1e-6, max=50.0, show_default=False),
    ] = None,
    label_rate: Annotated[float, typer.Option(help="Label times a second.", min=0.1, max=100.0)] = 4.0,
    recordings: Annotated[
        int | None, typer.Option(help="Recordings of a data set, each of its own seed.", min=1, show_default=False)
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="A,B,C", help="Data set: shares of train, val, test.")
    ] = "0.7,0.15,0.15",
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Data set: recordings made at once.", min=1)] = 1,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a synthetic driving recording (Gen1 form: DAT with its bbox.npy), or a folder of them that resumes."""
    from eventdet.errors import OptionError
    from eventdet.simulation import SimulationConfig
    from eventdet.simulation.dataset import DatasetOptions
    from eventdet.units import MICROSECONDS_PER_SECOND

    duration_us = round(seconds * MICROSECONDS_PER_SECOND)
    rate_hz = None if rate is None else 1e6 * rate
    config = SimulationConfig(seed, duration_us, preset, sensor, label_rate, rate_hz)
    if recordings is None and output is not None and folder is None:
        _write_recording(output, config, quiet=quiet, json=json)
    elif recordings is not None and folder is not None and output is None:
        options = DatasetOptions(recordings, config, _parse_split(split))
        _write_dataset(folder, options, jobs, quiet=quiet, json=json)
    else:
        raise OptionError(
            "simulate writes either one recording or a data set",
            hint="eventdet simulate -o NAME_td.dat, or eventdet simulate FOLDER --recordings 10",
        )


def _parse_split(text: str) -> tuple[float, float, float]:
    from eventdet.errors import OptionError

    try:
        train, val, test = map(float, text.split(","))
    except ValueError as error:
        raise OptionError(f"--split must be three shares, got {text!r}", hint="like 0.7,0.15,0.15") from error
    return train, val, test


def _write_recording(output: Path, config: "SimulationConfig", *, quiet: bool, json: bool) -> None:
    from eventdet.simulation import write_recording
    from eventdet.units import MICROSECONDS_PER_SECOND

    seconds = config.duration_us / MICROSECONDS_PER_SECOND
    with progress_bar("simulate", seconds, quiet=quiet) as advance:
        summary = write_recording(
            output,
            config,
            on_progress=lambda t_us: advance(t_us / MICROSECONDS_PER_SECOND),
        )
    if json:
        from json import dumps

        typer.echo(dumps(summary.to_dict()))
    elif not quiet:
        typer.echo(
            f"{summary.td_path}: synthetic, {summary.num_events:,} events, {seconds:g} s, seed {config.seed}\n"
            f"{summary.bbox_path}: {summary.num_boxes} boxes\n"
            f"sha256 {summary.sha256}"
        )


def _write_dataset(folder: Path, options: "DatasetOptions", jobs: int, *, quiet: bool, json: bool) -> None:
    from eventdet.simulation.dataset import write_dataset
    from eventdet.units import MICROSECONDS_PER_SECOND

    seconds = options.num_recordings * options.config.duration_us / MICROSECONDS_PER_SECOND
    with progress_bar("simulate", seconds, quiet=quiet) as advance:
        summary = write_dataset(
            folder,
            options,
            num_processes=jobs,
            on_progress=lambda t_us: advance(t_us / MICROSECONDS_PER_SECOND),
        )
    if json:
        from json import dumps

        typer.echo(dumps(summary.to_dict()))
    elif not quiet:
        typer.echo(
            f"{summary.folder}: synthetic, {summary.num_written} written, {summary.num_up_to_date} up to date; "
            f"{summary.num_events:,} events, {summary.num_boxes:,} boxes"
        )
