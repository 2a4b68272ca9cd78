"""``eventdet info``: what a recording holds, and what was repaired on reading it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import Duplicates, Json, Policy, Reader, SensorSizeText, parse_policy, parse_sensor_size
from ._store_info import store_table

if TYPE_CHECKING:
    from eventdet.formats.inspect import RecordingInfo

__all__ = ["command"]

RecordingOrStore = Annotated[
    str, typer.Argument(help="Event file, or store of eventdet convert, which may be a URL.", show_default=False)
]


def command(
    file: RecordingOrStore,
    sensor_size: SensorSizeText = None,
    policy: Policy = "repair",
    duplicates: Duplicates = "count",
    reader: Reader = "eventdet",
    json: Json = False,
) -> None:
    """Show format, geometry, rates, repairs and labels of a recording; or what a store holds."""
    from eventdet.formats import is_rosbag_folder
    from eventdet.preprocessing.locations import is_url

    if is_url(file) or (Path(file).is_dir() and not is_rosbag_folder(file)):
        _show_store(file, json=json)
        return
    from eventdet.formats.inspect import inspect_recording

    rules = parse_policy(policy, duplicates)
    info = inspect_recording(file, sensor_size=parse_sensor_size(sensor_size), policy=rules, reader=reader)
    if json:
        from json import dumps

        typer.echo(dumps(info.to_dict(), indent=2))
    else:
        typer.echo(_table(info))


def _show_store(path: str, *, json: bool) -> None:
    from eventdet.preprocessing.inspect import inspect_store

    info = inspect_store(path)
    if json:
        from json import dumps

        typer.echo(dumps(info.to_dict(), indent=2))
    else:
        typer.echo(store_table(info))


def _table(info: "RecordingInfo") -> str:
    counts = info.counts
    repairs = ", ".join(f"{name} {count:,}" for name, count in info.repairs.items())
    rows = [
        ("file", info.path),
        ("format", info.format),
        ("reader", info.reader),
        ("data", "synthetic" if info.synthetic else "recorded"),
        ("sensor", f"{info.width}x{info.height}"),
        ("events", f"{info.num_events:,}"),
        ("first event", f"{info.t_first_us:,} us"),
        ("duration", f"{info.duration_us / 1000:,.3f} ms"),
        ("rate", f"{info.mean_rate_mev_s:.3f} Mev/s mean, {info.peak_rate_mev_s:.3f} Mev/s in the fullest 10 ms"),
        ("ON share", f"{info.on_share:.3f}"),
        ("monotonic", "yes" if info.is_monotonic else f"no, {counts['backward_clamped']:,} steps back"),
        ("out of range", f"{counts['out_of_range_dropped']:,}"),
        ("duplicates", f"{counts['duplicates_kept'] + counts['duplicates_dropped']:,}"),
        ("triggers", f"{counts['trigger_words']:,}"),
        ("repaired", repairs or "nothing"),
    ]
    if counts["packets_missing"]:
        rows.append(("missing", f"{counts['packets_missing']:,} packets were lost before the recording"))
    if counts["time_wraps"]:
        rows.append(("time wraps", f"{counts['time_wraps']:,}"))
    if info.labels_path is not None:
        rows.append(("labels", _labels(info)))
    return "\n".join(f"{name:<13} {value}" for name, value in rows)


def _labels(info: "RecordingInfo") -> str:
    from eventdet.boxes import GEN1_CLASSES

    if info.labels_fault is not None:
        return f"not readable: {info.labels_fault}"
    names = dict(enumerate(GEN1_CLASSES))
    counts = ", ".join(f"{names.get(key, f'class {key}')} {count:,}" for key, count in info.labels.items())
    dropped = f", {info.labels_dropped:,} rows are no box" if info.labels_dropped else ""
    return f"{counts or 'none'} in {Path(info.labels_path or '').name}{dropped}"
