"""``eventdet simulate``: write a synthetic recording in Gen1's form, or a data set of them."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Json, Quiet
from ._simulation import film_video, parse_split, show_realism, simulate_dataset, simulate_recording, write_sheet

__all__ = ["command"]

_SHOWN = 8
"""Recordings of a report or a sheet."""

_FORMS = (
    ({"-o"}, {"--faults", "--truth"}),
    ({"-o", "--from-video"}, set[str]()),
    ({"FOLDER", "--recordings"}, set[str]()),
    ({"--report"}, {"--recordings"}),
    ({"--sheet"}, {"--recordings"}),
)
"""What a call must name of what decides its kind, and what it may name besides."""


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
    label_noise: Annotated[
        bool, typer.Option("--label-noise", help="Labels as of people: late, a little off, some missing.")
    ] = False,
    truth: Annotated[
        bool, typer.Option("--truth", help="Also NAME_truth.npz: amodal boxes, visible shares, hidden objects.")
    ] = False,
    faults: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...",
            help="One recording made dirty: backward, duplicate, jump, off-sensor, polarity, truncate.",
            show_default=False,
        ),
    ] = None,
    recordings: Annotated[
        int | None,
        typer.Option(
            help="Recordings of a data set, or of --report and --sheet (default 8).", min=1, show_default=False
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="A,B,C", help="Data set: shares of train, val, test.")
    ] = "0.7,0.15,0.15",
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Data set: recordings made at once.", min=1)] = 1,
    report: Annotated[
        bool, typer.Option("--report", help="Write nothing: compare with what is known of real recordings.")
    ] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Only draw one second of --recordings streets.", show_default=False),
    ] = None,
    from_video: Annotated[
        Path | None, typer.Option(metavar="VIDEO", help="Film this and not a street; needs -o.", show_default=False)
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a synthetic driving recording (Gen1 form: DAT with its bbox.npy), or a folder of them that resumes."""
    from eventdet.simulation import SimulationConfig
    from eventdet.simulation.dataset import DatasetOptions
    from eventdet.units import MICROSECONDS_PER_SECOND

    duration_us = round(seconds * MICROSECONDS_PER_SECOND)
    rate_hz = None if rate is None else 1e6 * rate
    config = SimulationConfig(seed, duration_us, preset, sensor, label_rate, label_noise, rate_hz)
    given = {"FOLDER": folder, "-o": output, "--recordings": recordings, "--faults": faults, "--truth": truth}
    given |= {"--report": report, "--sheet": sheet, "--from-video": from_video}
    _check_form({name for name, value in given.items() if value})
    if folder is not None and recordings is not None:
        simulate_dataset(folder, DatasetOptions(recordings, config, parse_split(split)), jobs, quiet=quiet, json=json)
    elif report:
        show_realism(config, recordings or _SHOWN, quiet=quiet, json=json)
    elif sheet is not None:
        write_sheet(sheet, config, recordings or _SHOWN)
    elif output is not None and from_video is not None:
        film_video(from_video, output, sensor, seed, quiet=quiet, json=json)
    elif output is not None:
        chosen = faults.split(",") if faults else ()
        simulate_recording(output, config, faults=chosen, truth=truth, quiet=quiet, json=json)


def _check_form(given: set[str]) -> None:
    from eventdet.errors import OptionError

    if not any(needed <= given <= needed | also for needed, also in _FORMS):
        got = ", ".join(sorted(given)) or "nothing"
        raise OptionError(
            f"simulate writes either one recording or a data set, or shows them, got {got}",
            hint="eventdet simulate -o NAME_td.dat, or eventdet simulate FOLDER --recordings 10",
        )
