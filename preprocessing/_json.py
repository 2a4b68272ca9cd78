"""JSON that others may have written."""

import json
from typing import Any

__all__ = ["parse_json"]


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
