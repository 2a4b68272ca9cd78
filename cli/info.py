"""``eventdet info``: what a recording holds, and what was repaired on reading it."""

from typing import TYPE_CHECKING

import typer

from ._options import Json, Policy, RecordingPath, SensorSizeText, parse_sensor_size

if TYPE_CHECKING:
    from eventdet.formats import RecordingInfo

__all__ = ["command"]


def command(
    file: RecordingPath, sensor_size: SensorSizeText = None, policy: Policy = "repair", json: Json = False
) -> None:
    """Show format, geometry, rates, repairs and labels of a recording."""
    from eventdet.formats import inspect_recording

    info = inspect_recording(file, sensor_size=parse_sensor_size(sensor_size), policy=policy)
    if json:
        from json import dumps

        typer.echo(dumps(info.to_dict(), indent=2))
    else:
        typer.echo(_table(info))


def _table(info: "RecordingInfo") -> str:
    rows = [
        ("file", str(info.path)),
        ("format", info.format),
        ("sensor", str(info.sensor_size)),
        ("events", f"{info.num_events:,}"),
        ("time", f"{info.t_first_us:,} .. {info.t_last_us:,} us"),
        ("duration", f"{info.duration_us / 1000:,.3f} ms"),
        ("rate", f"{info.mean_rate_mevs:.3f} Mev/s mean, {info.peak_rate_mevs:.3f} Mev/s peak (10 ms)"),
        ("ON share", f"{info.on_share:.3f}"),
        ("monotonic", "yes" if info.is_monotonic else f"no: {info.report.backward_clamped:,} steps back"),
        ("out of range", f"{info.report.out_of_range_dropped:,}"),
    ]
    repairs = ", ".join(f"{name} {count:,}" for name, count in info.report.repairs.items())
    rows.append(("repaired", repairs or "nothing"))
    if info.labels_per_class is not None:
        rows.append(("labels", ", ".join(f"{name} {count:,}" for name, count in info.labels_per_class.items()) or "0"))
    return "\n".join(f"{name:<13} {value}" for name, value in rows)
