"""Surfaces of time against plain loops over the events in float64."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import PixelMap
from eventdet.preprocessing.representations import Representation

from .references import bin_of, ends_of_bins, landed
from .strategies import SAME, events_of, pixel_maps, windows_with_events

Given = tuple[Events, tuple[int, int]]
SORTED = windows_with_events(in_order=True)


@given(SORTED, st.integers(1, 5), pixel_maps(), st.sampled_from(["exp", "linear"]), st.sampled_from([0, 7, 300]))
def test_time_surface_of_any_events_equals_the_reference(
    given_events: Given, bins: int, pixel_map: PixelMap, decay: str, tau_us: int
) -> None:
    events, window = given_events
    expected = np.zeros((bins, 2, *pixel_map.target))
    tau = tau_us or window[1] - window[0]
    for index, end in enumerate(ends_of_bins(window, bins)):
        for t, row, column, p in landed(events, window, pixel_map):
            if t < end:
                age = (end - t) / tau
                expected[index, p, row, column] = math.exp(-age) if decay == "exp" else max(0.0, 1.0 - age)
    tensor = Representation("time_surface", bins, decay=decay, tau_us=tau_us)(events, *window, pixel_map)
    np.testing.assert_allclose(tensor, expected, rtol=1e-6, atol=1e-30)


def test_time_surface_of_one_event_decays_from_bin_to_bin() -> None:
    # Bins end at 4 and 8 us; the event of 2 us is then 2 and 6 us old, of 8.
    linear = Representation("time_surface", 2, decay="linear")(events_of((2, 3, 1, 1)), 0, 8, SAME)
    assert linear[:, 1, 1, 3].tolist() == [0.75, 0.25]
    assert np.count_nonzero(linear) == 2
    exponential = Representation("time_surface", 2, tau_us=2)(events_of((2, 3, 1, 1)), 0, 8, SAME)
    np.testing.assert_allclose(exponential[:, 1, 1, 3], [math.exp(-1), math.exp(-3)], rtol=1e-6)


def test_time_surface_of_an_unknown_decay_raises() -> None:
    with pytest.raises(OptionError, match="decay must be one of exp, linear, got 'lin'"):
        Representation("time_surface", 1, decay="lin")


@given(SORTED, st.integers(1, 4), st.integers(1, 4), pixel_maps(), st.sampled_from([(0, 50), (150, 5_000_000)]))
def test_tore_of_any_events_equals_the_reference(
    given_events: Given, bins: int, depth: int, pixel_map: PixelMap, span: tuple[int, int]
) -> None:
    events, window = given_events
    least, most = span
    expected = np.full((bins, 2, depth, *pixel_map.target), math.log(most + 1) - math.log(least + 1))
    for index, end in enumerate(ends_of_bins(window, bins)):
        ages: dict[tuple[int, int, int], list[int]] = {}
        for t, row, column, p in landed(events, window, pixel_map):
            if t < end:
                ages.setdefault((p, row, column), []).insert(0, end - t)
        for (p, row, column), found in ages.items():
            for place, age in enumerate(found[:depth]):
                value = math.log(min(age, most) + 1) - math.log(least + 1)
                expected[index, p, place, row, column] = max(0.0, value)
    representation = Representation("tore", bins, depth=depth, min_us=least, max_us=most)
    np.testing.assert_allclose(representation(events, *window, pixel_map), expected, rtol=1e-6, atol=1e-12)


def test_tore_keeps_the_newest_events_first_and_drops_the_oldest() -> None:
    events = events_of((0, 0, 0, 1), (10, 0, 0, 1), (20, 0, 0, 1))
    tensor = Representation("tore", 1, depth=2, min_us=0, max_us=1000)(events, 0, 30, SAME)
    np.testing.assert_allclose(tensor[0, 1, :, 0, 0], [math.log(11), math.log(21)], rtol=1e-6)
    np.testing.assert_allclose(tensor[0, 0], math.log(1001), rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"depth": 0}, r"tore: depth must be in 1\.\.4096, got 0"),
        ({"depth": True}, "tore: depth must be of type int, got True"),
        ({"min_us": -1}, "tore: min_us must be >= 0, got -1"),
        ({"min_us": 100, "max_us": 100}, "min_us must be < max_us, got 100 and 100"),
    ],
)
def test_tore_parameters_beyond_their_range_raise(parameters: dict[str, int], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Representation("tore", 1, **parameters)


@given(SORTED, st.integers(1, 3), st.integers(1, 4), st.integers(0, 2), pixel_maps(), st.sampled_from([0, 40]))
def test_averaged_time_surface_of_any_events_equals_the_reference(
    given_events: Given, bins: int, cell: int, radius: int, pixel_map: PixelMap, tau_us: int
) -> None:
    events, window = given_events
    representation = Representation("averaged_time_surface", bins, cell=cell, radius=radius, tau_us=tau_us)
    expected = np.zeros(representation.shape(pixel_map.target))
    counts = np.zeros((bins, *expected.shape[2:4]))
    tau = tau_us or window[1] - window[0]
    found = landed(events, window, pixel_map)
    for t, row, column, p in found:
        index = bin_of(t, window, bins)
        counts[index, row // cell, column // cell] += 1
        for past, past_row, past_column, past_p in found:
            down, right = past_row - row, past_column - column
            if past < t and past_p == p and abs(down) <= radius and abs(right) <= radius:
                place = (index, p, row // cell, column // cell, down + radius, right + radius)
                expected[place] += math.exp(-(t - past) / tau)
    expected /= np.maximum(counts, 1)[:, None, :, :, None, None]
    np.testing.assert_allclose(representation(events, *window, pixel_map), expected, rtol=1e-5, atol=1e-12)


def test_averaged_time_surface_of_two_neighbours_shows_the_earlier_beside_the_later() -> None:
    tensor = Representation("averaged_time_surface", 1, cell=4, radius=1, tau_us=10)(
        events_of((0, 1, 1, 1), (10, 2, 1, 1)), 0, 20, SAME
    )
    # One cell; the second event sees the first one column to the left, 10 us old; two events share the mean.
    assert tensor.shape == (1, 2, 1, 1, 3, 3)
    assert tensor[0, 1, 0, 0, 1, 0] == pytest.approx(math.exp(-1) / 2)
    assert np.count_nonzero(tensor) == 1


@pytest.mark.parametrize("parameters", [{"cell": 0}, {"radius": -1}, {"radius": 17}])
def test_averaged_time_surface_of_a_cell_or_radius_beyond_its_range_raises(parameters: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=r"cell must be > 0 and radius in 0\.\.16"):
        Representation("averaged_time_surface", 1, **parameters)
