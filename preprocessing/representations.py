"""Events of one time window as a tensor.

Bins are cut by the edges of the window, in integers, never by the first and last event: so a tensor does not depend
on how the stream around it was cut, and the live loop gives the same bits as the offline conversion.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import PixelMap, SensorSize

__all__ = ["REPRESENTATIONS", "Representation", "Tensor", "event_histogram", "voxel_grid"]

Tensor = NDArray[np.uint8 | np.float32]
"""What a representation fills: an array of its `shape` and `dtype`."""

_LARGEST_NUM_BINS = 4096
"""Keeps bins times window length far inside int64, for any window of a recording."""

_LONGEST_WINDOW_US = 1 << 48


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


def voxel_grid(
    events: Events | NDArray[np.uint32],
    window: tuple[int, int],
    *,
    bins: int,
    pixel_map: PixelMap,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Sum the signed events of a window by pixel, shared between the two nearest time bins.

    The position of an event on the bin axis is ``s = (t - t0) * (bins - 1) / (t1 - t0)``; bin ``floor(s)`` receives
    ``sign * (1 - (s - floor(s)))``, the next one ``sign * (s - floor(s))``, with sign +1 for ON and -1 for OFF. This
    is the grid of Zhu et al. (CVPR 2019, eq. 1-2), as rpg's code normalises it (``bins - 1`` intervals, so that the
    outer bins have their centres on the edges and each event adds exactly 1 in total), save that it runs from window
    edge to window edge instead of first to last event. OpenEB's event cube has its centres half a bin inside and
    loses weight at both ends. With one bin, every event adds its sign.

    Parameters
    ----------
    events : Events or ndarray, shape (n, 2), uint32
        As in :func:`event_histogram`.
    window : tuple of int
        ``(t0, t1)`` in microseconds, half-open.
    bins : int
        Number of time bins, 1 to 4096.
    pixel_map : PixelMap
        Where the sensor's pixels land.
    out : ndarray, shape (bins, H, W), float32, optional
        Buffer to clear and fill.

    Returns
    -------
    ndarray, shape (bins, H, W), float32
        Signed sums; `out` when it was given.

    Raises
    ------
    OptionError
        As in :func:`event_histogram`.

    Examples
    --------
    >>> from eventdet.geometry import SensorSize, fit_pixels
    >>> events = Events.from_columns(t=[0, 5], x=[0, 0], y=[0, 0], p=[1, 0])
    >>> voxel_grid(events, (0, 20), bins=3, pixel_map=fit_pixels(SensorSize(1, 1), SensorSize(1, 1))).ravel().tolist()
    [0.5, -0.5, 0.0]
    """
    tensor = Representation("voxel", bins)(events, *window, pixel_map, out)
    return cast(NDArray[np.float32], tensor)


