"""The tensors of RVT (Gehrig and Scaramuzza, CVPR 2023), bit for bit, with their quirks.

Both cut time by the first and the last event instead of the edges of the window, in float32. So a tensor changes with
the events at its ends, and waits for the last one: compatible with RVT's data and weights, not better.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .registry import Tensor, representation

__all__ = ["mixed_density_stack", "stacked_histogram"]

_INSIDE = (np.float32(1e-6), np.float32(1.0 - 1e-6))


def _position(t: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return where each stamp lies from the first, 0, to the last, 1; 0 when all are equal."""
    position: NDArray[np.float32] = (t - t[0]).astype(np.float32) / np.float32(max(t[-1] - t[0], 1))
    return position


def _check_cutoff(largest: int, cutoff: int) -> None:
    if not 1 <= cutoff <= largest:
        raise OptionError(f"cutoff must be in 1..{largest}, got {cutoff}")


@representation(
    "rvt_histogram",
    axes=("polarity", "bin", "row", "column"),
    dtype=np.uint8,
    check=lambda *, cutoff, fastmode: _check_cutoff(255, cutoff),
)
def stacked_histogram(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *, cutoff: int = 10, fastmode: bool = True
) -> None:
    """Count events as RVT's ``StackedHistogram`` does; ``reshape(-1, H, W)`` gives its axes.

    With ``u = (t - t_first) / max(t_last - t_first, 1)`` an event counts in bin ``min(floor(u * bins), bins - 1)``, in
    float32; counts are cut at `cutoff` at the end. Polarity is the outer axis, OFF before ON. With `fastmode`, RVT's
    default, a counter has eight bits and begins again at 0 after 255; without, it has sixteen, and one that overflowed
    into the negative ends as 0. RVT's released Gen1 data have ten bins and the cutoff 10.
    """
    from ._frame_kernels import clip_cells, count_in_bins

    counts = out if fastmode else np.empty(out.shape, np.int16)
    counts[:] = 0
    bins = out.shape[1]
    if len(events):
        index = np.minimum(np.floor(_position(events.t) * np.float32(bins)).astype(np.int64), bins - 1)
        count_in_bins(index, events.x, events.y, events.p, counts)
    clip_cells(np.array([0, cutoff], counts.dtype), counts)
    if counts is not out:
        out[:] = counts


@representation(
    "rvt_mixed_density",
    axes=("bin", "row", "column"),
    dtype=np.int8,
    check=lambda *, cutoff: _check_cutoff(127, cutoff),
)
def mixed_density_stack(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *, cutoff: int = 32
) -> None:
    """Sum signed events as RVT's ``MixedDensityEventStack`` does (after Nam et al., CVPR 2022).

    With u as in :func:`stacked_histogram`, held within 1e-6 and 1 - 1e-6, an event falls into bin
    ``max(0, floor(bins + log2(u)))``: the last bin is the newer half of the time, the one before it the newer half of
    the rest, and so on. Each bin then holds the sum of itself and all older ones, cut at `cutoff` on either side. Sums
    have eight bits, and wrap before they are cut.
    """
    from ._frame_kernels import clip_cells, sum_signs_in_bins

    out[:] = 0
    if len(events):
        logarithm = np.log(np.clip(_position(events.t), *_INSIDE)) / np.float32(math.log(0.5))
        index = np.maximum(np.floor(np.float32(len(out)) - logarithm), 0).astype(np.int64)
        sum_signs_in_bins(index, events.x, events.y, events.p, out)
    for older, newer in pairwise(out):
        newer += older
    clip_cells(np.array([-cutoff, cutoff], np.int8), out)
