"""Options that several commands share: one name, one help text, one parser each."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eventdet.formats import ReadPolicy
    from eventdet.geometry import SensorSize
    from eventdet.preprocessing import Representation

__all__ = [
    "AllowRemote",
    "Duplicates",
    "Duration",
    "End",
    "Filters",
    "Fit",
    "Json",
    "Policy",
    "Quiet",
    "Reader",
    "RecordingPath",
    "Roi",
    "Runtime",
    "SensorSizeText",
    "Start",
    "parse_policy",
    "parse_representation",
    "parse_sensor_size",
    "parse_span_us",
]

AllowRemote = Annotated[
    bool, typer.Option("--allow-remote", help="Allow addresses that other machines reach; nothing is encrypted.")
]
RecordingPath = Annotated[
    Path, typer.Argument(help="Event file; `eventdet formats` lists the kinds.", show_default=False)
]
SensorSizeText = Annotated[
    str | None,
    typer.Option(
        "--sensor-size", metavar="WxH", help="Used where the file does not name its size.", show_default=False
    ),
]
Policy = Annotated[
    str,
    typer.Option(
        "--policy",
        help="Dirty input: repair (fix and count), strict (stop), or trust (repair, and take the order of a DAT file "
        "for granted).",
    ),
]
Duplicates = Annotated[
    str, typer.Option("--duplicates", help="Exact repeats of an event: ignore (fastest), count, or drop.")
]
Reader = Annotated[
    str, typer.Option("--reader", help="Who decodes the events: eventdet, or expelliarmus (DAT 2 and EVT 2.0).")
]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        "--transform",
        metavar="NAME[:ARG=VALUE,...]",
        help="Filter of events, e.g. background:time=2ms or tonic:Denoise; may be repeated. See docs/recordings.md.",
        show_default=False,
    ),
]
Fit = Annotated[str, typer.Option("--fit", help="A sensor larger than the network: scale, crop, or none (refuse).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
Runtime = Annotated[str, typer.Option(help="torch, openvino, onnxruntime, or auto: the fastest in a trial here.")]
Start = Annotated[
    str | None,
    typer.Option("--start", metavar="TIME", help="Begin this long after the first event.", show_default=False),
]
End = Annotated[
    str | None,
    typer.Option("--end", metavar="TIME", help="Stop this long after the first event.", show_default=False),
]
Roi = Annotated[
    str | None,
    typer.Option(
        "--roi", metavar="X,Y,W,H", help="Keep the events of this rectangle alone, where they are.", show_default=False
    ),
]
Duration = Annotated[
    str | None, typer.Option("--duration", metavar="TIME", help="Stop after this long.", show_default=False)
]


def parse_sensor_size(text: str | None) -> "SensorSize | None":
    """Return the size that the user gave, or None."""
    from eventdet.geometry import SensorSize

    return None if text is None else SensorSize.parse(text)


def parse_representation(text: str, *, bins: int) -> "Representation":
    """Return the tensors that the user wants; a module that the text names may lie in the current folder."""
    from eventdet.preprocessing import Representation

    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    return Representation.parse(text, bins=bins)


def parse_policy(policy: str, duplicates: str) -> "ReadPolicy":
    """Return what the user wants to happen to dirty input."""
    from eventdet.formats import ReadPolicy

    return ReadPolicy(policy, duplicates)


def parse_span_us(start: str | None, duration: str | None, *, t_first_us: int | None) -> tuple[int | None, int | None]:
    """Return absolute start and stop, in microseconds, of a part given relative to the first event.

    Raises
    ------
    OptionError
        When a part is asked of a live source, whose first event has not come yet.
    """
    from eventdet.errors import OptionError
    from eventdet.units import parse_duration_us

    if start is None and duration is None:
        return None, None
    if t_first_us is None:
        raise OptionError("--start and --duration need a recording, got a live source", hint="stop it with Ctrl-C")
    start_us = None if start is None else t_first_us + parse_duration_us(start, name="--start")
    if duration is None:
        return start_us, None
    begin = t_first_us if start_us is None else start_us
    return start_us, begin + parse_duration_us(duration, name="--duration")
