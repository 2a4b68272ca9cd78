"""Augmentation: events, tensors and boxes move alike, and nothing comes from the future."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.preprocessing import Representation
from eventdet.preprocessing.dataset.augment import Augmentation, ClipTransform

SIZE = SensorSize(5, 8)
PIXELS = fit_pixels(SIZE, SIZE)
HISTOGRAM = Representation("histogram", bins=1)


def _events(*places: tuple[int, int], t: int = 0) -> Events:
    x, y = zip(*places, strict=True)
    return Events.from_columns(t=[t] * len(x), x=x, y=y, p=[1] * len(x))


def _lit(tensor: np.ndarray) -> set[tuple[int, int]]:
    """Return the (x, y) of the ON counts that are not zero."""
    return {(int(x), int(y)) for y, x in np.argwhere(tensor[0, 1])}


def _tensor(events: Events, transform: ClipTransform) -> np.ndarray:
    return HISTOGRAM(events, 0, 1, transform.pixel_map(PIXELS))


def test_mirror_swaps_the_columns_of_events_tensors_and_boxes() -> None:
    transform = ClipTransform(SIZE, is_mirrored=True)
    events = _events((0, 1), (7, 4), (2, 2))
    assert _lit(_tensor(events, transform)) == {(7, 1), (0, 4), (5, 2)}
    out = np.zeros((1, 2, *SIZE), np.uint8)
    transform.move_tensor(HISTOGRAM(events, 0, 1, PIXELS), out)
    assert _lit(out) == {(7, 1), (0, 4), (5, 2)}
    assert transform.move_boxes(Boxes.from_xyxy([[1, 0, 3, 5]])).xyxy.tolist() == [[5, 0, 7, 5]]


def test_shift_leaves_zeros_behind_and_loses_what_goes_beyond() -> None:
    transform = ClipTransform(SIZE, offset_x=3, offset_y=-1)
    events = _events((0, 1), (5, 4), (2, 0))
    assert _lit(_tensor(events, transform)) == {(3, 0)}
    out = np.zeros((1, 2, *SIZE), np.uint8)
    transform.move_tensor(HISTOGRAM(events, 0, 1, PIXELS), out)
    assert _lit(out) == {(3, 0)}


def test_zoom_out_adds_up_events_and_leaves_out_pixels_of_tensors() -> None:
    # Columns 0, 1 and 2, 3 fall together at half the size.
    transform = ClipTransform(SIZE, zoom=0.5)
    events = _events((0, 0), (1, 1), (2, 0), (3, 1))
    assert _tensor(events, transform)[0, 1, 0].tolist() == [2, 2, 0, 0, 0, 0, 0, 0]
    out = np.zeros((1, 2, *SIZE), np.uint8)
    transform.move_tensor(HISTOGRAM(events, 0, 1, PIXELS), out)
    # Pixel 0 takes the middle of columns 0 and 1: column 1, row 1.
    assert out[0, 1, 0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


def test_zoom_in_repeats_pixels_of_tensors_and_spreads_events() -> None:
    transform = ClipTransform(SIZE, zoom=2.0, offset_x=-4)
    events = _events((3, 1))
    out = np.zeros((1, 2, *SIZE), np.uint8)
    transform.move_tensor(HISTOGRAM(events, 0, 1, PIXELS), out)
    assert _lit(out) == {(2, 2), (3, 2), (2, 3), (3, 3)}
    assert _lit(_tensor(events, transform)) == {(3, 3)}


@given(st.booleans(), st.integers(-9, 9), st.integers(-6, 6), st.integers(0, 2**32))
def test_without_zoom_moved_events_give_the_moved_tensor(mirrored: bool, dx: int, dy: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = [(int(rng.integers(SIZE.width)), int(rng.integers(SIZE.height))) for _ in range(20)]
    transform = ClipTransform(SIZE, offset_x=dx, offset_y=dy, is_mirrored=mirrored)
    out = np.zeros((1, 2, *SIZE), np.uint8)
    transform.move_tensor(HISTOGRAM(_events(*places), 0, 1, PIXELS), out)
    np.testing.assert_array_equal(_tensor(_events(*places), transform), out)


@given(st.floats(0.1, 3), st.floats(-10, 10), st.booleans(), st.integers(0, SIZE.width - 1))
def test_event_within_a_box_stays_within_it(zoom: float, offset: float, mirrored: bool, x: int) -> None:
    transform = ClipTransform(SIZE, zoom, offset, 0.0, is_mirrored=mirrored)
    boxes = transform.move_boxes(Boxes.from_xyxy([[x, 0, x + 1, SIZE.height]]))
    lit = _lit(_tensor(_events((x, 0)), transform))
    for column, _ in lit:
        # The pixel that an event comes to holds the moved middle of its own.
        assert len(boxes) == 1
        assert boxes.xyxy[0, 0] - 1 < column < boxes.xyxy[0, 2]


def test_smaller_tensor_comes_to_the_top_left_and_leaves_the_rest() -> None:
    out = np.full((1, 2, *SIZE), 9, np.uint8)
    ClipTransform(SensorSize(3, 4)).move_tensor(np.ones((1, 2, 3, 4), np.uint8), out)
    assert np.count_nonzero(out[0, 0] == 9) == 40 - 12
    assert (out[0, 0, :3, :4] == 1).all()


def test_box_is_cut_and_dropped_where_too_little_is_left() -> None:
    # Moved left by 3: a half of the first box is left, a quarter of the second, nothing of the third.
    boxes = Boxes.from_xyxy([[0, 0, 6, 4], [0, 0, 4, 4], [0, 0, 2, 2]], class_id=[0, 1, 2], t=[5, 6, 7])
    moved = ClipTransform(SIZE, offset_x=-3, least_visible=0.5).move_boxes(boxes)
    assert moved.xyxy.tolist() == [[0, 0, 3, 4]]
    assert (moved.class_id.tolist(), moved.t.tolist()) == ([0], [5])
    everything = ClipTransform(SIZE, offset_x=-3).move_boxes(boxes)
    assert everything.class_id.tolist() == [0, 1]


def test_swapped_polarity_turns_on_into_off() -> None:
    events = Events.from_columns(t=[1, 2], x=[0, 0], y=[0, 0], p=[1, 0])
    assert ClipTransform(SIZE, swaps_polarity=True).move_events(events, 0, 5).p.tolist() == [0, 1]
    assert events.p.tolist() == [1, 0]


def test_dropped_share_of_events_is_about_what_was_drawn() -> None:
    events = Events.from_columns(t=np.arange(10_000), x=[0] * 10_000, y=[0] * 10_000, p=[0] * 10_000)
    left = ClipTransform(SIZE, drop_share=0.3, seed=1).move_events(events, 0, 10_000)
    assert abs(len(left) - 7000) < 200
    assert left.is_sorted()


@given(st.integers(1, 200), st.integers(0, 2**32))
def test_jittered_events_stay_in_their_clip_and_in_order(jitter_us: int, seed: int) -> None:
    t = np.sort(np.random.default_rng(seed).integers(100, 300, 50))
    events = Events.from_columns(t=t, x=range(50), y=[0] * 50, p=[0] * 50)
    moved = ClipTransform(SIZE, jitter_us=jitter_us, seed=seed).move_events(events, 100, 300)
    assert moved.is_sorted()
    assert moved.t[0] >= 100
    assert moved.t[-1] < 300
    by_event = dict(zip(moved.x.tolist(), moved.t.tolist(), strict=True))
    assert all(abs(by_event[x] - int(stamp)) <= jitter_us for x, stamp in enumerate(t))


def test_no_events_pass_every_change() -> None:
    transform = ClipTransform(SIZE, swaps_polarity=True, drop_share=0.5, jitter_us=5)
    assert len(transform.move_events(Events.empty(), 0, 10)) == 0
    assert len(transform.move_boxes(Boxes.empty())) == 0


def test_same_seed_gives_the_same_draw_and_the_default_changes_nothing() -> None:
    augmentation = Augmentation(flip=0.5, zoom=0.5, translate=0.2, polarity_flip=0.5, event_drop=0.3)
    draws = [augmentation.draw(np.random.default_rng(seed), SIZE) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    nothing = Augmentation().draw(np.random.default_rng(0), SIZE)
    assert not nothing.moves_pixels
    assert not nothing.changes_events


def test_zoomed_picture_lies_within_the_tensor_or_covers_it() -> None:
    augmentation = Augmentation(zoom=1.0, zoom_range=(0.5, 2.0))
    for seed in range(50):
        drawn = augmentation.draw(np.random.default_rng(seed), SIZE)
        ends = sorted([drawn.offset_x, SIZE.width - drawn.offset_x - drawn.zoom * SIZE.width])
        assert ends[0] >= -1e-9 if drawn.zoom <= 1 else ends[1] <= 1e-9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": 1.5}, r"flip must be in 0\.\.1, got 1.5"),
        ({"event_drop": -0.1}, r"event_drop must be in 0\.\.1"),
        ({"zoom_range": (1.5, 1.0)}, "zoom_range must lie in"),
        ({"zoom_range": (0.0, 1.0)}, "zoom_range must lie in"),
        ({"time_jitter_us": -1}, "time_jitter_us must be >= 0"),
    ],
)
def test_value_outside_its_rule_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Augmentation(**options)  # type: ignore[arg-type]
