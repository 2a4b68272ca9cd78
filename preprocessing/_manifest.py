"""The manifest of a store: a line a recording, and whether it can be relied on.

It is an index for people and scripts, made from the recordings; nothing is decided by it. Each line ends with a
checksum of itself, and the text is the only one that its content has, so that a flipped bit anywhere shows.
"""

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from eventdet.errors import FormatError, OutputError

from ._checksums import sync
from ._json import parse_metadata
from ._locks import locked
from .locations import is_local

__all__ = [
    "MANIFEST",
    "Entry",
    "complete_entry",
    "failed_entry",
    "read_manifest",
    "replace_manifest",
    "update_manifest",
]

MANIFEST = "manifest.jsonl"

_KEPT = (
    "num_events", "num_frames", "num_triggers", "num_labels", "t_first_us", "t_last_us", "source", "params_hash",
    "eventdet_version",
)  # fmt: skip
"""What a line repeats of the attributes of its recording."""

Entry = dict[str, Any]


def complete_entry(name: str, attributes: Mapping[str, Any]) -> Entry:
    """Return the line of a recording that is there; `name` is its place in the store, with slashes."""
    return {"path": name, "status": "complete", **{key: attributes[key] for key in _KEPT if key in attributes}}


def failed_entry(name: str, reason: str) -> Entry:
    """Return the line of a recording that could not be made."""
    return {"path": name, "status": "failed", "reason": reason}


def read_manifest(store: Path) -> dict[str, Entry]:
    """Return the entries by path; none when there is no manifest.

    Raises
    ------
    FormatError
        When it is damaged.
    """
    manifest = store / MANIFEST
    try:
        text = manifest.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise _damaged(manifest, str(error)) from error
    entries = {}
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            entry = parse_metadata(line)
            checksum = entry.pop("crc32")
            entries[entry["path"]] = entry
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(manifest, f"line {number}: {error}") from error
        if checksum != _checksum(entry):
            raise _damaged(manifest, f"line {number}: content differs from its checksum")
    if text != _text(entries.values()):
        raise _damaged(manifest, "lines are out of order or not as they were written")
    return entries


def update_manifest(store: Path, entries: Iterable[Entry], *, removed: Collection[str] = ()) -> None:
    """Put entries into the manifest, one line a recording, sorted by path; safe with other processes at it.

    Entries stay unless a new one has the same path or they are among the paths `removed`.

    Raises
    ------
    FormatError
        When the manifest there is damaged.
    OutputError
        When the disk refuses.
    """
    with _lock(store):
        known = read_manifest(store) | {entry["path"]: entry for entry in entries}
        _write(store, (entry for path, entry in known.items() if path not in removed))


def replace_manifest(store: Path, entries: Iterable[Entry]) -> None:
    """Write a manifest of just these entries, whatever stands there."""
    with _lock(store):
        _write(store, entries)


def _lock(store: Path) -> AbstractContextManager[None]:
    # An object store has no locks: of two writers at once, one may lose its lines, which `store repair` brings back.
    return locked(store / f".lock-{MANIFEST}", wait=True) if is_local(store) else nullcontext()


def _write(store: Path, entries: Iterable[Entry]) -> None:
    manifest, temporary = store / MANIFEST, store / f".tmp-{MANIFEST}"
    try:
        if not is_local(store):
            manifest.write_text(_text(entries), "utf-8")
            return
        temporary.write_text(_text(entries), "utf-8")
        sync(temporary)
        temporary.replace(manifest)
        sync(store)
    except OSError as error:
        raise OutputError(f"{manifest}: cannot be written ({error.strerror or error})") from error


def _text(entries: Iterable[Entry]) -> str:
    return "".join(_lines(sorted(entries, key=lambda entry: str(entry["path"]))))


def _lines(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield json.dumps({**entry, "crc32": _checksum(entry)}) + "\n"


def _checksum(entry: Entry) -> str:
    return f"{zlib.crc32(json.dumps(entry).encode()):08x}"


def _damaged(manifest: Path, why: str) -> FormatError:
    return FormatError(f"{manifest}: damaged ({why})", hint="make it anew: eventdet store repair")
