"""Bytes to events: our decoders against expelliarmus, faery and a plain copy, on equal synthetic files in one run."""

import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from eventdet.errors import MissingExtraError
from eventdet.events import Events
from eventdet.formats import open_recording, write_dat, write_es, write_evt2, write_evt3, write_evt21
from eventdet.geometry import GEN1

from .rows import BenchmarkRow, cpu_seconds

__all__ = ["benchmark_decode"]

_BUFFER_EVENTS = 1 << 16
"""Columns of 13 bytes an event that stay in the second-level cache from one batch to the next."""

_EVENTS_PER_STAMP = 4
_BURST_EVENTS = 8
"""An edge fires a run of neighbours in one row, which is what EVT3 has its vectors for."""


def benchmark_decode(num_events: int = 20_000_000, repeats: int = 5) -> list[BenchmarkRow]:
    """Return the rates of the decoders on files of synthetic events.

    Parameters
    ----------
    num_events : int
        Length of each file; below some millions the caches flatter everyone.
    repeats : int
        The median of this many runs counts.

    Returns
    -------
    list of BenchmarkRow
        Million events per CPU second; a peer's ratio says how many times faster ours is.

    Raises
    ------
    MissingExtraError
        When expelliarmus or faery is not installed.
    """
    expelliarmus = _peer("expelliarmus", extra="interop")
    faery = _peer("faery", extra="dev")
    with tempfile.TemporaryDirectory(prefix="eventdet-benchmark-") as folder:
        writers = (write_dat, write_evt2, write_evt21, write_evt3, write_es)
        # Peers go by the ending.
        files = [Path(folder) / name for name in ("a.dat", "evt2.raw", "evt21.raw", "evt3.raw", "a.es")]
        dat, evt2, evt21, evt3, es = files
        events = _stream(num_events)
        for write, path in zip(writers, files, strict=True):
            write(path, events, GEN1)

        def iterate(path: Path) -> None:
            for _ in faery.events_stream_from_file(path):
                pass

        jobs: dict[str, tuple[Callable[[], object], str]] = {
            "DAT, eventdet": (lambda: _decode(dat), ""),
            "DAT, expelliarmus read": (lambda: expelliarmus.Wizard(encoding="dat").read(str(dat)), "expelliarmus"),
            "DAT, copy of the bytes": (_copy_of(dat), ""),
            "EVT2, eventdet": (lambda: _decode(evt2), ""),
            "EVT2, expelliarmus read": (lambda: expelliarmus.Wizard(encoding="evt2").read(str(evt2)), "expelliarmus"),
            "EVT2, faery iterate": (lambda: iterate(evt2), "faery"),
            "EVT2.1, eventdet": (lambda: _decode(evt21), ""),
            "EVT2.1, copy of the bytes": (_copy_of(evt21), ""),
            "EVT3, eventdet": (lambda: _decode(evt3), ""),
            "EVT3, faery iterate": (lambda: iterate(evt3), "faery"),
            "ES, eventdet": (lambda: _decode(es), ""),
            "ES, faery iterate": (lambda: iterate(es), "faery"),
        }
        return _compare(jobs, num_events=num_events, repeats=repeats)


def _compare(jobs: dict[str, tuple[Callable[[], object], str]], *, num_events: int, repeats: int) -> list[BenchmarkRow]:
    """Time every job; a ratio refers to the last line of ours before it."""
    rows = []
    ours = 0.0
    for name, (job, package) in jobs.items():
        rate = num_events / cpu_seconds(job, repeats=repeats) / 1e6
        if name.endswith("eventdet"):
            ours, ratio, note = rate, None, f"into reused columns, {GEN1}, synthetic events"
        else:
            ratio, note = ours / rate, f"{package} {version(package)}" if package else "the limit: memory to memory"
        rows.append(BenchmarkRow(name, rate, "Mev/CPU-s", ratio, note))
    return rows


def _decode(path: Path) -> None:
    out = Events.empty(_BUFFER_EVENTS)
    for _ in open_recording(path).chunks(out=out):
        pass


def _copy_of(path: Path) -> Callable[[], None]:
    """Return the job that copies the bytes of a file from memory to memory."""
    content = np.fromfile(path, np.uint8)
    target = np.empty_like(content)
    return lambda: np.copyto(target, content)


def _stream(num_events: int) -> Events:
    """Return synthetic events in time order: runs of neighbours that share row, stamp and polarity, and noise."""
    rng = np.random.default_rng(1)
    run = np.arange(num_events) // _BURST_EVENTS
    num_runs = int(run[-1]) + 1 if num_events else 0
    x = rng.integers(0, GEN1.width - _BURST_EVENTS, num_runs, np.uint16)[run] + np.arange(num_events) % _BURST_EVENTS
    y = rng.integers(0, GEN1.height, num_runs, np.uint16)[run]
    p = rng.integers(0, 2, num_runs, np.uint8)[run]
    noise = run % 2 == 1
    x[noise] = rng.integers(0, GEN1.width, noise.sum())
    y[noise] = rng.integers(0, GEN1.height, noise.sum())
    return Events(run * _BURST_EVENTS // _EVENTS_PER_STAMP, x.astype(np.uint16), y, p)


def _peer(name: str, *, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"comparing with {name}", extra=extra) from error
