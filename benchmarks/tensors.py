"""Events to tensors: our kernels against tonic, torch and NumPy, on the same synthetic stream in one run."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import MissingExtraError
from eventdet.events import Events
from eventdet.geometry import GEN1, fit_pixels
from eventdet.preprocessing import event_histogram, voxel_grid

from .rows import BenchmarkRow, cpu_seconds

if TYPE_CHECKING:
    import torch

__all__ = ["benchmark_tensors"]

_BINS = 5
_DURATION_US = 2_000_000
_NUM_EVENTS = 1_840_000
"""Busy traffic: 46,000 events in 50 ms."""

_WINDOWS_US = (50_000, 250_000)
_NUM_EDGES = 12
_NOISE_SHARE = 0.12


class _Case(NamedTuple):
    """One window in every form that the contenders take, so that no one pays for conversion."""

    window: tuple[int, int]
    words: NDArray[np.uint32]
    events: Events
    structured: NDArray[np.void]


def benchmark_tensors(repeats: int = 5) -> list[BenchmarkRow]:
    """Return the rates of histogram and voxel grid by ours and by peers.

    Parameters
    ----------
    repeats : int
        The median of this many runs counts.

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
            cases = _cut(_stream(), window_us)
            rows += _compare(f"histogram {window_us // 1000} ms", cases, _histograms(), repeats=repeats)
            rows += _compare(f"voxel grid {window_us // 1000} ms", cases, _voxel_grids(), repeats=repeats)
        return rows
    finally:
        torch.set_num_threads(threads)


def _compare(
    label: str, cases: Sequence[_Case], contenders: dict[str, tuple[Callable[[_Case], object], str]], *, repeats: int
) -> list[BenchmarkRow]:
    """Time every contender on all windows; the first is ours, which the ratios refer to."""
    num_events = sum(len(case.words) for case in cases)
    rates: dict[str, float] = {}
    rows = []
    for name, (fill, note) in contenders.items():

        def run(fill: Callable[[_Case], object] = fill) -> None:
            for case in cases:
                fill(case)

        rates[name] = num_events / cpu_seconds(run, repeats=repeats) / 1e6
        ratio = next(iter(rates.values())) / rates[name] if len(rates) > 1 else None
        rows.append(BenchmarkRow(f"{label}, {name}", rates[name], "Mev/CPU-s", ratio, note))
    return rows


def _histograms() -> dict[str, tuple[Callable[[_Case], object], str]]:
    pixels = fit_pixels(GEN1, GEN1)
    out = np.empty((_BINS, 2, *GEN1), np.uint8)

    def ours(case: _Case) -> object:
        return event_histogram(case.words, case.window, bins=_BINS, pixel_map=pixels, out=out)

    def ours_columns(case: _Case) -> object:
        return event_histogram(case.events, case.window, bins=_BINS, pixel_map=pixels, out=out)

    return {
        "eventdet from DAT records": (ours, f"{_BINS} bins, {GEN1}, synthetic events"),
        "eventdet from columns": (ours_columns, "decoded before"),
        "torch put_ from DAT records": (_torch_from_words, f"torch {version('torch')}"),
        "torch put_": (_torch_from_columns, f"torch {version('torch')}, decoded before"),
        "np.add.at": (_numpy_histogram, f"numpy {np.__version__}, decoded before"),
        "tonic to_frame": (_tonic_function("to_frame_numpy"), f"tonic {version('tonic')}, decoded before"),
    }


def _voxel_grids() -> dict[str, tuple[Callable[[_Case], object], str]]:
    pixels = fit_pixels(GEN1, GEN1)
    out = np.empty((_BINS, *GEN1), np.float32)

    def ours(case: _Case) -> object:
        return voxel_grid(case.words, case.window, bins=_BINS, pixel_map=pixels, out=out)

    return {
        "eventdet from DAT records": (ours, f"{_BINS} bins, {GEN1}, synthetic events"),
        "tonic to_voxel_grid": (_tonic_function("to_voxel_grid_numpy"), f"tonic {version('tonic')}, decoded before"),
    }


