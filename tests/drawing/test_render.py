"""Whole pictures, and the cost of importing what makes them."""

import subprocess
import sys

import numpy as np

from eventdet import GEN1, Boxes, Events
from eventdet.drawing import PALETTES, Caption, Style, enlarge, event_frame, render_frame

EVENTS = Events.from_columns(t=[0, 1, 2], x=[0, 303, 150], y=[0, 239, 120], p=[1, 0, 1])
CAPTION = Caption("drive_td.dat", t_us=50_000, window_us=50_000, num_events=3)


def test_render_frame_without_extras_is_the_enlarged_event_frame() -> None:
    np.testing.assert_array_equal(render_frame(EVENTS, GEN1), enlarge(event_frame(EVENTS, GEN1), 3))


def test_render_frame_puts_the_bar_above() -> None:
    drawn = render_frame(EVENTS, GEN1, caption=CAPTION)
    assert drawn.shape[1] == 912
    np.testing.assert_array_equal(drawn[-720:], render_frame(EVENTS, GEN1))


def test_render_frame_without_header_in_style_has_no_bar() -> None:
    assert render_frame(EVENTS, GEN1, caption=CAPTION, style=Style(show_header=False)).shape == (720, 912, 3)


def test_render_frame_draws_predictions_over_labels() -> None:
    boxes = Boxes.from_xywh([[50, 60, 70, 40]], class_id=0, score=0.9)
    labels = Boxes.from_xywh([[51, 61, 70, 40]], class_id=1)
    drawn = render_frame(EVENTS, GEN1, boxes=boxes, labels=labels)
    amber, magenta = (np.all(drawn == PALETTES["dark"].class_colour(class_id), axis=-1) for class_id in (0, 1))
    # The prediction's line is whole: its inner top edge, rows 180 and 181, columns 150..360.
    assert np.all(amber[180:182, 150:360])
    assert magenta.any()


def test_render_frame_has_one_shape_for_every_window() -> None:
    busy = render_frame(EVENTS, GEN1, boxes=Boxes.from_xywh([[5, 5, 50, 50]]), caption=CAPTION)
    assert render_frame(Events.empty(), GEN1, caption=CAPTION).shape == busy.shape


def test_importing_drawing_and_sinks_loads_neither_opencv_nor_numba() -> None:
    code = (
        "import sys, eventdet.drawing, eventdet.sinks;"
        "print([name for name in ('cv2', 'numba', 'av', 'torch') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
