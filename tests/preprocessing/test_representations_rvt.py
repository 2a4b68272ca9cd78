"""RVT's tensors, bit for bit: its definitions again, in torch, which RVT computes them with."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.preprocessing.representations import Representation

from .strategies import SAME, SENSOR, events_of, windows_with_events

Given = tuple[Events, tuple[int, int]]


def _columns(events: Events) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(column.astype(np.int64)) for column in events)


def _stacked_histogram(events: Events, bins: int, cutoff: int, dtype: torch.dtype) -> NDArray[np.uint8]:
    t, x, y, p = _columns(events)
    counts = torch.zeros((2, bins, *SENSOR), dtype=dtype)
    if len(t):
        index = ((t - t[0]) / max(int(t[-1] - t[0]), 1) * bins).floor().clamp(max=bins - 1).long()
        counts.index_put_((p, index, y, x), torch.ones(len(t), dtype=dtype), accumulate=True)
    return counts.clamp(0, cutoff).to(torch.uint8).numpy()


def _mixed_density_stack(events: Events, bins: int, cutoff: int) -> NDArray[np.int8]:
    t, x, y, p = _columns(events)
    sums = torch.zeros((bins, *SENSOR), dtype=torch.int8)
    if len(t):
        position = ((t - t[0]) / max(int(t[-1] - t[0]), 1)).clamp(1e-6, 1 - 1e-6)
        index = (bins - torch.log(position) / math.log(0.5)).clamp(min=0).floor().long()
        sums.index_put_((index, y, x), (2 * p - 1).to(torch.int8), accumulate=True)
    return sums.cumsum(0).to(torch.int8).clamp(-cutoff, cutoff).numpy()


def _on_sensor(given_events: Given) -> Given:
    events, window = given_events
    events = events.between(*window)
    return events[(events.x < SENSOR.width) & (events.y < SENSOR.height)], window


@given(windows_with_events(in_order=True).map(_on_sensor), st.integers(1, 12), st.integers(1, 255), st.booleans())
def test_rvt_histogram_of_any_events_equals_torch(given_events: Given, bins: int, cutoff: int, fastmode: bool) -> None:
    events, window = given_events
    tensor = Representation("rvt_histogram", bins, cutoff=cutoff, fastmode=fastmode)(events, *window, SAME)
    expected = _stacked_histogram(events, bins, cutoff, torch.uint8 if fastmode else torch.int16)
    np.testing.assert_array_equal(tensor, expected)


@given(windows_with_events(in_order=True).map(_on_sensor), st.integers(1, 12), st.integers(1, 127))
def test_rvt_mixed_density_of_any_events_equals_torch(given_events: Given, bins: int, cutoff: int) -> None:
    events, window = given_events
    tensor = Representation("rvt_mixed_density", bins, cutoff=cutoff)(events, *window, SAME)
    np.testing.assert_array_equal(tensor, _mixed_density_stack(events, bins, cutoff))


def _even_stream(span_us: int) -> Events:
    """Return an event in every microsecond, so that each bin's edge is met."""
    t = np.arange(span_us + 1)
    return Events.from_columns(t=t, x=t % SENSOR.width, y=t // 7 % SENSOR.height, p=t // 3 % 2)


@pytest.mark.parametrize("span_us", [1, 3, 1000, 4999, 5000, 16_384, 50_000])
def test_rvt_tensors_at_every_microsecond_equal_torch(span_us: int) -> None:
    events, window = _even_stream(span_us), (0, span_us + 1)
    np.testing.assert_array_equal(
        Representation("rvt_histogram", 10, cutoff=255)(events, *window, SAME),
        _stacked_histogram(events, 10, 255, torch.uint8),
    )
    np.testing.assert_array_equal(
        Representation("rvt_mixed_density", 10)(events, *window, SAME), _mixed_density_stack(events, 10, 32)
    )


def test_rvt_histogram_cuts_time_by_its_first_and_last_event() -> None:
    # From 40 to 60 us: the bins begin at 40 and 50, wherever the window begins and ends.
    tensor = Representation("rvt_histogram", 2)(events_of((40, 0, 0, 1), (49, 0, 0, 1), (60, 0, 0, 1)), 0, 1000, SAME)
    assert tensor[1, :, 0, 0].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("num_events", "fastmode", "count"),
    # Eight bits begin again after 255; sixteen pass 32767 into the negative, which the cutoff makes 0.
    [(10, True, 10), (11, True, 10), (259, True, 3), (259, False, 10), (32_768, False, 0)],
)
def test_rvt_histogram_of_a_hot_pixel_wraps_as_rvt_does(num_events: int, fastmode: bool, count: int) -> None:
    events = events_of((5, 1, 1, 0))[np.zeros(num_events, np.intp)]
    tensor = Representation("rvt_histogram", 1, fastmode=fastmode)(events, 0, 10, SAME)
    assert tensor[0, 0, 1, 1] == count
    dtype = torch.uint8 if fastmode else torch.int16
    np.testing.assert_array_equal(tensor, _stacked_histogram(events, 1, 10, dtype))


def test_rvt_mixed_density_halves_time_from_bin_to_bin_and_adds_up() -> None:
    # Of 16 us, the last bin has [8, 16], the one before [4, 8), then [2, 4), and the first all older.
    events = events_of(*[(t, 0, 0, 1) for t in (0, 1, 2, 4, 8, 16)])
    tensor = Representation("rvt_mixed_density", 4)(events, 0, 100, SAME)
    assert tensor[:, 0, 0].tolist() == [2, 3, 4, 6]


@pytest.mark.parametrize(("name", "largest"), [("rvt_histogram", 255), ("rvt_mixed_density", 127)])
def test_rvt_cutoff_beyond_its_range_raises(name: str, largest: int) -> None:
    for cutoff in (0, largest + 1):
        with pytest.raises(OptionError, match=rf"cutoff must be in 1\.\.{largest}, got {cutoff}"):
            Representation(name, 1, cutoff=cutoff)