@dataclass(frozen=True, slots=True)
class Representation:
    """A chosen tensor: which one, and how many time bins.

    Raises
    ------
    OptionError
        When the name is not registered or `bins` is not within 1..4096.

    Examples
    --------
    >>> Representation("histogram", bins=5).shape(SensorSize(240, 304))
    (5, 2, 240, 304)
    """

    name: str
    """``histogram`` (:func:`event_histogram`) or ``voxel`` (:func:`voxel_grid`)."""

    bins: int
    """Time bins a window is cut into."""

    def __post_init__(self) -> None:
        """Check both fields, see `Raises`."""
        check_option("representation", self.name, REPRESENTATIONS)
        if not 1 <= self.bins <= _LARGEST_NUM_BINS:
            raise OptionError(f"bins must be in 1..{_LARGEST_NUM_BINS}, got {self.bins}", hint="use --bins 5")

    @property
    def dtype(self) -> np.dtype[np.uint8 | np.float32]:
        """Type of one cell."""
        return REPRESENTATIONS[self.name].dtype

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes of one tensor, such as ``("bin", "polarity", "row", "column")``."""
        return REPRESENTATIONS[self.name].axes

    def shape(self, size: SensorSize) -> tuple[int, ...]:
        """Return the shape of one tensor of `size` rows and columns."""
        polarities = (2,) if "polarity" in self.axes else ()
        return (self.bins, *polarities, size.height, size.width)

    def to_dict(self) -> dict[str, str | int]:
        """Return the fields by name; ``Representation(**fields)`` reads them back."""
        return asdict(self)

    def fill(
        self, events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap, out: Tensor
    ) -> int:
        """Clear `out`, fill it with the window ``[t0_us, t1_us)``, and return how many events landed in it.

        Parameters
        ----------
        events : Events or ndarray, shape (n, 2), uint32
            Events or DAT records.
        t0_us, t1_us : int
            The window, microseconds.
        pixel_map : PixelMap
            Where the sensor's pixels land.
        out : ndarray
            C-contiguous, of `shape(pixel_map.target)` and `dtype`.

        Returns
        -------
        int
            Events inside the window and not cut away.

        Raises
        ------
        OptionError
            When the window is empty or longer than 2**48 us, or an array has another shape or dtype.
        """
        _check_window(t0_us, t1_us)
        shape = self.shape(pixel_map.target)
        if out.shape != shape or out.dtype != self.dtype or not (out.flags.c_contiguous and out.flags.writeable):
            raise OptionError(
                f"out must be a writable C-ordered {self.dtype} {shape} array, got {out.dtype} {out.shape}"
            )
        return REPRESENTATIONS[self.name].fill(events, t0_us, t1_us, pixel_map, out)

    def __call__(
        self,
        events: Events | NDArray[np.uint32],
        t0_us: int,
        t1_us: int,
        pixel_map: PixelMap,
        out: Tensor | None = None,
    ) -> Tensor:
        """Return the tensor of the window ``[t0_us, t1_us)``, in `out` when it is given; otherwise as `fill`."""
        tensor = np.empty(self.shape(pixel_map.target), self.dtype) if out is None else out
        self.fill(events, t0_us, t1_us, pixel_map, tensor)
        return tensor


def _check_window(t0_us: int, t1_us: int) -> None:
    if not 0 < t1_us - t0_us <= _LONGEST_WINDOW_US:
        raise OptionError(f"window must be (t0, t1) with t0 < t1 <= t0 + 2**48 us, got ({t0_us}, {t1_us})")


def _check_words(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    if words.dtype != np.uint32 or words.ndim != 2 or words.shape[1] != 2:
        raise OptionError(f"DAT records must be uint32 of shape (n, 2), got {words.dtype} {words.shape}")
    return words


def _fill_histogram(
    events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap, out: Tensor
) -> int:
    from ._histogram_kernels import histogram_from_columns, histogram_from_words

    counts = cast(NDArray[np.uint8], out)
    place = (pixel_map.columns, pixel_map.rows, counts)
    if isinstance(events, Events):
        return int(histogram_from_columns(events.t, events.x, events.y, events.p, t0_us, t1_us, *place))
    # Stamp and word of a record as one number; a mapped file is one piece of memory already, so nothing is copied.
    records = np.ascontiguousarray(_check_words(events)).view(np.uint64).reshape(-1)
    return int(histogram_from_words(records, t0_us, t1_us, *place))


def _fill_voxels(events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap, out: Tensor) -> int:
    from ._kernels import voxels_from_columns, voxels_from_words

    sums = cast(NDArray[np.float32], out)
    place = (pixel_map.columns, pixel_map.rows, sums)
    if isinstance(events, Events):
        return int(voxels_from_columns(events.t, events.x, events.y, events.p, t0_us, t1_us, *place))
    words = _check_words(events)
    return int(voxels_from_words(words[:, 0], words[:, 1], t0_us, t1_us, *place))


class _Definition(NamedTuple):
    """What the registry knows of one representation."""

    axes: tuple[str, ...]
    dtype: np.dtype[np.uint8 | np.float32]
    fill: Callable[[Events | NDArray[np.uint32], int, int, PixelMap, Tensor], int]


REPRESENTATIONS: dict[str, _Definition] = {
    "histogram": _Definition(("bin", "polarity", "row", "column"), np.dtype(np.uint8), _fill_histogram),
    "voxel": _Definition(("bin", "row", "column"), np.dtype(np.float32), _fill_voxels),
}
"""Every representation by name; a new one is one entry here and one pair of kernels."""
