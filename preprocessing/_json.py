"""JSON that others may have written."""

import json
import math
from typing import Any

__all__ = ["parse_json", "parse_metadata"]

_DEEPEST = 64
_WIDEST_INTEGER = 1 << 64


def parse_json(text: str | bytes) -> Any:
    """Return the value that a JSON text stands for.

    Raises
    ------
    ValueError
        When it is no JSON, is not UTF-8, or is nested deeper than the parser goes.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_metadata(text: str | bytes) -> Any:
    """Return the value of a JSON text as `parse_json` does, if a store could have been described by it.

    Raises
    ------
    ValueError
        Also when it has a number that is not finite or has more than 64 bits, text that is no Unicode, or values more
        than 64 deep: what works with metadata must not meet them one by one.
    """
    value = parse_json(text)
    _check(value, 0)
    return value


def _check(value: Any, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        for name, each in value.items():
            _check(name, depth)
            _check(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _check(each, depth + 1)
    elif isinstance(value, str):
        # Half of a pair of surrogates cannot be written anywhere; UnicodeEncodeError is a ValueError.
        value.encode()
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"numbers must be finite, got {value}")
    elif isinstance(value, int) and not -_WIDEST_INTEGER < value < _WIDEST_INTEGER:
        raise ValueError("numbers must have at most 64 bits")
