"""Events, windows and pixel maps to test tensors with."""

import numpy as np
from hypothesis import strategies as st

from eventdet.events import Events
from eventdet.geometry import FITS, PixelMap, SensorSize, fit_pixels

SENSOR = SensorSize(3, 4)
SAME = fit_pixels(SENSOR, SENSOR)


def events_of(*rows: tuple[int, int, int, int]) -> Events:
    t, x, y, p = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Events.from_columns(
        t=np.array(t, np.int64), x=np.array(x, np.int64), y=np.array(y, np.int64), p=np.array(p, np.int64)
    )


@st.composite
def pixel_maps(draw: st.DrawFn) -> PixelMap:
    sensor = SensorSize(draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    fit = draw(st.sampled_from(FITS))
    smallest = SensorSize(1, 1) if fit != "none" else sensor
    target = SensorSize(draw(st.integers(smallest.height, 8)), draw(st.integers(smallest.width, 8)))
    return fit_pixels(sensor, target, fit=fit)


@st.composite
def windows_with_events(draw: st.DrawFn, *, in_order: bool | None = None) -> tuple[Events, tuple[int, int]]:
    t0 = draw(st.integers(0, 1 << 31))
    window = (t0, t0 + draw(st.integers(1, 1000)))
    # A few stamps outside the window, and pixels outside the sensor: both must be left out, not crash.
    stamps = st.integers(max(0, t0 - 20), window[1] + 20)
    row = st.tuples(stamps, st.integers(0, 7), st.integers(0, 7), st.integers(0, 1))
    rows = draw(st.lists(row, max_size=60))
    if draw(st.booleans()) if in_order is None else in_order:
        # By time alone: events of one stamp stay in any order.
        rows.sort(key=lambda row: row[0])
    return events_of(*rows), window
