"""What a core carries: paced cameras, a process each, as ``eventdet stream --sources`` runs them."""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eventdet.errors import EventdetError
from eventdet.formats import write_dat
from eventdet.geometry import GEN1
from eventdet.service import SourceSpec, StreamProcess

from ._traffic import traffic
from .rows import BenchmarkRow

__all__ = ["benchmark_cameras"]

_RATE_EV_S = 250_000
_POLL_S = 0.25
_CALM_SHARE = 0.4
"""Of a recording, before which windows do not count: the processes of the others are still being started."""


class _Usage(NamedTuple):
    """What processes have taken by a moment."""

    at_s: float
    cpu_s: float
    memory_mb: float
    """Of the largest; what it shares with others is counted in parts."""


def benchmark_cameras(
    *, repeats: int = 1, seconds: float = 20.0, cameras: Sequence[int] = (1, 2, 3, 4), cores: Sequence[int] = (1, 2)
) -> list[BenchmarkRow]:
    """Return how late the windows of several cameras are, that share some cores.

    Each camera is a recording of its own, paced to real time, with windows of 50 ms, JSON lines, one thread, and
    ``--late latest``: a machine that cannot follow skips windows.

    Parameters
    ----------
    repeats : int
        Not used: a run has hundreds of windows a camera.
    seconds : float
        Length of the recordings.
    cameras : sequence of int
        How many run at a time.
    cores : sequence of int
        How many cores they share; numbers above those of this process are left out.

    Returns
    -------
    list of BenchmarkRow
        Mean lateness of each combination, and in the note what else was measured.

    Raises
    ------
    EventdetError
        When a camera fails.
    """
    own = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="eventdet-benchmark-") as folder:
        paths = []
        for seed in range(1, max(cameras) + 1):
            paths.append(Path(folder) / f"{seed}_td.dat")
            write_dat(paths[-1], traffic(round(seconds * _RATE_EV_S), round(1e6 * seconds), seed=seed), GEN1)
        return [
            _row(paths[:number], own[:count], seconds) for count in cores if count <= len(own) for number in cameras
        ]


def _row(paths: Sequence[Path], cores: Sequence[int], seconds: float) -> BenchmarkRow:
    with _affinity(cores):
        begin, end = _run(paths)
    found = [_windows(path.with_suffix(".jsonl"), 1e6 * _CALM_SHARE * seconds) for path in paths]
    latencies = [record["latency_ms"] for records, _ in found for record in records]
    late_ms, total_ms = (np.array([latency[name] for latency in latencies]) for name in ("late", "total"))
    skipped = 1 - len(latencies) / sum(number for _, number in found)
    load = (end.cpu_s - begin.cpu_s) / (end.at_s - begin.at_s)
    note = (
        f"p99 {np.percentile(late_ms, 99):.1f} ms, result p99 {np.percentile(total_ms, 99):.1f} ms, "
        f"skipped {100 * skipped:.1f} %, {load:.2f} cores, {end.memory_mb:.0f} MB each"
    )
    name = f"{len(paths)} cameras, {len(cores)} cores: lateness, mean"
    return BenchmarkRow(name, float(late_ms.mean()), "ms", None, note)


def _run(paths: Sequence[Path]) -> tuple[_Usage, _Usage]:
    """Run all recordings; return what was taken when all had begun, and just before the first was over."""
    workers = [StreamProcess(_spec(path), max_restarts=0) for path in paths]
    begin = end = None
    try:
        while True:
            statuses = [worker.poll() for worker in workers]
            if all(status.is_over for status in statuses):
                break
            if all(status.num_windows and not status.is_over for status in statuses):
                end = _usage([status.pid for status in statuses]) or end
                begin = begin or end
            time.sleep(_POLL_S)
    finally:
        for worker in workers:
            worker.kill()
    failed = [status.message for status in statuses if status.state != "done"]
    if failed or begin is None or end is None or end.at_s <= begin.at_s:
        raise EventdetError(f"cameras must run to their end together, got {failed or 'runs too short to measure'}")
    return begin, end


def _spec(path: Path) -> SourceSpec:
    options = {"threads": 1, "pace": "realtime", "late": "latest", "output": [str(path.with_suffix(".jsonl"))]}
    return SourceSpec(path.stem, {**options, "source": str(path)})


def _usage(pids: Sequence[int]) -> _Usage | None:
    """Return what processes have taken by now, None when one is over."""
    try:
        cpu_s = sum(_cpu_s(pid) for pid in pids)
        memory_mb = max(_memory_mb(pid) for pid in pids)
    except (OSError, StopIteration):
        return None
    return _Usage(time.monotonic(), cpu_s, memory_mb)


def _cpu_s(pid: int) -> float:
    # proc(5): fields 14 and 15; the name in field 2 may have spaces and ends with the last bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _windows(path: Path, from_us: float) -> tuple[list[dict[str, Any]], int]:
    """Return the records of windows after a moment, and how many windows there were, skipped ones too."""
    records = [json.loads(line) for line in path.read_bytes().splitlines()[1:-1]]
    records = [record for record in records if record["t_us"] > from_us]
    return records, records[-1]["seq"] + 1 - records[0]["seq"]


@contextmanager
def _affinity(cores: Sequence[int]) -> Iterator[None]:
    """Let processes that are started in the body have these cores alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
