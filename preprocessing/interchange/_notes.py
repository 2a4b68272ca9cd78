"""What eventdet knows of an export, as JSON beside it: where it came from, and whether it is synthetic."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventdet.errors import OutputError

__all__ = ["digest", "read_note", "write_note"]

_NAME = "eventdet.json"


def digest(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def read_note(folder: Path) -> dict[str, Any]:
    """Return the note of a folder; empty when there is none that can be read."""
    try:
        note = json.loads((folder / _NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write_note(folder: Path, values: Mapping[str, Any]) -> None:
    """Write the note of a folder, made when missing; it appears whole.

    Raises
    ------
    OutputError
        When the disk refuses.
    """
    temporary = folder / f".tmp-{_NAME}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(values, indent=2) + "\n", "utf-8")
        temporary.replace(folder / _NAME)
    except OSError as error:
        raise OutputError(f"{folder / _NAME}: cannot be written ({error.strerror or error})") from error
