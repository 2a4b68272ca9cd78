"""Surfaces of time: how long ago the events of a pixel were.

Each bin is a picture as of its end, the first microsecond after it. The memory begins with the window, empty, and goes
on from bin to bin: the tensor of a window does not depend on where reading began.
"""

import numpy as np

from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize

from ._place import cut_bins
from .registry import Tensor, representation

__all__ = ["averaged_time_surface", "time_surface", "tore_volume"]

_DECAYS = ("exp", "linear")
_LARGEST_RADIUS = 16


def _check_decay(*, decay: str, tau_us: int) -> None:
    check_option("decay", decay, _DECAYS)


@representation("time_surface", axes=("bin", "polarity", "row", "column"), dtype=np.float32, check=_check_decay)
def time_surface(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *, decay: str = "exp", tau_us: int = 0
) -> None:
    """Let the newest event of each pixel and polarity decay from 1 towards 0.

    With age a of the newest event at the end of the bin: ``exp(-a / tau)`` (Lagorce et al., HOTS, TPAMI 2017), or with
    ``decay="linear"`` ``max(0, 1 - a / tau)``; 0 without an event. `tau_us` 0 stands for the length of the window.
    """
    from ._frame_kernels import mark_newest_stamp
    from ._surface_kernels import NEVER, fill_decayed

    newest = np.full(out.shape[1:], NEVER, np.int64)
    for frame, (end_us, part) in zip(out, cut_bins(events, t0_us, t1_us, len(out)), strict=True):
        mark_newest_stamp(part.t, part.x, part.y, part.p, newest)
        fill_decayed(newest, end_us, float(tau_us or t1_us - t0_us), decay == "linear", frame)


def _check_tore(*, depth: int, min_us: int, max_us: int) -> None:
    if not min_us < max_us:
        raise OptionError(f"min_us must be < max_us, got {min_us} and {max_us}")


@representation("tore", axes=("bin", "polarity", "depth", "row", "column"), dtype=np.float32, check=_check_tore)
def tore_volume(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *,
    depth: int = 3, min_us: int = 150, max_us: int = 5_000_000,
) -> None:  # fmt: skip
    """Fill with the logarithm of the ages of the last `depth` events of each pixel and polarity, newest first.

    A time-ordered recent event volume (Baldwin et al., TPAMI 2022): with age a at the end of the bin, at most `max_us`,
    a cell is ``max(0, log(a + 1) - log(min_us + 1))``, as the authors' code scales it. A cell without an event is as
    old as can be: small is new, and a tensor of no events is not zero.
    """
    from ._surface_kernels import NEVER, fill_log_ages, push_stamps

    stamps = np.full(out.shape[1:], NEVER, np.int64)
    for frame, (end_us, part) in zip(out, cut_bins(events, t0_us, t1_us, len(out)), strict=True):
        push_stamps(part.t, part.x, part.y, part.p, stamps)
        fill_log_ages(stamps, end_us, min_us, max_us, frame)


def _surface_shape(bins: int, size: SensorSize, *, cell: int, radius: int, **_: int) -> tuple[int, ...]:
    side = 2 * radius + 1
    return (bins, 2, -(-size.height // cell), -(-size.width // cell), side, side)


def _check_cell(*, cell: int, radius: int, tau_us: int) -> None:
    if cell < 1 or not 0 <= radius <= _LARGEST_RADIUS:
        raise OptionError(f"cell must be > 0 and radius in 0..{_LARGEST_RADIUS}, got {cell} and {radius}")


@representation(
    "averaged_time_surface",
    axes=("bin", "polarity", "cell_row", "cell_column", "surface_row", "surface_column"),
    dtype=np.float32,
    shape=_surface_shape,
    check=_check_cell,
)
def averaged_time_surface(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *,
    cell: int = 10, radius: int = 3, tau_us: int = 0,
) -> None:  # fmt: skip
    """Average the local memory time surfaces of the events of each cell of the sensor.

    The histograms of averaged time surfaces of Sironi et al. (HATS, CVPR 2018). The surface of event i at the offset z,
    up to `radius` in both directions, is the sum of ``exp(-(t_i - t_j) / tau)`` over the events j of the pixel
    ``x_i + z`` with its polarity and an earlier stamp. The surfaces of the events of a bin are added by cell of `cell`
    by `cell` pixels and by polarity, and divided by the number of events of that cell and bin, both polarities
    together. The memory reaches back to the start of the window, where the paper has a span of its own; `tau_us` 0
    stands for the length of the window.
    """
    from ._surface_kernels import NEVER, average_surfaces

    sums, seen = np.zeros((2, *size)), np.full((2, *size), NEVER, np.int64)
    for frame, (_, part) in zip(out, cut_bins(events, t0_us, t1_us, len(out)), strict=True):
        total, counts = np.zeros(frame.shape), np.zeros(frame.shape[1:3], np.int64)
        tau = float(tau_us or t1_us - t0_us)
        average_surfaces(part.t, part.x, part.y, part.p, tau, cell, sums, seen, total, counts)
        frame[:] = total / np.maximum(counts, 1)[:, :, None, None]
