"""Frames that count or mark events: histogram, binary, ternary and binary-coded frames."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import PixelMap, SensorSize

from ._place import check_words, cut_bins
from .registry import Definition, Representation, Tensor, add_definition, representation

__all__ = ["event_histogram", "ternary_frames"]

_MOST_BITS = 8


def event_histogram(
    events: Events | NDArray[np.uint32],
    window: tuple[int, int],
    *,
    bins: int,
    pixel_map: PixelMap,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Count the events of a window by time bin, polarity and pixel.

    An event of stamp t counts in bin ``(t - t0) * bins // (t1 - t0)``. A counter stays at 255 when it is full.

    Parameters
    ----------
    events : Events or ndarray, shape (n, 2), uint32
        Events, or DAT records: stamp in microseconds and packed word (x, y, polarity). Those outside the window, or
        cut away by `pixel_map`, do not count.
    window : tuple of int
        ``(t0, t1)`` in microseconds, half-open.
    bins : int
        Number of time bins of equal length, 1 to 4096.
    pixel_map : PixelMap
        Where the sensor's pixels land; ``fit_pixels(size, size)`` keeps them as they are.
    out : ndarray, shape (bins, 2, H, W), uint8, optional
        Buffer to clear and fill; saves the allocation.

    Returns
    -------
    ndarray, shape (bins, 2, H, W), uint8
        Counts, OFF before ON; `out` when it was given.

    Raises
    ------
    OptionError
        When the window is empty, `bins` is outside its range, or an array has another shape or dtype.

    Examples
    --------
    >>> from eventdet.geometry import SensorSize, fit_pixels
    >>> events = Events.from_columns(t=[0, 9, 10], x=[1, 1, 0], y=[0, 0, 0], p=[1, 1, 0])
    >>> event_histogram(events, (0, 20), bins=2, pixel_map=fit_pixels(SensorSize(1, 2), SensorSize(1, 2))).tolist()
    [[[[0, 0]], [[0, 2]]], [[[1, 0]], [[0, 0]]]]
    """
    tensor = Representation("histogram", bins)(events, *window, pixel_map, out)
    return cast(NDArray[np.uint8], tensor)


def _fill_histogram(
    events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap, out: Tensor
) -> int:
    from ._histogram_kernels import histogram_from_columns, histogram_from_words

    place = (pixel_map.columns, pixel_map.rows, out)
    if isinstance(events, Events):
        return int(histogram_from_columns(events.t, events.x, events.y, events.p, t0_us, t1_us, *place))
    # Stamp and word of a record as one number; a mapped file is one piece of memory already, so nothing is copied.
    records = np.ascontiguousarray(check_words(events)).view(np.uint64).reshape(-1)
    return int(histogram_from_words(records, t0_us, t1_us, *place))


def _fill_binary(events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap, out: Tensor) -> int:
    """Set the cells of the histogram that are not zero to one."""
    landed = _fill_histogram(events, t0_us, t1_us, pixel_map, out)
    np.minimum(out, 1, out=out)
    return landed


def _fill_binarep(
    events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap, out: Tensor, *, bits: int = 8
) -> int:
    """Read `bits` binary frames of a bin as the digits of one number, the oldest as the highest digit."""
    frames = np.empty((len(out), bits, *out.shape[1:]), np.uint8)
    landed = _fill_binary(events, t0_us, t1_us, pixel_map, frames.reshape(-1, *out.shape[1:]))
    out[:] = 0
    for digit in range(bits):
        out |= frames[:, digit] << np.uint8(bits - 1 - digit)
    return landed


def _check_bits(*, bits: int) -> None:
    if not 1 <= bits <= _MOST_BITS:
        raise OptionError(f"bits must be in 1..{_MOST_BITS}, got {bits}")


_AXES = ("bin", "polarity", "row", "column")
_UINT8 = np.dtype(np.uint8)

add_definition("histogram", Definition(_AXES, _UINT8, _fill_histogram, {}, None, None))
add_definition("binary", Definition(_AXES, _UINT8, _fill_binary, {}, None, None))
add_definition("binarep", Definition(_AXES, _UINT8, _fill_binarep, {"bits": _MOST_BITS}, None, _check_bits))


@representation("ternary", axes=("bin", "row", "column"), dtype=np.uint8)
def ternary_frames(events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor) -> None:
    """Fill each bin with the polarity of its last event by pixel: 255 ON, 0 OFF, 127 none.

    The input of EMS-YOLO (Su et al., ICCV 2023) on Gen1: five bins of 50 ms, which the network divides by 255. It sees
    the frame in three equal channels: ``frames[:, None].repeat(3, axis=1)`` when they are loaded. Of events with one
    stamp, the last in the stream counts.
    """
    from ._frame_kernels import mark_newest_polarity

    out[:] = 127
    for frame, (_, part) in zip(out, cut_bins(events, t0_us, t1_us, len(out)), strict=True):
        mark_newest_polarity(part.x, part.y, part.p, frame, 255, 0)
