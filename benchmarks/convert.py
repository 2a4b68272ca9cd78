"""A whole conversion: a minute of Gen1 from its file to a store, where the time goes, and what all of Gen1 takes.

Stages are told apart by leaving parts out, so that they add up to the whole. The limit of a stage is what no converter
can do without that hashes its source, packs with these codecs and lists a digest of what it writes.
"""

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eventdet.formats import open_recording, pack_dat, write_dat
from eventdet.geometry import GEN1, SensorSize
from eventdet.preprocessing import ConvertOptions, Representation, StoredFrames, convert, open_stored_recording

from ._codecs import pack_events, pack_tensor
from ._traffic import traffic
from .rows import BenchmarkRow, interleaved_cpu_seconds

__all__ = ["benchmark_convert"]

_DURATION_US = 60_000_000
_NUM_EVENTS = 7_200_000
"""The mean rate of Gen1 in one of its files of a minute."""

_OPTIONS = ConvertOptions(Representation("histogram", bins=10), window_us=50_000)

_SAMPLED_TENSORS = 60
"""Packed over and over for the limit: all of a minute would take 1.7 GB."""


class _DataSet(NamedTuple):
    name: str
    num_events: float
    hours: float
    size: SensorSize


_DATA_SETS = (
    _DataSet("Gen1", 25e9, 39.3, GEN1),
    _DataSet("1 Mpx", 437e9, 14.0, SensorSize(720, 1280)),
)
"""Events by the bytes of their DAT files, 200 GB and 3.5 TB; hours by de Tournemire et al. 2020, and "more
than 14" of Perot et al. 2020."""


class _Seconds(NamedTuple):
    """CPU time of each call."""

    whole: float
    without_tensors: float
    hashing: float
    reading: float
    reading_bytes: float
    packing_events: float
    packing_tensors: float


def benchmark_convert(repeats: int = 5) -> list[BenchmarkRow]:
    """Return the CPU time of a conversion to events and tensors of 50 ms, its stages, and projections.

    Parameters
    ----------
    repeats : int
        The median of this many runs counts; conversion, stages and limits take turns.

    Returns
    -------
    list of BenchmarkRow
        CPU seconds of all threads together; the ratio of a stage is its limit's time over its own. Projections take
        events by their number and tensors by their bytes.
    """
    with tempfile.TemporaryDirectory(prefix="eventdet-benchmark-") as name:
        folder = Path(name)
        source = folder / "a_td.dat"
        write_dat(source, traffic(_NUM_EVENTS, _DURATION_US), GEN1)
        calls = _calls(folder, source)
        seconds = _Seconds(*interleaved_cpu_seconds(calls, repeats=repeats))
        stored = sum(path.stat().st_size for path in (folder / "kept").rglob("*") if path.is_file())
    note = f"{_NUM_EVENTS / 1e6:g} M events, {GEN1}, synthetic; {stored / 1e6:.0f} MB written"
    whole = BenchmarkRow("a minute of Gen1 to a store", seconds.whole, "CPU-s", None, note)
    return [whole, *_stages(seconds), *(_projected(data, seconds) for data in _DATA_SETS)]


def _calls(folder: Path, source: Path) -> Sequence[Callable[[], object]]:
    """Return what is timed, in the order of `_Seconds`."""
    convert(source, folder / "kept", _OPTIONS)
    recording = open_stored_recording(folder / "kept")

    def converting(options: ConvertOptions) -> Callable[[], object]:
        def run() -> None:
            with tempfile.TemporaryDirectory(dir=folder) as output:
                convert(source, output, options)

        return run

    return (
        converting(_OPTIONS),
        converting(replace(_OPTIONS, write_frames=False)),
        lambda: hashlib.sha256(source.read_bytes()),
        lambda: sum(len(batch) for batch in open_recording(source, policy=_OPTIONS.policy).chunks()),
        source.read_bytes,
        _packing_events(source, recording.path / "events", folder),
        _packing_tensors(recording.frames(), recording.path / "frames", folder),
    )


def _packing_events(source: Path, stored: Path, folder: Path) -> Callable[[], object]:
    words = pack_dat(*open_recording(source).slice(0, _DURATION_US))
    columns = [np.ascontiguousarray(column) for column in words.T]

    def run() -> None:
        for _ in pack_events(*columns):
            pass
        _write_again(stored, folder)

    return run


def _packing_tensors(frames: StoredFrames, stored: Path, folder: Path) -> Callable[[], object]:
    chosen = np.linspace(0, len(frames) - 1, min(_SAMPLED_TENSORS, len(frames)), dtype=np.int64)
    sample = [frames[index] for index in chosen.tolist()]

    def run() -> None:
        for index in range(len(frames)):
            pack_tensor(sample[index % len(sample)])
        _write_again(stored, folder)

    return run


def _write_again(stored: Path, folder: Path) -> None:
    """Write the bytes that were stored once more, with the digest of each file."""
    for path in stored.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            hashlib.sha256(content)
            (folder / "again").write_bytes(content)


def _stages(seconds: _Seconds) -> list[BenchmarkRow]:
    writing_events = seconds.without_tensors - seconds.hashing - seconds.reading
    writing_tensors = seconds.whole - seconds.without_tensors
    stages = {
        "SHA-256 of the file": (seconds.hashing, seconds.hashing, "itself"),
        "reading the file": (seconds.reading, seconds.reading_bytes, "its bytes to memory"),
        "events to the store": (writing_events, seconds.packing_events, "blosc lz4, crc32c, SHA-256, writing"),
        "tensors to the store": (writing_tensors, seconds.packing_tensors, "zstd 1, crc32c, SHA-256, writing"),
    }
    return [
        BenchmarkRow(
            name, taken, "CPU-s", limit / max(taken, 1e-9), f"{taken / seconds.whole:.0%} of it; limit: {what}"
        )
        for name, (taken, limit, what) in stages.items()
    ]


def _projected(data: _DataSet, seconds: _Seconds) -> BenchmarkRow:
    minutes = data.hours * 3600e6 / _DURATION_US
    pixels = data.size.height * data.size.width / (GEN1.height * GEN1.width)
    events = seconds.without_tensors * data.num_events / _NUM_EVENTS
    tensors = (seconds.whole - seconds.without_tensors) * minutes * pixels
    note = f"projected: {data.num_events / 1e9:g} G events {events / 3600:.1f}, tensors {tensors / 3600:.1f}"
    return BenchmarkRow(f"all of {data.name}, {data.hours:g} h", (events + tensors) / 3600, "CPU-h", None, note)
