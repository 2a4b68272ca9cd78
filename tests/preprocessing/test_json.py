"""What is read of JSON that others have written."""

import pytest

from eventdet.preprocessing._json import parse_json, parse_metadata


def test_metadata_are_what_json_says() -> None:
    text = '{"a": [1, -2.5, null, true, "\\ud83d\\ude00"], "b": {"c": 18446744073709551615}}'
    assert parse_metadata(text) == {"a": [1, -2.5, None, True, "\U0001f600"], "b": {"c": (1 << 64) - 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1e999}', "must be finite, got inf"),
        ('{"a": NaN}', "must be finite, got nan"),
        ("[" + "9" * 401 + "]", "at most 64 bits"),
        ("[-18446744073709551616]", "at most 64 bits"),
        ('["\\ud800"]', "surrogates not allowed"),
        ('{"\\ud800": 1}', "surrogates not allowed"),
        ("[" * 70 + "]" * 70, "nested too deeply"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("{", "Expecting property name"),
        (b"\xff", "can't decode"),
    ],
    ids=[
        "infinite",
        "nan",
        "long",
        "long and negative",
        "surrogate",
        "surrogate name",
        "deep",
        "deeper",
        "cut",
        "bytes",
    ],
)
def test_what_describes_no_store_is_a_value_error(text: str | bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_metadata(text)


def test_depth_is_no_fault_of_other_json() -> None:
    assert parse_json("[" * 70 + "]" * 70)
