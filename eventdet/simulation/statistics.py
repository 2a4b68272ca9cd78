"""How events of a patch of the picture are spread over pixels, time and polarity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.filters import Background, start_filters
from eventdet.geometry import SensorSize

__all__ = ["PatchStatistics", "measure_patch"]

_MILLISECOND_US = 1_000
_SUPPORT_US = 10_000
_PERCENTILE = 99.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchStatistics:
    """Statistics of a patch over its window; NaN where it has no event to tell."""

    rate: float
    """Events per second and pixel."""

    on_share: float
    """Share of ON events."""

    active_share: float
    """Share of pixels with an event."""

    events_per_active: float
    """Events of a pixel that has any."""

    count_p99: float
    """99th percentile of the events of all pixels."""

    interval_p10_ms: float
    """Time between events of one pixel: a tenth of them is shorter."""

    interval_p50_ms: float
    """Its median."""

    same_polarity: float
    """Share of events whose predecessor in their pixel had the same polarity."""

    isolated: float
    """Share of events without one at any of the eight neighbours in the 10 ms before."""


def measure_patch(events: Events, size: SensorSize, *, duration_us: int) -> PatchStatistics:
    """Return the statistics of a patch.

    Parameters
    ----------
    events : Events
        Of the patch, in time order, with coordinates that begin at its corner.
    size : SensorSize
        Rows and columns of the patch.
    duration_us : int
        Length of the window, microseconds.

    Returns
    -------
    PatchStatistics
        Of these events.
    """
    pixels = size.height * size.width
    place = events.y.astype(np.int64) * size.width + events.x
    counts = np.bincount(place, minlength=pixels)
    active = int(np.count_nonzero(counts))
    order = np.argsort(place, kind="stable")
    follows = place[order][1:] == place[order][:-1]
    intervals_ms = np.diff(events.t[order])[follows] / _MILLISECOND_US
    same = (np.diff(events.p[order].astype(np.int8)) == 0)[follows]
    supported = start_filters([Background(_SUPPORT_US)], size)(events)
    return PatchStatistics(
        rate=len(events) / pixels / duration_us * 1e6,
        on_share=_mean(events.p),
        active_share=active / pixels,
        events_per_active=len(events) / active if active else float("nan"),
        count_p99=float(np.percentile(counts, _PERCENTILE)),
        interval_p10_ms=_quantile(intervals_ms, 0.1),
        interval_p50_ms=_quantile(intervals_ms, 0.5),
        same_polarity=_mean(same),
        isolated=1.0 - len(supported) / len(events) if len(events) else float("nan"),
    )


def _mean(values: NDArray[np.uint8] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _quantile(values: NDArray[np.float64], share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")
