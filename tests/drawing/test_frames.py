"""Event frames against a plain reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet import Events, SensorSize
from eventdet.drawing import PALETTES, enlarge, event_frame
from eventdet.errors import OptionError

SIZE = SensorSize(3, 4)


def reference_frame(events: Events, size: SensorSize, palette: str) -> NDArray[np.uint8]:
    colours = PALETTES[palette]
    frame = np.empty((size.height, size.width, 3), np.uint8)
    for y in range(size.height):
        for x in range(size.width):
            frame[y, x] = colours.background
    for _, x, y, p in zip(*events, strict=True):
        frame[y, x] = colours.on if p == 1 else colours.off
    return frame


@settings(max_examples=60, deadline=None)
@given(
    pixels=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)), max_size=40),
    palette=st.sampled_from(list(PALETTES)),
)
def test_event_frame_equals_the_reference(pixels: list[tuple[int, int, int]], palette: str) -> None:
    x, y, p = zip(*pixels, strict=True) if pixels else ((), (), ())
    columns = {"t": range(len(pixels)), "x": x, "y": y, "p": p}
    events = Events.from_columns(**{name: np.array(values, np.int64) for name, values in columns.items()})
    np.testing.assert_array_equal(event_frame(events, SIZE, palette=palette), reference_frame(events, SIZE, palette))


def test_event_frame_last_polarity_of_a_pixel_wins() -> None:
    # Enough repetitions of one pixel that an unordered assignment would show.
    polarities = [0, 1] * 500 + [0]
    num_events = len(polarities)
    events = Events.from_columns(t=range(num_events), x=[2] * num_events, y=[1] * num_events, p=polarities)
    assert event_frame(events, SIZE)[1, 2].tolist() == [64, 126, 201]


def test_event_frame_of_no_events_is_background() -> None:
    frame = event_frame(Events.empty(), SIZE)
    assert frame.shape == (3, 4, 3)
    assert frame.dtype == np.uint8
    assert np.all(frame == (30, 37, 52))


@pytest.mark.parametrize(("x", "y"), [(4, 0), (0, 3)])
def test_event_frame_of_an_event_outside_the_sensor_is_refused(x: int, y: int) -> None:
    events = Events.from_columns(t=[0], x=[x], y=[y], p=[1])
    with pytest.raises(OptionError, match=f"events must lie within the 4x3 sensor, got x up to {x} and y up to {y}"):
        event_frame(events, SIZE)


def test_event_frame_of_an_unknown_palette_is_refused() -> None:
    with pytest.raises(OptionError, match="palette must be one of"):
        event_frame(Events.empty(), SIZE, palette="neon")


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_enlarge_repeats_every_pixel(scale: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    expected = image.repeat(scale, axis=0).repeat(scale, axis=1)
    np.testing.assert_array_equal(enlarge(image, scale), expected)


def test_enlarge_by_zero_is_refused() -> None:
    with pytest.raises(OptionError, match="scale must be >= 1, got 0"):
        enlarge(np.zeros((2, 2, 3), np.uint8), 0)
