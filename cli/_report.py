"""What the commands that print a table, and write it as JSON and as a figure, have in common."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FigurePath", "JsonPath", "check_targets", "format_table", "save_figure", "write_json"]

JsonPath = Annotated[Path | None, typer.Option("--json", help="Write everything here as JSON.", show_default=False)]
FigurePath = Annotated[
    Path | None,
    typer.Option("--figure", help="Draw it here: .png, .svg or .pdf (extra plots).", show_default=False),
]

_FIGURES = (".png", ".svg", ".pdf")


def check_targets(json_path: Path | None, figure_path: Path | None) -> None:
    """Find out before the work begins whether its results could be written.

    Raises
    ------
    OptionError
        When a target is a folder, or the figure has another ending than those known.
    OutputError
        When a target cannot be written.
    MissingExtraError
        When a figure is asked for and matplotlib is not installed.
    """
    from importlib.util import find_spec

    from eventdet.errors import MissingExtraError, check_option
    from eventdet.sinks._files import check_target

    for path in (json_path, figure_path):
        if path is not None:
            check_target(path)
    if figure_path is not None:
        check_option("ending of --figure", figure_path.suffix.lower(), _FIGURES)
        if find_spec("matplotlib") is None:
            raise MissingExtraError("drawing figures", extra="plots")


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record, with the version of eventdet, so that it appears whole or not at all.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    from eventdet import __version__
    from eventdet.formats._atomic import atomic_writer
    from eventdet.sinks._files import make_folder

    make_folder(path)
    with atomic_writer(path) as stream:
        stream.write((json.dumps({"eventdet": __version__, **record}, indent=2) + "\n").encode())


def save_figure(path: Path, figure: "Figure") -> None:
    """Write a figure in the format that the path ends in.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    from eventdet.formats._atomic import atomic_writer
    from eventdet.sinks._files import make_folder

    make_folder(path)
    with atomic_writer(path) as stream:
        figure.savefig(stream, format=path.suffix.lower().removeprefix("."), dpi=120)


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, last_is_text: bool = False) -> str:
    """Return an aligned table: text (the first column, and the last if it is said to be) left, numbers right.

    Examples
    --------
    >>> print(format_table(("layer", "rate"), [("stem", "0.25"), ("head.lateral", "0.3")]))
    layer         rate
    stem          0.25
    head.lateral   0.3
    """
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    texts = {0, len(header) - 1} if last_is_text else {0}
    return "\n".join(
        "  ".join(
            f"{cell:<{width}}" if column in texts else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    )
