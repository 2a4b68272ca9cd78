"""What eventdet knows of an export, as JSON beside it: where it came from, and whether it is synthetic."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventdet.preprocessing._json import parse_metadata

from ._published import published_file

__all__ = ["digest", "read_note", "write_note"]

_NAME = "eventdet.json"


def digest(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def read_note(folder: Path) -> dict[str, Any]:
    """Return the note of a folder; empty when there is none that can be read."""
    try:
        note = parse_metadata((folder / _NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write_note(folder: Path, values: Mapping[str, Any]) -> None:
    """Write the note of a folder, made when missing.

    Raises
    ------
    OutputError
        When the disk refuses.
    """
    with published_file(folder / _NAME) as file:
        file.write(json.dumps(values, indent=2).encode() + b"\n")
