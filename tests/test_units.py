import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import OptionError
from eventdet.units import format_duration, parse_duration_us, parse_pace


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("50ms", 50_000),
        ("33333us", 33_333),
        ("33333µs", 33_333),
        ("0.5ms", 500),
        (".5s", 500_000),
        ("2min", 120_000_000),
        ("9m", 540_000_000),
        ("1.5h", 5_400_000_000),
        (" 5 ms ", 5_000),
        ("0us", 0),
        (1234, 1234),
    ],
)
def test_a_duration_with_a_unit_is_whole_microseconds(text: str | int, microseconds: int) -> None:
    assert parse_duration_us(text) == microseconds


@pytest.mark.parametrize("text", ["50", "ms", "-5ms", "5 hours", "1e3us", "", "nan s", "0.1us", -3])
def test_a_duration_without_unit_or_meaning_is_refused(text: str | int) -> None:
    with pytest.raises(OptionError, match="window"):
        parse_duration_us(text, name="window")


@given(st.integers(min_value=0, max_value=10**15))
def test_format_then_parse_is_the_identity(duration_us: int) -> None:
    assert parse_duration_us(format_duration(duration_us)) == duration_us


@pytest.mark.parametrize(("text", "factor"), [("max", float("inf")), ("realtime", 1.0), ("2x", 2.0), ("0.25x", 0.25)])
def test_a_pace_is_a_speed_factor(text: str, factor: float) -> None:
    assert parse_pace(text) == factor


@pytest.mark.parametrize("text", ["fast", "0x", "-1x", "2", "x", "infx"])
def test_a_pace_that_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="pace must be"):
        parse_pace(text)
