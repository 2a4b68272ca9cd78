"""Frames and voxels beyond the histogram, against plain loops; what holds for every representation."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import WindowGrid, cut_windows, open_recording, parse_windows
from eventdet.geometry import PixelMap, SensorSize, fit_pixels
from eventdet.preprocessing.representations import REPRESENTATIONS, Representation

from .references import bin_of, dat_words, histogram_reference, landed, voxel_reference
from .strategies import SAME, SENSOR, events_of, pixel_maps, windows_with_events

Given = tuple[Events, tuple[int, int]]


@given(windows_with_events(in_order=True), st.integers(1, 12), pixel_maps())
def test_binary_frames_of_any_events_are_the_histogram_cut_at_one(
    given_events: Given, bins: int, pixel_map: PixelMap
) -> None:
    events, window = given_events
    counts, _ = histogram_reference(events, window, bins, pixel_map)
    for form in (events, dat_words(events)):
        frames = Representation("binary", bins)(form, *window, pixel_map)
        np.testing.assert_array_equal(frames, counts > 0)


@given(windows_with_events(in_order=True), st.integers(1, 12), pixel_maps())
def test_ternary_frames_of_any_events_show_the_last_polarity(
    given_events: Given, bins: int, pixel_map: PixelMap
) -> None:
    events, window = given_events
    expected = np.full((bins, *pixel_map.target), 127, np.uint8)
    for t, row, column, p in landed(events, window, pixel_map):
        expected[bin_of(t, window, bins), row, column] = (0, 255)[p]
    for form in (events, dat_words(events)):
        np.testing.assert_array_equal(Representation("ternary", bins)(form, *window, pixel_map), expected)


@given(windows_with_events(in_order=True), st.integers(1, 4), st.integers(1, 8), pixel_maps())
def test_binarep_of_any_events_reads_binary_frames_as_digits(
    given_events: Given, bins: int, bits: int, pixel_map: PixelMap
) -> None:
    events, window = given_events
    expected = np.zeros((bins, 2, *pixel_map.target), np.uint8)
    for t, row, column, p in landed(events, window, pixel_map):
        index, digit = divmod(bin_of(t, window, bins * bits), bits)
        expected[index, p, row, column] |= 1 << (bits - 1 - digit)
    tensor = Representation("binarep", bins, bits=bits)(events, *window, pixel_map)
    np.testing.assert_array_equal(tensor, expected)


def test_binarep_has_its_oldest_frame_in_the_highest_digit() -> None:
    # Bins of 2 us, one bit each: the events of 0 and 5 us are the first and the third of four digits.
    tensor = Representation("binarep", 1, bits=4)(events_of((0, 1, 2, 1), (5, 1, 2, 1)), 0, 8, SAME)
    assert tensor[0, 1, 2, 1] == 0b1010
    assert np.count_nonzero(tensor) == 1


def test_binarep_is_that_of_tonic_but_for_the_division() -> None:
    tonic = pytest.importorskip("tonic.functional", reason="the extra interop is not installed")
    events = _traffic(1500, SensorSize(12, 17))
    same = fit_pixels(SensorSize(12, 17), SensorSize(12, 17))
    frames = Representation("binary", 3 * 6)(events, 0, 4000, same)
    expected = tonic.to_bina_rep_numpy(frames, n_frames=3, n_bits=6)
    np.testing.assert_array_equal(Representation("binarep", 3, bits=6)(events, 0, 4000, same), expected * (2**6 - 1))


@pytest.mark.parametrize("bits", [0, 9])
def test_binarep_of_bits_that_do_not_fit_raises(bits: int) -> None:
    with pytest.raises(OptionError, match=r"bits must be in 1\.\.8"):
        Representation("binarep", 1, bits=bits)


@given(windows_with_events(), st.integers(1, 12), pixel_maps())
def test_voxels_per_polarity_of_any_events_are_two_grids_of_one_sign(
    given_events: Given, bins: int, pixel_map: PixelMap
) -> None:
    events, window = given_events
    for form, on in ((events, events.p == 1), (dat_words(events), events.p == 1)):
        grid = Representation("voxel_per_polarity", bins)(form, *window, pixel_map)
        np.testing.assert_array_equal(grid[:, 0], -voxel_reference(events[~on], window, bins, pixel_map)[0])
        np.testing.assert_array_equal(grid[:, 1], voxel_reference(events[on], window, bins, pixel_map)[0])


@pytest.mark.parametrize("bins", [1, 2, 5])
@pytest.mark.parametrize("window", [(0, 4000), (-1000, 3001), (1234, 2345)])
@pytest.mark.parametrize("target", [SensorSize(24, 30), SensorSize(32, 33), SensorSize(12, 15)], ids=str)
def test_voxels_of_thousands_of_events_equal_the_reference(
    bins: int, window: tuple[int, int], target: SensorSize
) -> None:
    size = SensorSize(24, 30)
    events, pixels = _traffic(3000, size), fit_pixels(size, target)
    # One event beyond the sensor: its block goes event by event.
    events.x[1500] = 30
    expected, added = voxel_reference(events, window, bins, pixels)
    for form in (events, dat_words(events)):
        out = np.full(expected.shape, 7, np.float32)
        assert Representation("voxel", bins).fill(form, *window, pixels, out) == added
        np.testing.assert_array_equal(out, expected)


def _traffic(num_events: int, size: SensorSize) -> Events:
    rng = np.random.default_rng(7)
    t = np.sort(rng.integers(0, 4000, num_events))
    x, y = (rng.integers(0, side, num_events) for side in (size.width, size.height))
    return Events.from_columns(t=t, x=x, y=y, p=rng.integers(0, 2, num_events))


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_tensor_sees_neither_the_future_nor_what_was_before_its_window(name: str) -> None:
    size = SensorSize(12, 17)
    events, same = _traffic(2000, size), fit_pixels(size, size)
    representation = Representation(name, 3)
    within = representation(events.between(1000, 2000), 1000, 2000, same)
    assert within.any()
    np.testing.assert_array_equal(representation(events, 1000, 2000, same), within)
    np.testing.assert_array_equal(representation(dat_words(events), 1000, 2000, same), within)


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_tensor_of_a_window_is_the_same_in_a_stream_and_alone(name: str) -> None:
    size = SensorSize(12, 17)
    events, same = _traffic(2000, size), fit_pixels(size, size)
    representation = Representation(name, 4)
    batches = [events[start : start + 97] for start in range(0, len(events), 97)]
    windows = list(cut_windows(batches, WindowGrid(500, 250, None, None)))
    assert len(windows) > 10
    for window in windows[::-1]:
        streamed = representation(window.events, window.t0_us, window.t1_us, same)
        np.testing.assert_array_equal(representation(events, window.t0_us, window.t1_us, same), streamed)


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_tensor_of_a_real_recording_is_the_same_in_a_stream_and_alone(name: str, real_data: Path) -> None:
    recording = open_recording(real_data / "fan_es_320x240.es")
    size, events = recording.sensor_size, recording.slice(0, 1 << 60)
    representation = Representation(name, 5)
    for fitted in (fit_pixels(size, size), fit_pixels(size, SensorSize(120, 160))):
        for window in list(cut_windows(recording.chunks(), parse_windows("20ms,30000ev")))[3:5]:
            streamed = representation(window.events, window.t0_us, window.t1_us, fitted)
            assert len(np.unique(streamed)) > 1
            np.testing.assert_array_equal(representation(events, window.t0_us, window.t1_us, fitted), streamed)


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_tensor_of_a_window_that_begins_before_the_recording_is_filled_up_with_nothing(name: str) -> None:
    events = events_of((0, 1, 1, 1), (3, 2, 0, 0))
    representation = Representation(name, 2)
    early = representation(events, -4, 4, SAME)
    later = Events(events.t + 100, events.x, events.y, events.p)
    if name == "openeb_time_surface":
        # The one tensor of stamps as they are.
        later_tensor = representation(later, 96, 104, SAME)
        np.testing.assert_array_equal(early, np.where(later_tensor, later_tensor - 100, 0))
    else:
        np.testing.assert_array_equal(early, representation(later, 96, 104, SAME))


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_tensor_on_scaled_pixels_is_that_of_events_moved_there(name: str) -> None:
    size, target = SensorSize(12, 17), SensorSize(6, 9)
    events, pixels = _traffic(1500, size), fit_pixels(size, target)
    moved = Events(
        events.t, pixels.columns[events.x].astype(np.uint16), pixels.rows[events.y].astype(np.uint16), events.p
    )
    representation = Representation(name, 3)
    np.testing.assert_array_equal(
        representation(events, 0, 4000, pixels), representation(moved, 0, 4000, fit_pixels(target, target))
    )


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_count_of_landed_events_leaves_out_those_cut_away(name: str) -> None:
    pixels = fit_pixels(SENSOR, SensorSize(1, 4), fit="crop")
    representation = Representation(name, 2)
    out = np.empty(representation.shape(pixels.target), representation.dtype)
    # Row 1 is the middle one; x = 9 is beyond the sensor, the stamp 10 beyond the window.
    events = events_of((0, 0, 1, 1), (1, 3, 0, 1), (2, 9, 1, 1), (3, 3, 1, 0), (10, 0, 1, 1))
    assert representation.fill(events, 0, 10, pixels, out) == 2


def test_events_out_of_order_are_refused_where_order_counts() -> None:
    with pytest.raises(OptionError, match="events must be in time order"):
        Representation("ternary", 1)(events_of((3, 0, 0, 1), (1, 0, 0, 1), (2, 0, 0, 1)), 0, 10, SAME)
