"""Style and caption: choices by sensor, and refusals."""

import pytest

from eventdet.drawing import Caption, Style
from eventdet.errors import OptionError
from eventdet.geometry import GEN1, SensorSize


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        (GEN1, 3),
        (SensorSize(480, 640), 2),
        (SensorSize(720, 1280), 1),
        (SensorSize(1080, 1920), 1),
        (SensorSize(34, 34), 10),  # 320 columns for the top bar: ceil(320 / 34)
        (SensorSize(640, 100), 2),  # 640 rows leave room for 2 within 1280
    ],
    ids=str,
)
def test_scale_fills_common_screens(size: SensorSize, scale: int) -> None:
    assert Style().scale_for(size) == scale


def test_scale_given_wins() -> None:
    assert Style(scale=5).scale_for(SensorSize(720, 1280)) == 5


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"palette": "neon"}, "palette must be one of dark, light, coolwarm, gray, got 'neon'"),
        ({"scale": 0}, r"scale must be in 1\.\.16, got 0"),
        ({"line_width": 0}, r"line_width must be in 1\.\.16, got 0"),
        ({"text_scale": 0.0}, r"text_scale must be in 0\.2\.\.4, got 0\.0"),
    ],
)
def test_style_outside_its_range_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Style(**values)  # type: ignore[arg-type]  # wrong values are the point


def test_caption_without_window_is_refused() -> None:
    with pytest.raises(OptionError, match="window_us must be > 0, got 0"):
        Caption("a.dat", t_us=0, window_us=0, num_events=0)
