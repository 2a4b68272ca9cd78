"""What ``export`` and ``import`` print."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from eventdet.preprocessing.interchange import InterchangeSummary

__all__ = ["print_summary"]


def print_summary(summary: "InterchangeSummary", *, quiet: bool, json: bool) -> int:
    """Tell what was written and what was not, and return the exit code: 5 when a recording failed."""
    if json:
        from json import dumps

        typer.echo(dumps(summary.to_dict(), indent=2))
    elif not quiet:
        typer.echo(
            f"{summary.output}: {summary.num_written} written, {summary.num_up_to_date} up to date, "
            f"{len(summary.skipped)} skipped, {len(summary.failed)} failed; "
            f"{summary.num_windows:,} windows, {summary.num_boxes:,} boxes"
        )
        if summary.num_synthetic:
            typer.echo(f"synthetic recordings: {summary.num_synthetic:,}")
        for rule, count in summary.labels_dropped.items():
            typer.echo(f"labels dropped: {rule} {count:,}")
        for name in ("skipped", "failed"):
            for told in getattr(summary, name):
                typer.echo(f"{name}: {told.path}: {told.reason}", err=True)
    return 5 if summary.failed else 0
