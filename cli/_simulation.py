"""What ``eventdet simulate`` makes, and how it is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ._progress import progress_bar

if TYPE_CHECKING:
    from eventdet.simulation import SimulationConfig
    from eventdet.simulation.dataset import DatasetOptions
    from eventdet.simulation.realism import RealismReport, RealismRow

__all__ = ["parse_split", "show_realism", "simulate_dataset", "simulate_recording"]


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
            f"sha256 {summary.sha256}" + "".join(f"\nfaults: {name} {count}" for name, count in summary.faults.items())
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
