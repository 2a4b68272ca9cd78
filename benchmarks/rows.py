"""What the parts of ``eventdet benchmark`` share: a row, its table, and how time is taken."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from eventdet.errors import MissingExtraError

__all__ = ["BenchmarkRow", "compare", "cpu_seconds", "format_rows", "import_peer", "interleaved_cpu_seconds"]


class BenchmarkRow(NamedTuple):
    """One measured line."""

    name: str
    """What was run."""

    value: float
    """Its rate or time."""

    unit: str
    """Unit of `value`."""

    ratio: float | None
    """How many times faster our own is in this run; None for our own line."""

    note: str
    """Version of a peer, or what the line is for."""


def cpu_seconds(call: Callable[[], object], *, repeats: int) -> float:
    """Return the median CPU time of a call, all threads of the process together, after one warm-up run.

    CPU time rather than wall time, since the machines that run this share their cores.
    """
    return interleaved_cpu_seconds([call], repeats=repeats)[0]


def interleaved_cpu_seconds(calls: Sequence[Callable[[], object]], *, repeats: int) -> list[float]:
    """Return the median CPU time of each call, run in turns, so that a neighbour who wakes up disturbs all alike."""
    taken: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(repeats):
        for call, times in zip(calls, taken, strict=True):
            begin = time.process_time()
            call()
            times.append(time.process_time() - begin)
    return [max(statistics.median(times), 1e-9) for times in taken]


def compare(
    contenders: Mapping[str, tuple[Callable[[], object], str]], *, work: float, unit: str, repeats: int
) -> list[BenchmarkRow]:
    """Return the rates of several ways to do the same work.

    Parameters
    ----------
    contenders : mapping
        Call and note by name; the first is ours, which the ratios refer to.
    work : float
        What one call gets done, in the unit of the rate.
    unit : str
        Of the rate, per CPU second.
    repeats : int
        The median of this many runs counts; they take turns.
    """
    seconds = interleaved_cpu_seconds([call for call, _ in contenders.values()], repeats=repeats)
    return [
        BenchmarkRow(name, work / taken, unit, taken / seconds[0] if place else None, note)
        for place, ((name, (_, note)), taken) in enumerate(zip(contenders.items(), seconds, strict=True))
    ]


def import_peer(name: str, *, extra: str) -> Any:
    """Return the module of a package that is compared with.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"comparing with {name}", extra=extra) from error


def format_rows(rows: Sequence[BenchmarkRow]) -> str:
    """Return the rows as an aligned table."""
    width = max(len(row.name) for row in rows)
    lines = []
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:6.1f}x"
        lines.append(f"{row.name:<{width}}  {row.value:10.2f} {row.unit:<12} {ratio:>8}  {row.note}".rstrip())
    return "\n".join(lines)
