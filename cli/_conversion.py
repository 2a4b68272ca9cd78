"""What ``convert`` shows of a conversion to a store: how far it has come, and what came of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from eventdet.preprocessing import ConvertProgress, ConvertSummary

__all__ = ["conversion_bar", "parse_classes", "print_summary"]


@contextmanager
def conversion_bar(*, quiet: bool, interrupted: Callable[[], bool]) -> Iterator["Callable[[ConvertProgress], None]"]:
    """Show files, rate, bytes written and the time left on stderr; nothing when quiet or when it is no terminal.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    interrupted : callable
        Whether the user wants it to end; it then does between two batches of events, never amid the writing of a file.

    Yields
    ------
    callable
        Takes the progress; raises KeyboardInterrupt once `interrupted` says so.
    """
    # A daemon may have closed it.
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    with _bar() if is_terminal and not quiet else nullcontext(lambda _: None) as show:

        def advance(progress: "ConvertProgress") -> None:
            show(progress)
            if interrupted():
                raise KeyboardInterrupt

        yield advance


@contextmanager
def _bar() -> Iterator["Callable[[ConvertProgress], None]"]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = ("{task.fields[files]} files", "{task.fields[rate]:.1f} Mev/s", "{task.fields[written]:.0f} MB written")
    with Progress(
        BarColumn(), *map(TextColumn, columns), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("convert", total=1.0, files="0", rate=0.0, written=0.0)

        def show(progress: "ConvertProgress") -> None:
            elapsed_s = max(bar.tasks[0].elapsed or 0.0, 1e-3)
            bar.update(
                task,
                completed=progress.share,
                files=f"{progress.files_done}/{progress.num_files}",
                rate=progress.num_events / elapsed_s / 1e6,
                written=progress.bytes_written / 1e6,
            )

        yield show


def parse_classes(text: str | None) -> tuple[int, ...] | None:
    """Return the class ids that the user names, by the names of Gen1 or by number; None for all.

    Raises
    ------
    OptionError
        When a name is unknown.
    """
    from eventdet.boxes import GEN1_CLASSES
    from eventdet.errors import check_option

    if text is None:
        return None
    ids = {name: number for number, name in enumerate(GEN1_CLASSES)}
    names = [part.strip() for part in text.split(",")]
    return tuple(int(name) if name.isdecimal() else ids[check_option("--classes", name, ids)] for name in names)


def print_summary(summary: "ConvertSummary") -> None:
    """Print what came of a conversion; skipped recordings, each with its reason, on stderr."""
    typer.echo(
        f"{summary.output}: {summary.num_converted} converted, {summary.num_up_to_date} up to date, "
        f"{len(summary.failed)} failed; {summary.num_events:,} events, {summary.num_frames:,} windows, "
        f"{summary.num_bytes / 1e6:,.1f} MB"
    )
    for name, count in summary.repairs.items():
        typer.echo(f"repaired: {name} {count:,}")
    for rule, count in summary.labels_dropped.items():
        typer.echo(f"labels left out: {rule} {count:,}")
    for lacking in summary.without_windows:
        typer.echo(f"note: {lacking.path}: {lacking.reason}", err=True)
    for failure in summary.failed:
        typer.echo(f"failed: {failure.path}: {failure.reason}", err=True)