def _numpy_histogram(case: _Case) -> object:
    t0_us, t1_us = case.window
    t, x, y, p = case.events.t, case.events.x, case.events.y, case.events.p
    counts = np.zeros((_BINS, 2, *GEN1), np.uint16)
    flat = (((t - t0_us) * _BINS // (t1_us - t0_us) * 2 + p) * GEN1.height + y) * GEN1.width + x
    np.add.at(counts.reshape(-1), flat, 1)
    return np.minimum(counts, 255).astype(np.uint8)


def _torch_from_words(case: _Case) -> object:
    import torch

    t, word = torch.from_numpy(case.words.astype(np.int64)).unbind(1)
    return _torch_histogram(case.window, t, word & 0x3FFF, word >> 14 & 0x3FFF, word >> 28 & 1)


def _torch_from_columns(case: _Case) -> object:
    import torch

    t, x, y, p = (torch.from_numpy(np.asarray(column, np.int64)) for column in case.events)
    return _torch_histogram(case.window, t, x, y, p)


def _torch_histogram(
    window: tuple[int, int], t: "torch.Tensor", x: "torch.Tensor", y: "torch.Tensor", p: "torch.Tensor"
) -> NDArray[np.uint8]:
    """Count with ``put_`` into int16 and clamp, as RVT's pipeline does; bins in integers, which is no slower."""
    import torch

    t0_us, t1_us = window
    index = torch.div((t - t0_us) * _BINS, t1_us - t0_us, rounding_mode="floor")
    flat = ((index * 2 + p) * GEN1.height + y) * GEN1.width + x
    counts = torch.zeros((_BINS, 2, *GEN1), dtype=torch.int16)
    counts.put_(flat, torch.ones_like(flat, dtype=torch.int16), accumulate=True)
    return counts.clamp(max=255).to(torch.uint8).numpy()


def _tonic_function(name: str) -> Callable[[_Case], object]:
    try:
        import tonic.functional
    except ImportError as error:
        raise MissingExtraError("comparing with tonic", extra="interop") from error
    function = getattr(tonic.functional, name)
    sensor_whp = (GEN1.width, GEN1.height, 2)
    # tonic's voxel grid overwrites the polarities it is given, so each run gets a copy: a few per cent of its time.
    return lambda case: function(case.structured.copy(), sensor_whp, n_time_bins=_BINS)


def _stream() -> Events:
    """Return a second of synthetic events: upright edges that sweep across the sensor, and noise."""
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, _DURATION_US, _NUM_EVENTS))
    edge = rng.integers(0, _NUM_EDGES, _NUM_EVENTS)
    speed = np.linspace(40, 300, _NUM_EDGES)
    x = (edge * 25 + speed[edge] * t / _DURATION_US + rng.normal(0, 1.5, _NUM_EVENTS)) % GEN1.width
    y = rng.normal(GEN1.height / 2, GEN1.height / 6, _NUM_EVENTS).clip(0, GEN1.height - 1)
    noise = rng.random(_NUM_EVENTS) < _NOISE_SHARE
    x[noise] = rng.uniform(0, GEN1.width, noise.sum())
    y[noise] = rng.uniform(0, GEN1.height, noise.sum())
    return Events(t, x.astype(np.uint16), y.astype(np.uint16), rng.integers(0, 2, _NUM_EVENTS, np.uint8))


def _cut(events: Events, window_us: int) -> list[_Case]:
    cases = []
    for t0_us in range(0, _DURATION_US, window_us):
        part = events.between(t0_us, t0_us + window_us)
        words = np.empty((len(part), 2), np.uint32)
        words[:, 0] = part.t
        words[:, 1] = part.x.astype(np.uint32) | part.y.astype(np.uint32) << 14 | part.p.astype(np.uint32) << 28
        # Signed polarities: tonic's voxel grid writes -1 into them.
        structured = part.to_structured().astype([("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")])
        cases.append(_Case((t0_us, t0_us + window_us), words, part, structured))
    return cases
