from pathlib import Path

import pytest

from eventdet.arguments import parse_arguments
from eventdet.errors import OptionError

KINDS = {"tau_us": int, "decay": str, "depth": int, "ratio": float, "split": bool, "path": Path}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("tau=1.5ms", {"tau_us": 1500}),
        ("decay=exp,depth=3", {"decay": "exp", "depth": 3}),
        ("ratio=1e-3,split=true", {"ratio": 0.001, "split": True}),
        ("split=false,path=a/b.npy", {"split": False, "path": Path("a/b.npy")}),
    ],
)
def test_parse_arguments_gives_values_of_their_types(text: str, values: dict[str, object]) -> None:
    parsed = parse_arguments("filter f", text, KINDS)
    assert parsed == values
    assert [type(value) for value in parsed.values()] == [type(value) for value in values.values()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tau_us=5", "filter f takes tau=….*, got 'tau_us=5'"),
        ("depth", "filter f takes tau=….*, got 'depth'"),
        ("tau=5", "filter f: tau must be a number with a unit"),
        ("depth=1.5", r"filter f: depth must be a number, got '1\.5'"),
        ("split=1", "filter f: split must be true or false, got '1'"),
    ],
)
def test_parse_arguments_of_a_bad_text_raises(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_arguments("filter f", text, KINDS)
