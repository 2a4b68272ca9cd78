"""``eventdet labels``: what can be said about label files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._options import Json, Policy, SensorSizeText, parse_sensor_size

if TYPE_CHECKING:
    from eventdet.formats.label_health import LabelHealth

__all__ = ["app"]

app = typer.Typer(help="Look into label files.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look into label files."""


@app.command()
def check(
    boxes: Annotated[Path, typer.Argument(help="Label file: _bbox.npy.", show_default=False)],
    events: Annotated[Path | None, typer.Option(help="The recording they belong to.", show_default=False)] = None,
    classes: Annotated[str, typer.Option(help="Names of the known classes, by class id.")] = "car,pedestrian",
    sensor_size: SensorSizeText = None,
    policy: Policy = "repair",
    json: Json = False,
) -> None:
    """Report boxes that cannot be true: out of frame, frozen, repeated, without events."""
    from eventdet.formats.label_health import check_labels
    from eventdet.sources.stored import open_file_or_store

    size = parse_sensor_size(sensor_size)
    health = check_labels(
        boxes,
        None if events is None else open_file_or_store(events, sensor_size=size, policy=policy),
        sensor_size=size,
        class_names=[name.strip() for name in classes.split(",")],
    )
    if json:
        from json import dumps

        typer.echo(dumps(health.to_dict(), indent=2))
    else:
        typer.echo(_table(health))


def _table(health: "LabelHealth") -> str:
    rows = [
        ("file", health.path),
        ("layout", health.layout),
        ("boxes", f"{health.num_boxes:,} at {health.num_times:,} times"),
        ("time", f"{health.t_first_us:,} to {health.t_last_us:,} us"),
        ("label rate", f"{health.label_rate_hz:.2f} Hz"),
    ]
    for name, sizes in health.sizes.items():
        width, height = ("{:.0f}/{:.0f}/{:.0f}".format(*values) for values in (sizes.width, sizes.height))
        rows.append((name, f"{sizes.count:,} boxes, width {width}, height {height} px (smallest/median/largest)"))
    for finding in health.findings:
        rows_named = f", rows {', '.join(map(str, finding.examples))}" if finding.count else ""
        rows.append((finding.name, f"{finding.count:,}{rows_named}"))
    rows.extend(("not checked", what) for what in health.not_checked)
    return "\n".join(f"{name:<28} {value}" for name, value in rows)
