"""Events to tensors: our kernels against tonic, RVT's arithmetic, evlib and NumPy, on the same events in turns.

Contenders are compared where they are given the same: DAT records, or columns that were decoded before. Of RVT there
are two forms of the latter: its arithmetic alone, given the int64 columns that it wants, and with the conversions that
its script does to the columns of each window.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import pack_dat
from eventdet.geometry import GEN1, fit_pixels
from eventdet.preprocessing import Representation

from ._traffic import traffic
from .rows import BenchmarkRow, compare, import_peer

if TYPE_CHECKING:
    import torch

__all__ = ["benchmark_tensors"]

_BINS = 5
_DURATION_US = 2_000_000
_NUM_EVENTS = 1_840_000
"""Busy traffic: 46,000 events in 50 ms."""

_WINDOWS_US = (50_000, 250_000)
_LARGEST_COUNT = 255
_OUR_NOTE = f"{_BINS} bins, {GEN1}, synthetic events"


class _Case(NamedTuple):
    """One window in every form that the contenders take, so that no one pays for conversion."""

    window: tuple[int, int]
    words: NDArray[np.uint32]
    events: Events
    wide: tuple[NDArray[np.int64], ...]
    structured: NDArray[np.void]


_Contenders: TypeAlias = Mapping[str, tuple[Callable[[_Case], object], str]]
"""Function and note by name, ours first."""


def benchmark_tensors(repeats: int = 5) -> list[BenchmarkRow]:
    """Return the rates of histogram and voxel grid by ours and by peers.

    evlib joins in where it is installed: with what it needs it takes 700 MB, too much for the extra `dev`.

    Parameters
    ----------
    repeats : int
        The median of this many runs counts; the contenders take turns.

    Returns
    -------
    list of BenchmarkRow
        Million events per CPU second; a peer's ratio says how many times faster ours is.

    Raises
    ------
    MissingExtraError
        When tonic is not installed.
    """
    import torch

    threads = torch.get_num_threads()
    # One thread each: idle threads that spin would count as the peer's CPU time.
    torch.set_num_threads(1)
    try:
        rows = []
        for window_us in _WINDOWS_US:
            cases = _cut(traffic(_NUM_EVENTS, _DURATION_US), window_us)
            for label, contenders in (
                ("histogram of DAT records", _histograms_of_records()),
                ("histogram of columns", _histograms_of_columns()),
                ("voxel grid of DAT records", _voxel_grids_of_records()),
                ("voxel grid of columns", _voxel_grids_of_columns()),
            ):
                rows += _compare(f"{label}, {window_us // 1000} ms", cases, contenders, repeats=repeats)
        return rows
    finally:
        torch.set_num_threads(threads)


def _compare(label: str, cases: Sequence[_Case], contenders: _Contenders, *, repeats: int) -> list[BenchmarkRow]:
    """Time every contender on all windows."""

    def on_all(fill: Callable[[_Case], object]) -> Callable[[], object]:
        def run() -> None:
            for case in cases:
                fill(case)

        return run

    calls = {f"{label}, {name}": (on_all(fill), note) for name, (fill, note) in contenders.items()}
    return compare(calls, work=_NUM_EVENTS / 1e6, unit="Mev/CPU-s", repeats=repeats)


def _histograms_of_records() -> _Contenders:
    return {
        "eventdet": (_ours("histogram")[0], _OUR_NOTE),
        "RVT's arithmetic": (_rvt_from_words, f"torch {version('torch')}, unpacking included"),
    }


def _histograms_of_columns() -> _Contenders:
    torch_note = f"torch {version('torch')}"
    return {
        "eventdet": (_ours("histogram")[1], _OUR_NOTE),
        "eventdet as RVT": (_ours("rvt_histogram", cutoff=_LARGEST_COUNT)[1], "the bits of RVT's arithmetic"),
        "RVT's arithmetic": (_rvt_from_wide_columns, f"{torch_note}, int64 columns"),
        "RVT's arithmetic and conversions": (_rvt_from_columns, f"{torch_note}, columns as stored"),
        "np.add.at": (_numpy_histogram, f"numpy {np.__version__}"),
        "tonic to_frame": (_tonic_function("to_frame_numpy"), f"tonic {version('tonic')}"),
        **(_evlib_histograms() if find_spec("evlib") else {}),
    }


def _voxel_grids_of_records() -> _Contenders:
    return {"eventdet": (_ours("voxel")[0], _OUR_NOTE)}


def _voxel_grids_of_columns() -> _Contenders:
    tonic = _tonic_function("to_voxel_grid_numpy")
    return {"eventdet": (_ours("voxel")[1], _OUR_NOTE), "tonic to_voxel_grid": (tonic, f"tonic {version('tonic')}")}


def _ours(name: str, **parameters: int) -> tuple[Callable[[_Case], object], Callable[[_Case], object]]:
    """Return ours from DAT records and from columns, into one buffer, as a conversion does."""
    representation, pixels = Representation(name, _BINS, **parameters), fit_pixels(GEN1, GEN1)
    out = np.empty(representation.shape(GEN1), representation.dtype)
    return (
        lambda case: representation(case.words, *case.window, pixels, out),
        lambda case: representation(case.events, *case.window, pixels, out),
    )


def _numpy_histogram(case: _Case) -> object:
    t0_us, t1_us = case.window
    t, x, y, p = case.events.t, case.events.x, case.events.y, case.events.p
    counts = np.zeros((_BINS, 2, *GEN1), np.uint16)
    flat = (((t - t0_us) * _BINS // (t1_us - t0_us) * 2 + p) * GEN1.height + y) * GEN1.width + x
    np.add.at(counts.reshape(-1), flat, 1)
    return np.minimum(counts, _LARGEST_COUNT).astype(np.uint8)


def _rvt_from_words(case: _Case) -> object:
    import torch

    t, word = torch.from_numpy(case.words.astype(np.int64)).unbind(1)
    return _rvt_histogram(t, word & 0x3FFF, word >> 14 & 0x3FFF, word >> 28 & 1)


def _rvt_from_columns(case: _Case) -> object:
    """Widen every column of the window and clip the polarities first, as RVT does with what it reads from its files."""
    import torch

    t, x, y, p = (np.asarray(column, np.int64) for column in case.events)
    return _rvt_histogram(*(torch.from_numpy(column) for column in (t, x, y, np.clip(p, 0, None))))


def _rvt_from_wide_columns(case: _Case) -> object:
    import torch

    return _rvt_histogram(*(torch.from_numpy(column) for column in case.wide))


def _rvt_histogram(t: "torch.Tensor", x: "torch.Tensor", y: "torch.Tensor", p: "torch.Tensor") -> NDArray[np.uint8]:
    """Check, count with ``put_`` into eight bits and clamp, in bins by the first and last event, as RVT does."""
    import torch

    if p.min() < 0 or p.max() > 1:
        raise OptionError("polarities must be 0 or 1")
    index = ((t - t[0]) / max(int(t[-1] - t[0]), 1) * _BINS).floor().clamp(max=_BINS - 1).long()
    flat = ((p * _BINS + index) * GEN1.height + y) * GEN1.width + x
    counts = torch.zeros((2, _BINS, *GEN1), dtype=torch.uint8)
    counts.put_(flat, torch.ones_like(flat, dtype=torch.uint8), accumulate=True)
    return counts.clamp(0, _LARGEST_COUNT).numpy()


def _tonic_function(name: str) -> Callable[[_Case], object]:
    function = getattr(import_peer("tonic.functional", extra="interop"), name)
    sensor_whp = (GEN1.width, GEN1.height, 2)
    # tonic's voxel grid overwrites the polarities it is given, so each run gets a copy: a few per cent of its time.
    return lambda case: function(case.structured.copy(), sensor_whp, n_time_bins=_BINS)


def _evlib_histograms() -> _Contenders:
    evlib, polars = import_module("evlib"), import_module("polars")
    rows, columns = np.arange(GEN1.height), np.arange(GEN1.width)

    def dense(case: _Case) -> object:
        t0_us, t1_us = case.window
        return evlib.representations_rs.stacked_histogram_dense(
            *case.wide, np.array([t1_us]), t1_us - t0_us, _BINS, _LARGEST_COUNT, rows, columns, *GEN1
        )

    def stacked(case: _Case) -> object:
        frame = polars.DataFrame(dict(zip(("t", "x", "y", "polarity"), case.wide, strict=True)))
        bin_ms = (case.window[1] - case.window[0]) / _BINS / 1000
        return evlib.representations.create_stacked_histogram(frame, *GEN1, bins=_BINS, window_duration_ms=bin_ms)

    note = f"evlib {version('evlib')}, int64 columns"
    return {
        "evlib stacked_histogram_dense": (dense, note),
        "evlib create_stacked_histogram": (stacked, f"{note}, a table of counts"),
    }


def _cut(events: Events, window_us: int) -> list[_Case]:
    cases = []
    for t0_us in range(0, _DURATION_US, window_us):
        part = events.between(t0_us, t0_us + window_us)
        words = pack_dat(*part)
        wide = tuple(np.asarray(column, np.int64) for column in part)
        # Signed polarities: tonic's voxel grid writes -1 into them.
        structured = part.to_structured().astype([("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")])
        cases.append(_Case((t0_us, t0_us + window_us), words, part, wide, structured))
    return cases
