"""Frames that count or mark events: histogram, binary, ternary and binary-coded frames."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import PixelMap, SensorSize

from ._place import as_records, cut_bins
from .registry import Definition, Representation, Tensor, add_definition, representation

__all__ = ["binary_frames", "binary_representation", "event_histogram", "ternary_frames"]

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
    from ._histogram_kernels import histogram_from_columns, histogram_from_records

    place = (pixel_map.columns, pixel_map.rows, out)
    if isinstance(events, Events):
        return int(histogram_from_columns(events.t, events.x, events.y, events.p, t0_us, t1_us, *place))
    return int(histogram_from_records(as_records(events), t0_us, t1_us, *place))


add_definition(
    "histogram",
    Definition(("bin", "polarity", "row", "column"), np.dtype(np.uint8), _fill_histogram, {}, None, None),
)


@representation("binary", axes=("bin", "polarity", "row", "column"), dtype=np.uint8)
def binary_frames(events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor) -> None:
    """Set the pixels that had an event of a polarity in a bin to 1, the others to 0."""
    _set_digits(events, t0_us, t1_us, out, bits=1)


def _check_bits(*, bits: int) -> None:
    if not 1 <= bits <= _MOST_BITS:
        raise OptionError(f"bits must be in 1..{_MOST_BITS}, got {bits}")


@representation("binarep", axes=("bin", "polarity", "row", "column"), dtype=np.uint8, check=_check_bits)
def binary_representation(
    events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *, bits: int = _MOST_BITS
) -> None:
    """Read `bits` binary frames of a bin as the digits of one number, the oldest as the highest digit.

    Bina-Rep event frames (Barchid et al., ICIP 2022); divide by ``2**bits - 1`` for theirs, which end at 1. Frame k of
    a bin covers its part k of `bits` equal ones.
    """
    _set_digits(events, t0_us, t1_us, out, bits=bits)


def _set_digits(events: Events, t0_us: int, t1_us: int, out: Tensor, *, bits: int) -> None:
    from ._frame_kernels import set_digit

    out[:] = 0
    for index, (_, part) in enumerate(cut_bins(events, t0_us, t1_us, len(out) * bits)):
        set_digit(part.x, part.y, part.p, np.uint8(1 << (bits - 1 - index % bits)), out[index // bits])


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
