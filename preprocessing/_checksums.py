"""Checksums over the files of a stored recording, and what makes it last.

Chunks carry checksums of their own, but neither the metadata nor what lies between chunks does. So the attributes of a
recording list every file with its size and SHA-256, and the file that holds them (``zarr.json``) has its own digest
among them, taken with that digest as zeros. A flipped bit anywhere then shows.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ._json import parse_metadata

__all__ = ["digest_of_file", "find_damaged_files", "seal", "sync"]

_METADATA = "zarr.json"
_OWN_DIGEST = '"sha256": "{}"'
"""How the digest of the metadata stands in them."""

_ZEROS = "0" * 64

_SYNC_THREADS = 8


def seal(group: Path) -> None:
    """Write the checksums of every file into the attributes of a group, and flush all of it to the disk."""
    files = {}
    for path in _files_below(group):
        files[path.relative_to(group).as_posix()] = {"size": path.stat().st_size, "sha256": digest_of_file(path)}
    del files[_METADATA]
    document = parse_metadata((group / _METADATA).read_bytes())
    document["attributes"] |= {"files": files, "sha256": _ZEROS}
    text = json.dumps(document, indent=2)
    sealed = text.replace(_OWN_DIGEST.format(_ZEROS), _OWN_DIGEST.format(_digest_of(text)), 1)
    (group / _METADATA).write_text(sealed, "utf-8")
    # Together: a journal then takes many of them at once.
    with ThreadPoolExecutor(_SYNC_THREADS) as pool:
        list(pool.map(sync, (group, *group.rglob("*"))))


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk: a power cut may otherwise take back a rename."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_damaged_files(group: Path, *, deep: bool) -> Iterator[tuple[str, str]]:
    """Yield path and fault of every file that is not as it was sealed.

    Parameters
    ----------
    group : Path
        A complete recording.
    deep : bool
        Whether to compare the content of every file; else that of the metadata, and the sizes of the others.

    Yields
    ------
    path : str
        Within the group.
    fault : str
        What is wrong, in a few words.
    """
    text = (group / _METADATA).read_text("utf-8")
    attributes: dict[str, Any] = parse_metadata(text)["attributes"]
    listed, digest = attributes.get("files"), attributes.get("sha256")
    if not isinstance(listed, dict) or not isinstance(digest, str):
        yield _METADATA, "has no checksums"
        return
    if _digest_of(text.replace(_OWN_DIGEST.format(digest), _OWN_DIGEST.format(_ZEROS), 1)) != digest:
        # What it says of the other files cannot be relied on.
        yield _METADATA, "content differs from its checksum"
        return
    found = {path.relative_to(group).as_posix(): path for path in _files_below(group)}
    found.pop(_METADATA)
    for name in sorted(found.keys() | listed.keys()):
        fault = _fault(found.get(name), listed.get(name), deep=deep or name.endswith(_METADATA))
        if fault:
            yield name, fault


def _fault(path: Path | None, listed: dict[str, Any] | None, *, deep: bool) -> str:
    if path is None:
        return "is missing"
    if listed is None:
        return "does not belong here"
    if path.stat().st_size != listed["size"]:
        return f"must have {listed['size']} bytes, got {path.stat().st_size}"
    return "content differs from its checksum" if deep and digest_of_file(path) != listed["sha256"] else ""


def _files_below(group: Path) -> list[Path]:
    return sorted(path for path in group.rglob("*") if not path.is_dir())


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
