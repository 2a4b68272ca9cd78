"""Bytes to events: our decoders against peers and a plain copy, on equal synthetic files in one run; and seeking."""

import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import numpy as np

from eventdet.events import Events
from eventdet.formats import DatRecording, open_recording, write_dat, write_es, write_evt2, write_evt3, write_evt21
from eventdet.geometry import GEN1

from ._traffic import traffic
from .rows import BenchmarkRow, compare, import_peer

__all__ = ["benchmark_formats"]

Job: TypeAlias = Callable[[Path], object]

_BUFFER_EVENTS = 1 << 16
"""Columns of 13 bytes an event that stay in the second-level cache from one batch to the next."""

_EVENTS_PER_STAMP = 4
_BURST_EVENTS = 8
"""An edge fires a run of neighbours in one row, which is what EVT3 has its vectors for."""

_WRITERS: dict[str, tuple[str, Callable[..., None]]] = {
    "DAT": ("a.dat", write_dat),
    "EVT2": ("evt2.raw", write_evt2),
    "EVT2.1": ("evt21.raw", write_evt21),
    "EVT3": ("evt3.raw", write_evt3),
    "ES": ("a.es", write_es),
}
"""File and writer by format; peers go by the ending."""

_SOUGHT = ("DAT", "EVT2", "EVT3")
_WINDOW_US = 50_000
_NUM_WINDOWS = 200
_TILE_EVENTS = 1_000_000
_TILE_US = 1_150_000
"""Events and length of what a long recording repeats: the mean rate of a busy street, 0.87 Mev/s."""


def benchmark_formats(
    num_events: int = 10_000_000, repeats: int = 5, *, num_sought: int = 50_000_000
) -> list[BenchmarkRow]:
    """Return the rates of the decoders, and the times of random windows, on files of synthetic events.

    Parameters
    ----------
    num_events : int
        Length of each file that is decoded; below some millions the caches flatter everyone.
    repeats : int
        The median of this many runs counts; the contenders take turns.
    num_sought : int
        Length of each file in which windows are sought, in whole millions: 8 bytes an event on the disk.

    Returns
    -------
    list of BenchmarkRow
        Million events per CPU second, a peer's ratio saying how many times faster ours is; microseconds of CPU time.

    Raises
    ------
    MissingExtraError
        When expelliarmus, evt3 or faery is not installed.
    """
    peers = _peers()
    events = _stream(num_events)
    with tempfile.TemporaryDirectory(prefix="eventdet-benchmark-") as name, _cache_in(name):
        rows = []
        for format_name, (file_name, write) in _WRITERS.items():
            path = Path(name) / file_name
            write(path, events, GEN1)
            rows += _decode_rows(format_name, path, peers[format_name], num_events=num_events, repeats=repeats)
            path.unlink()
        for format_name in _SOUGHT:
            rows += _seek_rows(format_name, Path(name), num_events=num_sought)
        return rows


def _peers() -> dict[str, dict[str, Job]]:
    """Return the calls of other packages by format and name; the name begins with the package."""
    expelliarmus = import_peer("expelliarmus", extra="interop")
    evt3, faery = (import_peer(name, extra="dev") for name in ("evt3", "faery"))

    def whole(encoding: str) -> Job:
        return lambda path: expelliarmus.Wizard(encoding=encoding).read(str(path))

    def chunked(encoding: str) -> Job:
        return lambda path: _exhaust(
            expelliarmus.Wizard(encoding=encoding, fpath=str(path), chunk_size=_BUFFER_EVENTS).read_chunk()
        )

    def iterate(path: Path) -> None:
        _exhaust(faery.events_stream_from_file(path))

    return {
        "DAT": {"expelliarmus read": whole("dat"), "expelliarmus read_chunk": chunked("dat")},
        "EVT2": {"expelliarmus read": whole("evt2"), "faery iterate": iterate},
        "EVT2.1": {},
        "EVT3": {
            "faery iterate": iterate,
            "evt3 decode_file": lambda path: evt3.decode_file(str(path)),
            "evt3 decode_file_batches": lambda path: _exhaust(evt3.decode_file_batches(str(path))),
        },
        "ES": {"faery iterate": iterate},
    }


def _decode_rows(
    format_name: str, path: Path, peers: dict[str, Job], *, num_events: int, repeats: int
) -> list[BenchmarkRow]:
    content = np.fromfile(path, np.uint8)
    target = np.empty_like(content)
    contenders: dict[str, tuple[Callable[[], object], str]] = {
        f"{format_name}, eventdet": (partial(_decode, path), f"into reused columns, {GEN1}, synthetic events")
    }
    for name, job in peers.items():
        package = name.split()[0]
        contenders[f"{format_name}, {name}"] = (partial(job, path), f"{package} {version(package)}")
    contenders[f"{format_name}, copy of the bytes"] = (
        lambda: np.copyto(target, content),
        "the limit: memory to memory",
    )
    return compare(contenders, work=num_events / 1e6, unit="Mev/CPU-s", repeats=repeats)


def _decode(path: Path) -> None:
    _exhaust(open_recording(path).chunks(out=Events.empty(_BUFFER_EVENTS)))


def _exhaust(batches: Iterable[object]) -> None:
    deque(batches, maxlen=0)


def _seek_rows(format_name: str, folder: Path, *, num_events: int) -> list[BenchmarkRow]:
    """Return the median times of windows at random places of a long recording."""
    file_name, write = _WRITERS[format_name]
    path = folder / file_name
    num_tiles = max(1, num_events // _TILE_EVENTS)
    write(path, _repeated(traffic(_TILE_EVENTS, _TILE_US), num_tiles), GEN1)
    recording = open_recording(path)
    starts = np.random.default_rng(2).integers(0, num_tiles * _TILE_US - _WINDOW_US, _NUM_WINDOWS).tolist()
    first_us = _median_us(recording.slice, starts[:1])
    calls: dict[str, Callable[[int, int], object]] = {"slice": recording.slice}
    if isinstance(recording, DatRecording):
        calls["words"] = recording.words
    length = f"{num_tiles * _TILE_EVENTS // 1_000_000} M events"
    note = f"median of {_NUM_WINDOWS} in {length}; the first took {first_us / 1e6:.2f} s"
    rows = [
        BenchmarkRow(f"{format_name}, {name} of 50 ms", _median_us(call, starts), "us CPU", None, note)
        for name, call in calls.items()
    ]
    path.unlink()
    return rows


def _median_us(call: Callable[[int, int], object], starts: list[int]) -> float:
    taken = []
    for start in starts:
        begin = time.process_time()
        call(start, start + _WINDOW_US)
        taken.append(time.process_time() - begin)
    return statistics.median(taken) * 1e6


def _repeated(tile: Events, num_tiles: int) -> Iterator[Events]:
    """Yield the same events again and again, each time later."""
    for number in range(num_tiles):
        yield Events(tile.t + number * _TILE_US, tile.x, tile.y, tile.p)


@contextmanager
def _cache_in(folder: str) -> Iterator[None]:
    """Keep the indexes of files that are gone in a moment out of the user's cache."""
    before = os.environ.get("EVENTDET_CACHE")
    os.environ["EVENTDET_CACHE"] = folder
    try:
        yield
    finally:
        del os.environ["EVENTDET_CACHE"]
        if before is not None:
            os.environ["EVENTDET_CACHE"] = before


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
