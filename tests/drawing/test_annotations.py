"""Boxes on pictures: where the lines run, how kinds differ, where tags go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet import Boxes
from eventdet.drawing import PALETTES, Style, draw_boxes
from eventdet.drawing.annotations import Rectangle, tag_boxes
from eventdet.errors import OptionError

DARK = PALETTES["dark"]
AMBER, MAGENTA, CASING = DARK.class_colour(0), DARK.class_colour(1), DARK.casing
BARE = Style(show_tags=False)
GROUND = (1, 2, 3)


def canvas(height: int = 120, width: int = 200) -> NDArray[np.uint8]:
    return np.full((height, width, 3), GROUND, np.uint8)


def mask(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray(np.all(picture == colour, axis=-1))


def test_prediction_line_runs_solid_inside_its_edge() -> None:
    drawn = draw_boxes(canvas(), Boxes.from_xywh([[20, 30, 40, 50]]), style=BARE)
    expected = np.zeros((120, 200), bool)
    expected[30:80, 20:60] = True
    expected[32:78, 22:58] = False
    np.testing.assert_array_equal(mask(drawn, AMBER), expected)
    # One pixel of casing on both sides of the line, the ground beyond.
    assert drawn[50, 19].tolist() == list(CASING)
    assert drawn[50, 22].tolist() == list(CASING)
    assert drawn[50, 18].tolist() == drawn[50, 23].tolist() == list(GROUND)


def test_prediction_is_placed_in_enlarged_pixels() -> None:
    drawn = draw_boxes(canvas(), Boxes.from_xywh([[10, 12, 20, 15]]), scale=3, style=BARE)
    rows, columns = np.nonzero(mask(drawn, AMBER))
    assert (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1) == (30, 90, 36, 81)


def test_class_sets_the_colour() -> None:
    drawn = draw_boxes(canvas(), Boxes.from_xywh([[20, 30, 40, 50]], class_id=1), style=BARE)
    assert mask(drawn, MAGENTA).any()
    assert not mask(drawn, AMBER).any()


def test_label_line_is_dashed_outside_its_edge() -> None:
    boxes = Boxes.from_xywh([[20, 30, 100, 60]])
    label = mask(draw_boxes(canvas(), boxes, kind="label", style=BARE), AMBER)
    prediction = mask(draw_boxes(canvas(), boxes, style=BARE), AMBER)
    assert not np.any(label & prediction), "an agreeing pair must stay visible as two lines"
    assert not label[30:90, 20:120].any()
    # A pixel of casing, then two of line: rows 27 and 28 above a box that starts at row 30.
    top = label[28, 17:123]
    assert top[0]
    assert top[-1], "dashes close the corners"
    switches = int(np.count_nonzero(np.diff(top.astype(np.int8))))
    # 106 columns hold 7 dashes of 9 (round((106 - 9) / 15) + 1), so 6 gaps.
    assert switches == 12


def test_label_and_prediction_that_agree_are_both_seen() -> None:
    boxes = Boxes.from_xywh([[20, 30, 100, 60]])
    both = draw_boxes(draw_boxes(canvas(), boxes, kind="label", style=BARE), boxes, style=BARE)
    alone = mask(draw_boxes(canvas(), boxes, kind="label", style=BARE), AMBER)
    assert np.all(mask(both, AMBER)[alone])


def test_draw_boxes_leaves_the_picture_of_the_caller() -> None:
    image = canvas()
    draw_boxes(image, Boxes.from_xywh([[20, 30, 40, 50]]))
    assert np.all(image == GROUND)


def test_no_boxes_draw_nothing() -> None:
    np.testing.assert_array_equal(draw_boxes(canvas(), Boxes.empty()), canvas())


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(OptionError, match="kind must be one of prediction, label, got 'guess'"):
        draw_boxes(canvas(), Boxes.empty(), kind="guess")


def places(boxes: Boxes, *, kind: str = "prediction", height: int = 120, width: int = 300) -> list[Rectangle]:
    taken: list[Rectangle] = []
    names = ("car", "pedestrian")
    tag_boxes(canvas(height, width), boxes, kind=kind, class_names=names, scale=1, style=Style(), taken=taken)
    return taken


def test_tag_sits_above_a_prediction_and_below_a_label() -> None:
    box = Boxes.from_xywh([[50, 40, 60, 40]])
    (above,), (below,) = places(box), places(box, kind="label")
    assert (above.x0, above.y1) == (50, 39)
    assert below.x0 == 50
    assert below.y0 >= 80


def test_tag_flips_inside_at_the_top_border() -> None:
    (place,) = places(Boxes.from_xywh([[50, 2, 60, 60]]))
    assert (place.x0, place.y0) == (50, 2)


def test_tag_slides_back_at_the_right_border() -> None:
    (place,) = places(Boxes.from_xywh([[280, 40, 40, 40]]))
    assert place.x1 == 300


def test_tags_of_stacked_boxes_do_not_overlap() -> None:
    boxes = Boxes.from_xywh([[50, 40, 60, 40]] * 4, score=[0.9, 0.8, 0.7, 0.6])
    taken = places(boxes)
    assert len(taken) == 4
    assert not any(one.overlaps(other) for i, one in enumerate(taken) for other in taken[:i])


def test_tag_of_a_tiny_box_is_left_out() -> None:
    assert places(Boxes.from_xywh([[50, 40, 23, 23]])) == []
    assert len(places(Boxes.from_xywh([[50, 40, 10, 24]]))) == 1


def test_tag_of_a_box_outside_the_picture_is_left_out() -> None:
    assert places(Boxes.from_xywh([[400, 40, 50, 50], [-80, 10, 60, 60]])) == []


def test_tag_wider_than_the_picture_is_left_out() -> None:
    assert places(Boxes.from_xywh([[0, 30, 30, 40]]), width=30) == []


def test_tag_is_filled_for_predictions_and_dark_for_labels() -> None:
    box = Boxes.from_xywh([[50, 40, 60, 40]])
    (above,), (below,) = places(box), places(box, kind="label")
    prediction = draw_boxes(canvas(width=300), box)
    label = draw_boxes(canvas(width=300), box, kind="label")
    assert prediction[above.y0, above.x0].tolist() == list(AMBER)
    assert label[below.y0, below.x0].tolist() == list(CASING)


def test_class_beyond_the_names_is_written_as_a_number() -> None:
    box = Boxes.from_xywh([[50, 40, 60, 40]], class_id=7)
    assert len(places(box)) == 1


coordinates = st.one_of(st.floats(-500, 500, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -3e38]))


@settings(max_examples=80, deadline=None)
@given(
    corners=st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=4),
    kind=st.sampled_from(["prediction", "label"]),
)
def test_any_box_draws_without_leaving_the_picture(corners: list[tuple[float, float, float, float]], kind: str) -> None:
    boxes = Boxes.from_xyxy(np.array(corners, np.float32))
    drawn = draw_boxes(canvas(60, 80), boxes, kind=kind, scale=2)
    assert drawn.shape == (60, 80, 3)
    taken = places(boxes, kind=kind, height=60, width=150)
    assert all(0 <= p.x0 <= p.x1 <= 150 and 0 <= p.y0 <= p.y1 <= 60 for p in taken)
