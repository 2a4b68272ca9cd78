"""OpenEB's tensors, bit for bit: its definitions again, event by event in NumPy float32."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import PixelMap
from eventdet.preprocessing.representations import Representation

from .references import bin_of, landed
from .strategies import SAME, events_of, pixel_maps, windows_with_events

F = np.float32
Given = tuple[Events, tuple[int, int]]
SORTED = windows_with_events(in_order=True)
INCREMENTS = st.sampled_from([1.0, 3.0, 5.0, 63.0])
CLIPS = st.sampled_from([0.0, 0.3, 1.0])


def _clipped(value: np.float32, clip: float) -> np.float32:
    return min(F(clip), max(F(-clip), value)) if clip else value


@given(SORTED, st.integers(1, 6), INCREMENTS, CLIPS, pixel_maps())
def test_openeb_histo_and_diff_of_any_events_equal_the_reference(
    given_events: Given, bins: int, most: float, clip: float, pixel_map: PixelMap
) -> None:
    events, window = given_events
    histo = np.zeros((bins, 2, *pixel_map.target), F)
    diff = np.zeros((bins, *pixel_map.target), F)
    increment = F(1) / F(most)
    for t, row, column, p in landed(events, window, pixel_map):
        index = bin_of(t, window, bins)
        histo[index, p, row, column] = _clipped(histo[index, p, row, column] + increment, clip)
        diff[index, row, column] = _clipped(diff[index, row, column] + increment * F(2 * p - 1), clip)
    for name, expected in (("openeb_histo", histo), ("openeb_diff", diff)):
        tensor = Representation(name, bins, max_incr_per_pixel=most, clip=clip)(events, *window, pixel_map)
        np.testing.assert_array_equal(tensor, expected)


def _event_cube(
    events: Events, window: tuple[int, int], shape: tuple[int, ...], pixel_map: PixelMap, most: float, clip: float
) -> NDArray[np.float32]:
    cube = np.zeros(shape, F)
    bins, channels = shape[:2]
    rate = F(bins) / F(window[1] - window[0])
    for t, row, column, p in landed(events, window, pixel_map):
        position = F(t - window[0]) * rate - F(0.5)
        left = int(np.floor(position))
        share = max(F(0), F(1) - abs(F(left) - position))
        sign = F(1) if p or channels == 2 else F(-1)
        for index, weight in ((left, share), (left + 1, F(1) - share)):
            if 0 <= index < bins:
                place = (index, p if channels == 2 else 0, row, column)
                cube[place] = _clipped(cube[place] + weight * sign * (F(1) / F(most)), clip)
    return cube


@given(SORTED, st.integers(1, 8), st.booleans(), INCREMENTS, CLIPS, pixel_maps())
def test_openeb_event_cube_of_any_events_equals_the_reference(
    given_events: Given, bins: int, split: bool, most: float, clip: float, pixel_map: PixelMap
) -> None:
    events, window = given_events
    representation = Representation("openeb_event_cube", bins, split_polarity=split, max_incr_per_pixel=most, clip=clip)
    tensor = representation(events, *window, pixel_map)
    expected = _event_cube(events, window, tensor.shape, pixel_map, most, clip)
    np.testing.assert_array_equal(tensor, expected)


@pytest.mark.parametrize(
    ("stamp", "weights"),
    # Two bins over 8 us have their centres at 2 and 6 us; before and behind them weight is lost.
    [(0, [0.5, 0.0]), (2, [1.0, 0.0]), (3, [0.75, 0.25]), (6, [0.0, 1.0]), (7, [0.0, 0.75])],
)
def test_openeb_event_cube_shares_an_event_between_the_nearest_centres(stamp: int, weights: list[float]) -> None:
    events = events_of((stamp, 1, 0, 0))
    split = Representation("openeb_event_cube", 2)(events, 0, 8, SAME)
    assert split[:, 0, 0, 1].tolist() == weights
    signed = Representation("openeb_event_cube", 2, split_polarity=False)(events, 0, 8, SAME)
    assert signed[:, 0, 0, 1].tolist() == [-weight for weight in weights]


def test_openeb_histo_of_many_events_stays_at_its_clip() -> None:
    events = events_of(*[(1, 0, 0, 1)] * 9)
    assert Representation("openeb_histo", 1)(events, 0, 2, SAME)[0, 1, 0, 0] == 1.0
    assert Representation("openeb_histo", 1, max_incr_per_pixel=4.0, clip=0.0)(events, 0, 2, SAME)[0, 1, 0, 0] == 2.25


@given(SORTED, st.integers(1, 6), pixel_maps())
def test_openeb_time_surface_of_any_events_holds_the_newest_stamps(
    given_events: Given, bins: int, pixel_map: PixelMap
) -> None:
    events, window = given_events
    expected = np.zeros((bins, 2, *pixel_map.target), np.int64)
    for t, row, column, p in landed(events, window, pixel_map):
        expected[bin_of(t, window, bins) :, p, row, column] = t
    tensor = Representation("openeb_time_surface", bins)(events, *window, pixel_map)
    np.testing.assert_array_equal(tensor, expected)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"max_incr_per_pixel": 0.0}, "max_incr_per_pixel must be > 0"), ({"clip": -1.0}, "clip must be >= 0")],
)
@pytest.mark.parametrize("name", ["openeb_histo", "openeb_diff", "openeb_event_cube"])
def test_openeb_parameters_beyond_their_range_raise(name: str, parameters: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Representation(name, 1, **parameters)
