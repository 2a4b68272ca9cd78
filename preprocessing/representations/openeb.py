"""The tensors of OpenEB's event preprocessors (Prophesee, openeb 5, sdk/core/preprocessors), bit for bit in float32.

OpenEB fills one frame from the events that it is handed; here each time bin of a window is such a frame, but for the
event cube, whose bins are its own. Axes have the channel before rows and columns. OpenEB's scale factors for events
that were made smaller before are not repeated: scale `max_incr_per_pixel` instead.
"""

import numpy as np

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

from ._place import cut_bins
from .registry import Tensor, representation

__all__ = ["diff", "event_cube", "histo", "newest_stamps"]


def _check(*, max_incr_per_pixel: float, clip: float, split_polarity: bool = True) -> None:
    if not max_incr_per_pixel > 0:
        raise OptionError(f"max_incr_per_pixel must be > 0, got {max_incr_per_pixel}")
    if not clip >= 0:
        raise OptionError(f"clip must be >= 0, got {clip}")


def _limit(clip: float) -> np.float32:
    return np.float32(clip if clip else np.inf)


@representation("openeb_histo", axes=("bin", "polarity", "row", "column"), dtype=np.float32, check=_check)
def histo(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *,
    max_incr_per_pixel: float = 5.0, clip: float = 1.0,
) -> None:  # fmt: skip
    """Add ``1 / max_incr_per_pixel`` for each event of a bin, up to `clip`; 0 is no limit."""
    from ._frame_kernels import add_clipped

    increment = np.float32(1.0) / np.float32(max_incr_per_pixel)
    out[:] = 0
    for frame, (_, part) in zip(out, cut_bins(events, t0_us, t1_us, len(out)), strict=True):
        add_clipped(part.x, part.y, part.p, increment, _limit(clip), frame)


@representation("openeb_diff", axes=("bin", "row", "column"), dtype=np.float32, check=_check)
def diff(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *,
    max_incr_per_pixel: float = 5.0, clip: float = 1.0,
) -> None:  # fmt: skip
    """Add ``1 / max_incr_per_pixel`` for each ON event, and take it for each OFF event, within `clip` of 0."""
    from ._frame_kernels import add_signed_clipped

    increment = np.float32(1.0) / np.float32(max_incr_per_pixel)
    out[:] = 0
    for frame, (_, part) in zip(out, cut_bins(events, t0_us, t1_us, len(out)), strict=True):
        add_signed_clipped(part.x, part.y, part.p, increment, _limit(clip), frame)


def _cube_shape(bins: int, size: SensorSize, *, split_polarity: bool, **_: float) -> tuple[int, ...]:
    return (bins, 2 if split_polarity else 1, size.height, size.width)


@representation(
    "openeb_event_cube", axes=("bin", "polarity", "row", "column"), dtype=np.float32, shape=_cube_shape, check=_check
)
def event_cube(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *,
    split_polarity: bool = True, max_incr_per_pixel: float = 1.0, clip: float = 0.0,
) -> None:  # fmt: skip
    """Share each event between the two bins whose centres are nearest.

    With ``s = (t - t0) * bins / (t1 - t0) - 0.5``, bin ``floor(s)`` receives ``1 - (s - floor(s))`` and the next one
    the rest, both divided by `max_incr_per_pixel`; what falls before the first or behind the last bin is lost. Without
    `split_polarity` there is one channel and an OFF event counts negative. A sum stays within `clip` of 0; 0 is no
    limit.
    """
    from ._frame_kernels import share_in_cube

    out[:] = 0
    bins_per_us = np.float32(len(out)) / np.float32(t1_us - t0_us)
    weight = np.float32(1.0) / np.float32(max_incr_per_pixel)
    share_in_cube(events.t - t0_us, events.x, events.y, events.p, bins_per_us, weight, _limit(clip), out)


@representation("openeb_time_surface", axes=("bin", "polarity", "row", "column"), dtype=np.int64)
def newest_stamps(events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor) -> None:
    """Fill each bin with the newest stamp of each pixel and polarity up to its end; 0 where there was none.

    Microseconds on the clock of the recording. OpenEB keeps stamps for ever; here they begin with the window.
    """
    from ._frame_kernels import mark_newest_stamp

    newest = np.zeros(out.shape[1:], np.int64)
    for frame, (_, part) in zip(out, cut_bins(events, t0_us, t1_us, len(out)), strict=True):
        mark_newest_stamp(part.t, part.x, part.y, part.p, newest)
        frame[:] = newest
