"""Progress on stderr: a bar for people, nothing for pipes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Advance", "progress_bar"]


class Advance(Protocol):
    """What moves a bar on."""

    def __call__(self, done: float, /, note: str = "") -> None:
        """Show how far the work has come, in the bar's unit, and a note behind it."""


@contextmanager
def progress_bar(label: str, total: float | None, *, unit: str = "s", quiet: bool = False) -> Iterator[Advance]:
    """Show a bar while the body runs.

    Parameters
    ----------
    label : str
        What is being done.
    total : float or None
        Where the bar is full, in `unit`; None when that is not known.
    unit : str
        Printed after the numbers.
    quiet : bool
        Show nothing; also when stderr is not a terminal.

    Yields
    ------
    callable
        Takes how far the work has come, in `unit`, and maybe a note to show.
    """
    # A daemon may have closed it.
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    done = "{task.completed:.1f} " if total is None else "{task.completed:.1f}/{task.total:.1f} "
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(done + unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None if total is None else max(total, 1e-9), note="")
        yield lambda done, note="": bar.update(task, completed=done, note=note)
