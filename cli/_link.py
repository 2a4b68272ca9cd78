"""What the commands for live sources share: what comes over a link, and what was met on it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eventdet.sources import LiveSource

__all__ = ["LiveFormat", "format_link"]

LiveFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="What a live source carries: dat, evt2, evt21, evt3, evt4; udp: spif, faery13, faery8; "
        "default: what serve sends.",
        show_default=False,
    ),
]


def format_link(source: "LiveSource") -> str:
    """Return what was met on the way, in one line."""
    report = source.link_report
    listed = ", ".join(f"{name} {count:,}" for name, count in report.faults.items())
    return f"link: {report.frames:,} frames, {listed or 'nothing lost'}; {report.ended or 'interrupted'}"
