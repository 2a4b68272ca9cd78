"""Shuffled batches of tensors for training: ours from three kinds of sources, and tonic's cache on disk."""

import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, RandomSampler

from eventdet.formats import write_dat
from eventdet.geometry import GEN1
from eventdet.preprocessing import ConvertOptions, Representation, StoredFrames, convert, open_stored_recording
from eventdet.preprocessing.dataset import (
    ClipDataset,
    ClipOptions,
    ClipSampler,
    ClipSource,
    clip_loader,
    event_sources,
    frame_sources,
)

from ._traffic import traffic
from .rows import BenchmarkRow, compare, import_peer

__all__ = ["benchmark_loader"]

_DURATION_US = 8_000_000
_NUM_EVENTS = 960_000
"""The mean rate of Gen1."""

_HISTOGRAM = Representation("histogram", bins=5)
_WINDOW_US = 250_000
_STRIDE_US = 50_000
_BATCH = 16
_BATCHES = 4


def benchmark_loader(repeats: int = 5) -> list[BenchmarkRow]:
    """Return the rates of loaders that run in the process of the training.

    Parameters
    ----------
    repeats : int
        The median of this many runs of four shuffled batches counts; the contenders take turns.

    Returns
    -------
    list of BenchmarkRow
        Tensors per CPU second; a ratio says how many times faster the first line is.

    Raises
    ------
    MissingExtraError
        When tonic is not installed.
    """
    tonic = import_peer("tonic", extra="interop")
    threads = torch.get_num_threads()
    # One thread each: idle threads that spin would count as work.
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="eventdet-benchmark-") as name:
            folder = Path(name)
            write_dat(folder / "a_td.dat", traffic(_NUM_EVENTS, _DURATION_US), GEN1)
            convert(folder / "a_td.dat", folder / "store", ConvertOptions(_HISTOGRAM, _WINDOW_US, _STRIDE_US))
            frames = open_stored_recording(folder / "store").frames()
            cached = tonic.DiskCachedDataset(_Frames(frames), cache_path=str(folder / "cache"))
            # The first pass fills the cache.
            for index in range(len(frames)):
                cached[index]
            return _compare(folder, cached, repeats=repeats)
    finally:
        torch.set_num_threads(threads)


class _Frames:
    """Stored tensors as tonic takes a dataset: tensor and target by number."""

    def __init__(self, frames: StoredFrames) -> None:
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], int]:
        return self._frames[index], 0


def _compare(folder: Path, cached: Any, *, repeats: int) -> list[BenchmarkRow]:
    stored = frame_sources(folder / "store")
    cut = event_sources(folder / "store", _HISTOGRAM, window_us=_WINDOW_US, stride_us=_STRIDE_US)
    raw = event_sources(folder / "a_td.dat", _HISTOGRAM, window_us=_WINDOW_US, stride_us=_STRIDE_US)
    peer: DataLoader[Any] = DataLoader(cached, _BATCH, sampler=RandomSampler(cached, num_samples=_BATCH * _BATCHES))
    contenders = {
        "stored tensors, eventdet": (_loading(stored), f"batches of {_BATCH}, {GEN1}, 5 bins of 250 ms, synthetic"),
        "stored tensors, sparse": (_loading(stored, sparse=True), "non-zero cells, scattered behind the loader"),
        "stored events, any window": (_loading(cut), "counted as they are read"),
        "DAT file, any window": (_loading(raw), "counted as they are read, nothing converted"),
        "tonic DiskCachedDataset": (lambda: [batch for batch, _ in peer], f"tonic {version('tonic')}, lzf HDF5"),
    }
    return compare(contenders, work=_BATCH * _BATCHES, unit="/CPU-s", repeats=repeats)


def _loading(sources: Sequence[ClipSource], *, sparse: bool = False) -> Callable[[], None]:
    """Return one run over some batches of a shuffled epoch."""
    dataset = ClipDataset(sources, ClipOptions(align="grid", sparse=sparse))
    sampler = ClipSampler(dataset, _BATCH)
    loader = clip_loader(dataset, [sampler.batch(step) for step in range(_BATCHES)])

    def run() -> None:
        for batch in loader:
            batch.to("cpu")

    return run
