"""Voxel grids: every event shared between the two nearest time bins."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.geometry import PixelMap

from ._place import as_records
from .registry import Definition, Representation, Tensor, add_definition

__all__ = ["voxel_grid"]


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

    ``voxel_per_polarity`` is the same with an axis of polarities, OFF before ON, and sign +1 for both.

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


def _fill_voxels(events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap, out: Tensor) -> int:
    from ._voxel_kernels import voxels_from_columns, voxels_from_records

    channels = 1 if out.ndim == 3 else 2
    place = (pixel_map.columns, pixel_map.rows, out.reshape(len(out), channels, *out.shape[-2:]))
    if isinstance(events, Events):
        return int(voxels_from_columns(events.t, events.x, events.y, events.p, t0_us, t1_us, *place))
    return int(voxels_from_records(as_records(events), t0_us, t1_us, *place))


_FLOAT32 = np.dtype(np.float32)

add_definition("voxel", Definition(("bin", "row", "column"), _FLOAT32, _fill_voxels, {}, None, None))
add_definition(
    "voxel_per_polarity", Definition(("bin", "polarity", "row", "column"), _FLOAT32, _fill_voxels, {}, None, None)
)
