"""What ``eventdet simulate`` makes, and how it is told."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ._progress import progress_bar

if TYPE_CHECKING:
    from eventdet.events import Events
    from eventdet.simulation import SimulationConfig
    from eventdet.simulation.dataset import DatasetOptions
    from eventdet.simulation.realism import RealismReport, RealismRow

__all__ = ["film_video", "parse_split", "show_realism", "simulate_dataset", "simulate_recording", "write_sheet"]


def parse_split(text: str) -> tuple[float, float, float]:
    """Return the shares of train, val and test.

    Raises
    ------
    OptionError
        When they are not three numbers.
    """
    from eventdet.errors import OptionError

    try:
        train, val, test = map(float, text.split(","))
    except ValueError as error:
        raise OptionError(f"--split must be three shares, got {text!r}", hint="like 0.7,0.15,0.15") from error
    return train, val, test


def simulate_recording(
    output: Path, config: "SimulationConfig", *, faults: Sequence[str], truth: bool, quiet: bool, json: bool
) -> None:
    """Write one recording."""
    from eventdet.simulation import write_recording
    from eventdet.units import MICROSECONDS_PER_SECOND

    seconds = config.duration_us / MICROSECONDS_PER_SECOND
    with progress_bar("simulate", seconds, quiet=quiet) as advance:
        summary = write_recording(
            output,
            config,
            faults=faults,
            truth=truth,
            on_progress=lambda t_us: advance(t_us / MICROSECONDS_PER_SECOND),
        )
    if json:
        _print_json(summary.to_dict())
    elif not quiet:
        typer.echo(
            f"{summary.td_path}: synthetic, {summary.num_events:,} events, {seconds:g} s, seed {config.seed}\n"
            f"{summary.bbox_path}: {summary.num_boxes} boxes\n"
            f"sha256 {summary.sha256}"
            + (f"\nlost in the readout: {summary.num_lost:,} events" if summary.num_lost else "")
            + "".join(f"\nfaults: {name} {count}" for name, count in summary.faults.items())
        )


def simulate_dataset(folder: Path, options: "DatasetOptions", jobs: int, *, quiet: bool, json: bool) -> None:
    """Write a folder of recordings, or what is missing of it."""
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
        _print_json(summary.to_dict())
    elif not quiet:
        typer.echo(
            f"{summary.folder}: synthetic, {summary.num_written} written, {summary.num_up_to_date} up to date; "
            f"{summary.num_events:,} events, {summary.num_boxes:,} boxes"
        )


def show_realism(config: "SimulationConfig", recordings: int, *, quiet: bool, json: bool) -> None:
    """Compare recordings of so many seeds, from that of `config` on, with what is known of real ones."""
    from dataclasses import replace

    from eventdet.simulation.realism import measure_realism

    configs = [replace(config, seed=config.seed + number) for number in range(recordings)]
    with progress_bar("simulate", recordings, unit="recordings", quiet=quiet) as advance:
        report = measure_realism(configs, on_progress=advance)
    if json:
        _print_json(report.to_dict())
    else:
        typer.echo(_realism_table(report))


def write_sheet(path: Path, config: "SimulationConfig", recordings: int) -> None:
    """Write a PNG sheet of recordings of so many seeds, from that of `config` on."""
    from dataclasses import replace

    from eventdet.sinks.frames import write_png
    from eventdet.sinks.sheet import draw_sheet

    write_png(path, draw_sheet([replace(config, seed=config.seed + number) for number in range(recordings)]))


def film_video(video: Path, output: Path, sensor: str, seed: int, *, quiet: bool, json: bool) -> None:
    """Write the events that a synthetic camera sees in a video."""
    from eventdet.drawing.video_reader import probe_video, read_video
    from eventdet.formats import write_dat
    from eventdet.simulation import pick_sensor
    from eventdet.simulation.filming import film

    info = probe_video(video)
    num_events = 0

    def counted(advance: Callable[[float], None]) -> Iterator["Events"]:
        nonlocal num_events
        for number, events in enumerate(film(read_video(video), pick_sensor(sensor, seed), size=info.size, seed=seed)):
            num_events += len(events)
            advance(number)
            yield events

    with progress_bar("simulate", info.num_pictures or None, unit="pictures", quiet=quiet) as advance:
        write_dat(output, counted(advance), info.size, synthetic=True)
    if json:
        _print_json({"td_path": str(output), "num_events": num_events, "seed": seed, "synthetic": True})
    elif not quiet:
        typer.echo(f"{output}: synthetic, {num_events:,} events of {video}, {info.size}, seed {seed}")


def _realism_table(report: "RealismReport") -> str:
    judged = [row.is_inside for row in report.rows if row.is_inside is not None]
    lines = [
        f"{report.num_recordings} synthetic recordings, {report.num_cars} car patches, "
        f"{report.num_backgrounds} background patches: {sum(judged)} of {len(judged)} inside"
    ]
    return "\n".join(lines + [_realism_line(row) for row in report.rows])


def _realism_line(row: "RealismRow") -> str:
    if row.is_inside is None:
        known = "no real range known"
    else:
        known = f"real {row.low:g} to {row.high:g}  {'inside' if row.is_inside else 'outside'}"
    return f"{row.subject:<10}  {row.name:<20}  {row.value:>10.4g}  {known}"


def _print_json(values: dict[str, object]) -> None:
    from json import dumps

    typer.echo(dumps(values))
