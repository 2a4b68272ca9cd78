from pathlib import Path

import numpy as np
import pytest

from eventdet.errors import OptionError
from eventdet.filters import (
    FILTERS,
    Background,
    EventFilter,
    Flip,
    HotPixels,
    Mask,
    RateLimit,
    Scale,
    Transpose,
    parse_filter,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("background", Background()),
        ("background:time=5ms", Background(5_000)),
        ("hot:rate=50.5,ratio=20,period=1s", HotPixels(50.5, 20, 1_000_000)),
        ("rate:rate=5e6", RateLimit(5e6)),
        ("mask:path=a/b.npy", Mask(Path("a/b.npy"))),
        ("flip:axis=y", Flip("y")),
        ("scale:width=10,height=20", Scale(10, 20)),
        ("transpose", Transpose()),
    ],
)
def test_parse_filter_gives_the_filter(text: str, expected: EventFilter) -> None:
    assert parse_filter(text) == expected


def test_identity_of_a_mask_is_its_pixels_and_not_its_path(tmp_path: Path) -> None:
    pixels = np.eye(3, 4)
    for name, array in (("a", pixels), ("b", pixels * 7), ("c", pixels[::-1]), ("d", pixels.reshape(2, 6))):
        np.save(tmp_path / f"{name}.npy", array)
    a, b, c, d = (parse_filter(f"mask:path={tmp_path}/{name}.npy").identity for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3
    assert str(tmp_path) not in a


def test_identity_of_a_filter_is_its_name_and_arguments() -> None:
    texts = ("background", "background:time=2ms", "background:time=3ms", "refractory:time=2ms", "flip:axis=y")
    assert len({parse_filter(text).identity for text in texts}) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur", "filter must be one of background, crop"),
        ("background:time=5", "filter background: time must be a number with a unit"),
        ("background:tim=5ms", "filter background takes time=…, got 'tim=5ms'"),
        ("background:5ms", "filter background takes time=…, got '5ms'"),
        ("transpose:x=1", "filter transpose takes no arguments, got 'x=1'"),
        ("crop:x=1,y=1", "filter crop needs w, h"),
        ("crop:x=1.5,y=1,w=1,h=1", "filter crop: x must be a number, got '1.5'"),
        ("hot:rate=fast", "filter hot: rate must be a number, got 'fast'"),
        ("rotate:degrees=45", "degrees must be one of 90, 180, 270"),
    ],
)
def test_parse_filter_of_a_bad_text_raises(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_filter(text)


def test_filters_are_listed_by_name() -> None:
    assert list(FILTERS) == sorted(FILTERS)
