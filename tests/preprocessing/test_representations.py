"""Tensors: equal to the plain references, exact at every edge, and strict about what they are given."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import PixelMap, SensorSize, fit_pixels
from eventdet.preprocessing.representations import (
    REPRESENTATIONS,
    Representation,
    event_histogram,
    voxel_grid,
)

from .references import dat_words, histogram_reference, voxel_reference
from .strategies import SAME, SENSOR, events_of, pixel_maps, windows_with_events


@given(windows_with_events(), st.integers(1, 12), pixel_maps())
def test_histogram_of_any_events_equals_the_reference(
    given_events: tuple[Events, tuple[int, int]], bins: int, pixel_map: PixelMap
) -> None:
    events, window = given_events
    expected, counted = histogram_reference(events, window, bins, pixel_map)
    out = np.full(expected.shape, 7, np.uint8)
    assert Representation("histogram", bins).fill(events, *window, pixel_map, out) == counted
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(event_histogram(dat_words(events), window, bins=bins, pixel_map=pixel_map), expected)


def _street(rng: np.random.Generator, num_events: int, sensor: SensorSize) -> Events:
    """Return events in time order, enough for the kernels to count by blocks."""
    t = np.sort(rng.integers(1000, 9000, num_events))
    x, y = (rng.integers(0, side, num_events) for side in (sensor.width, sensor.height))
    return Events.from_columns(t=t, x=x, y=y, p=rng.integers(0, 2, num_events))


@pytest.mark.parametrize(
    "fault", ["none", "one outside the sensor", "unsorted", "half outside the window", "all alike", "strided"]
)
@pytest.mark.parametrize("bins", [1, 2, 5, 300])
@pytest.mark.parametrize(
    "pixel_map",
    [
        fit_pixels(SensorSize(24, 30), SensorSize(24, 30)),
        fit_pixels(SensorSize(24, 30), SensorSize(32, 33)),
        fit_pixels(SensorSize(24, 30), SensorSize(12, 15)),
        fit_pixels(SensorSize(24, 30), SensorSize(20, 20), fit="crop"),
    ],
    ids=["same", "padded", "scaled", "cropped"],
)
def test_tensors_of_thousands_of_events_equal_the_reference(pixel_map: PixelMap, bins: int, fault: str) -> None:
    """Blocks that are whole, that a bin cuts, and that are too short: 300 bins leave about ten events to each."""
    rng = np.random.default_rng(3)
    events = _street(rng, 3000, pixel_map.sensor)
    if fault == "one outside the sensor":
        events.x[1500], events.y[2200] = 30, 24
    elif fault == "unsorted":
        events = events[rng.permutation(len(events))]
    elif fault == "all alike":
        # Far more than 255 in one counter.
        events = events[np.full(3000, 7)]
    elif fault == "strided":
        events = Events(*(np.repeat(column, 3)[::3] for column in events))
    window = (0, 20_000) if fault != "half outside the window" else (4321, 7777)
    for name, reference in (("histogram", histogram_reference), ("voxel", voxel_reference)):
        expected, counted = reference(events, window, bins, pixel_map)
        for form in (events, dat_words(events)):
            out = np.full(expected.shape, 7, expected.dtype)
            assert Representation(name, bins).fill(form, *window, pixel_map, out) == counted
            np.testing.assert_array_equal(out, expected)


def test_histogram_of_polarities_beyond_one_stays_in_its_tensor() -> None:
    events = _street(np.random.default_rng(4), 1000, SENSOR)
    odd = Events(events.t, events.x, events.y, np.where(events.p, 255, 0).astype(np.uint8))
    np.testing.assert_array_equal(
        event_histogram(odd, (0, 9000), bins=2, pixel_map=SAME),
        event_histogram(events, (0, 9000), bins=2, pixel_map=SAME),
    )


def test_histogram_of_a_window_that_begins_before_zero_equals_the_reference() -> None:
    events = _street(np.random.default_rng(5), 2000, SENSOR)
    expected, _ = histogram_reference(events, (-5000, 9000), 3, SAME)
    for form in (events, dat_words(events)):
        np.testing.assert_array_equal(event_histogram(form, (-5000, 9000), bins=3, pixel_map=SAME), expected)


@given(windows_with_events(), st.integers(1, 12), pixel_maps())
def test_voxel_grid_of_any_events_equals_the_reference(
    given_events: tuple[Events, tuple[int, int]], bins: int, pixel_map: PixelMap
) -> None:
    events, window = given_events
    expected, added = voxel_reference(events, window, bins, pixel_map)
    out = np.full(expected.shape, 7, np.float32)
    assert Representation("voxel", bins).fill(events, *window, pixel_map, out) == added
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(voxel_grid(dat_words(events), window, bins=bins, pixel_map=pixel_map), expected)


@given(windows_with_events(), st.integers(1, 12), pixel_maps())
def test_voxel_grid_keeps_the_whole_weight_of_every_event(
    given_events: tuple[Events, tuple[int, int]], bins: int, pixel_map: PixelMap
) -> None:
    events, window = given_events
    positive = Events(events.t, events.x, events.y, np.ones_like(events.p))
    _, added = voxel_reference(positive, window, bins, pixel_map)
    total = voxel_grid(positive, window, bins=bins, pixel_map=pixel_map).sum(dtype=np.float64)
    assert total == pytest.approx(added, abs=1e-4)


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
@pytest.mark.parametrize("kind", ["columns", "words"])
def test_tensor_of_no_events_is_empty(name: str, kind: str) -> None:
    events: Events | NDArray[np.uint32] = Events.empty() if kind == "columns" else np.empty((0, 2), np.uint32)
    representation = Representation(name, bins=3)
    tensor = representation(events, 0, 10, SAME, np.full(representation.shape(SENSOR), 7, representation.dtype))
    assert tensor.shape == representation.shape(SENSOR)
    assert tensor.dtype == representation.dtype
    assert len(representation.axes) == tensor.ndim
    # What stands for no event is 0, but for the grey of the ternary frame and the greatest age of TORE.
    assert (tensor == {"ternary": 127, "tore": np.float32(np.log(5_000_001 / 151))}.get(name, 0)).all()


@pytest.mark.parametrize(
    ("stamp", "bin_index"),
    # A window of 10 us in 3 bins: bin = t * 3 // 10, so the bins begin at 0, 4 and 7.
    [(100, 0), (103, 0), (104, 1), (106, 1), (107, 2), (109, 2)],
)
def test_histogram_bin_edges_are_those_of_integer_division(stamp: int, bin_index: int) -> None:
    histogram = event_histogram(events_of((stamp, 1, 2, 1)), (100, 110), bins=3, pixel_map=SAME)
    assert histogram[bin_index, 1, 2, 1] == 1
    assert histogram.sum() == 1


@pytest.mark.parametrize("stamp", [99, 110])
def test_histogram_leaves_out_events_at_and_beyond_the_end_and_before_the_start(stamp: int) -> None:
    assert not event_histogram(events_of((stamp, 0, 0, 1)), (100, 110), bins=3, pixel_map=SAME).any()


@pytest.mark.parametrize(("num_events", "count"), [(254, 254), (255, 255), (256, 255), (600, 255)])
def test_histogram_counter_stays_at_255_when_full(num_events: int, count: int) -> None:
    events = events_of(*[(5, 3, 2, 0)] * num_events)
    for batch in (events, dat_words(events)):
        histogram = event_histogram(batch, (0, 10), bins=1, pixel_map=SAME)
        assert histogram[0, 0, 2, 3] == count
        assert np.count_nonzero(histogram) == 1


def test_histogram_reads_any_polarity_above_zero_as_on() -> None:
    events = Events(np.array([1]), np.array([0], np.uint16), np.array([0], np.uint16), np.array([7], np.uint8))
    assert event_histogram(events, (0, 2), bins=1, pixel_map=SAME)[0].tolist()[1][0][0] == 1


def test_histogram_at_stamps_beyond_32_bits_is_exact() -> None:
    start = 1 << 40
    histogram = event_histogram(events_of((start + 999_999, 0, 0, 1)), (start, start + 10**6), bins=10, pixel_map=SAME)
    assert histogram[9, 1, 0, 0] == 1


@pytest.mark.parametrize(
    ("stamp", "weights"),
    # 5 bins over 8 us are 4 intervals of 2 us: s = t / 2.
    [(0, [1, 0, 0, 0, 0]), (1, [0.5, 0.5, 0, 0, 0]), (2, [0, 1, 0, 0, 0]), (7, [0, 0, 0, 0.5, 0.5])],
)
def test_voxel_grid_shares_an_event_between_the_two_nearest_bins(stamp: int, weights: list[float]) -> None:
    grid = voxel_grid(events_of((stamp, 2, 1, 1)), (0, 8), bins=5, pixel_map=SAME)
    assert grid[:, 1, 2].tolist() == weights
    grid = voxel_grid(events_of((stamp, 2, 1, 0)), (0, 8), bins=5, pixel_map=SAME)
    assert grid[:, 1, 2].tolist() == [-weight for weight in weights]


def test_voxel_grid_of_equal_stamps_is_their_signed_count() -> None:
    grid = voxel_grid(events_of((0, 0, 0, 1), (0, 0, 0, 1), (0, 0, 0, 0)), (0, 50), bins=4, pixel_map=SAME)
    assert grid[:, 0, 0].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_out_is_cleared_filled_and_returned() -> None:
    out = np.full((1, 2, 3, 4), 9, np.uint8)
    assert event_histogram(events_of((0, 0, 0, 1)), (0, 1), bins=1, pixel_map=SAME, out=out) is out
    assert out.sum() == 1


def test_events_that_are_views_of_a_record_array_give_the_same_tensor() -> None:
    records = events_of((0, 0, 0, 1), (3, 1, 2, 0), (5, 3, 1, 1)).to_structured()
    views = Events(records["t"], records["x"], records["y"], records["p"])
    copies = Events.from_structured(records)
    for name in REPRESENTATIONS:
        representation = Representation(name, 3)
        np.testing.assert_array_equal(representation(views, 0, 6, SAME), representation(copies, 0, 6, SAME))


def test_events_that_may_not_be_written_are_read() -> None:
    words = dat_words(events_of((0, 0, 0, 1)))
    words.flags.writeable = False
    assert event_histogram(words, (0, 1), bins=1, pixel_map=SAME).sum() == 1


@pytest.mark.parametrize("window", [(0, 0), (5, 4), (0, (1 << 48) + 1)])
def test_window_without_length_or_too_long_raises(window: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match="window must be"):
        event_histogram(Events.empty(), window, bins=1, pixel_map=SAME)


@pytest.mark.parametrize("bins", [0, -1, 4097])
def test_bins_outside_their_range_raise(bins: int) -> None:
    with pytest.raises(OptionError, match=r"bins must be in 1\.\.4096"):
        Representation("histogram", bins)


def test_unknown_representation_raises_and_lists_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"must be one of .*histogram.*, voxel.*, got 'hats'"):
        Representation("hats", 5)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((1, 2, 4, 3), np.uint8),
        np.zeros((1, 2, 3, 4), np.int8),
        np.zeros((1, 2, 3, 8), np.uint8)[..., ::2],
    ],
    ids=["shape", "dtype", "strides"],
)
def test_out_of_another_form_raises(out: NDArray[Any]) -> None:
    with pytest.raises(OptionError, match="out must be"):
        event_histogram(Events.empty(), (0, 1), bins=1, pixel_map=SAME, out=out)


@pytest.mark.parametrize(
    "words", [np.zeros((2, 3), np.uint32), np.zeros(4, np.uint32), np.zeros((2, 2), np.int64)], ids=str
)
def test_words_of_another_form_raise(words: NDArray[Any]) -> None:
    with pytest.raises(OptionError, match="DAT records must be"):
        event_histogram(words, (0, 1), bins=1, pixel_map=SAME)


def test_pixel_map_with_short_tables_loses_the_events_beyond_them() -> None:
    short = PixelMap(SENSOR, SENSOR, SAME.columns[:2], SAME.rows, 1.0, offset_x=0, offset_y=0)
    histogram = event_histogram(events_of((0, 1, 0, 1), (0, 2, 0, 1)), (0, 1), bins=1, pixel_map=short)
    assert histogram.sum() == histogram[0, 1, 0, 1] == 1


def test_pixel_map_that_points_outside_the_tensor_loses_the_event_and_writes_nothing() -> None:
    columns = np.array([0, 1, 2, 99], np.int32)
    broken = PixelMap(SENSOR, SENSOR, columns, SAME.rows, 0.5, offset_x=0, offset_y=0)
    out = np.zeros((1, 2, 3, 4), np.uint8)
    assert Representation("histogram", 1).fill(events_of((0, 3, 0, 1)), 0, 1, broken, out) == 0
    assert not out.any()


def test_import_of_preprocessing_pulls_in_neither_numba_nor_zarr_nor_torch() -> None:
    code = "import sys, eventdet.preprocessing\nprint({'numba', 'zarr', 'torch'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
