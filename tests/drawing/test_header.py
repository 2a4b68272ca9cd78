"""The top bar: its size, what gives way when it is narrow, and the mark of synthetic sources."""

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.drawing import PALETTES, Caption, Style, draw_header
from eventdet.drawing.text import shorten_text, text_width

DARK = PALETTES["dark"]
CAPTION = Caption("drive_td.dat", t_us=1_234_567, window_us=50_000, num_events=9_000)
MARKED = Caption("drive_td.dat", t_us=1_234_567, window_us=50_000, num_events=9_000, synthetic=True)


def bar_of(width: int, caption: Caption, *, legend: bool = False) -> NDArray[np.uint8]:
    picture = np.zeros((10, width, 3), np.uint8)
    drawn = draw_header(picture, caption, legend=legend)
    assert np.all(drawn[-10:] == 0), "the picture below stays as it is"
    return drawn[:-10]


def test_header_adds_an_even_bar_of_constant_height() -> None:
    heights = {bar_of(width, caption).shape[0] for width in (50, 320, 912) for caption in (CAPTION, MARKED)}
    assert len(heights) == 1
    assert heights.pop() % 2 == 0


def test_header_grows_with_the_text() -> None:
    picture = np.zeros((10, 400, 3), np.uint8)
    small, large = (draw_header(picture, CAPTION, style=Style(text_scale=scale)) for scale in (0.4, 1.0))
    assert large.shape[0] > small.shape[0]


def test_header_leaves_its_margins_free() -> None:
    bar = bar_of(912, MARKED, legend=True)
    assert np.all(bar[:, :8] == DARK.bar)
    assert np.all(bar[:, -8:] == DARK.bar)
    assert not np.all(bar == DARK.bar)


@pytest.mark.parametrize("width", [130, 320, 608, 912])
def test_header_marks_synthetic_sources_at_every_width(width: int) -> None:
    amber = np.array(DARK.class_colour(0))

    def has_amber(bar: NDArray[np.uint8]) -> bool:
        return bool(np.any(np.abs(bar.astype(int) - amber).sum(axis=-1) < 40))

    assert has_amber(bar_of(width, MARKED))
    assert not has_amber(bar_of(width, CAPTION))


def test_header_legend_appears_only_where_it_fits() -> None:
    assert not np.array_equal(bar_of(912, CAPTION, legend=True), bar_of(912, CAPTION))
    np.testing.assert_array_equal(bar_of(400, CAPTION, legend=True), bar_of(400, CAPTION))


def test_header_keeps_texts_still_while_digits_run() -> None:
    # 1 is narrower than 0: without slots the window's text would move.
    ones = bar_of(912, Caption("a.dat", t_us=1_111_000, window_us=50_000, num_events=0))
    zeros = bar_of(912, Caption("a.dat", t_us=1_000_000, window_us=50_000, num_events=0))
    columns = np.nonzero(np.any(ones != zeros, axis=(0, 2)))[0]
    start = 10 + text_width("a.dat", 0.5) + 20
    assert columns.min() >= start
    assert columns.max() <= start + text_width("t = 0.000 s", 0.5) + 1


def test_shorten_text_cuts_the_middle() -> None:
    name = "17-04-04_11-00-13_cut_15_500000_60500000_td.dat"
    width = text_width(name, 0.5) // 2
    shorter = shorten_text(name, 0.5, width)
    assert text_width(shorter, 0.5) <= width
    head, tail = shorter.split("...")
    assert name.startswith(head)
    assert name.endswith(tail)
    assert len(head) > 3
    assert len(tail) > 3


def test_shorten_text_of_fitting_text_returns_it() -> None:
    assert shorten_text("a.dat", 0.5, 500) == "a.dat"


def test_shorten_text_without_room_is_empty() -> None:
    assert shorten_text("drive_td.dat", 0.5, 3) == ""
