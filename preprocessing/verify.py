"""Whether a store is as it was written: ``eventdet verify``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from eventdet.errors import EventdetError, FormatError, InputError

from ._checksums import digest_of_file, find_damaged_files
from ._inspection import find_contradictions, find_oddities
from ._layout import target_of_hidden
from ._manifest import MANIFEST, complete_entry, read_manifest
from .locations import as_location
from .store import StoredRecording, find_recording_folders, open_stored_recording

__all__ = ["Finding", "VerifyReport", "verify_recording", "verify_store"]


class Finding(NamedTuple):
    """One thing that is not as it was written."""

    path: str
    """Recording or file, within the store."""

    reason: str
    """What is wrong, in one line."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at, and what was found."""

    store: Path
    """The store or recording."""

    num_recordings: int
    """Recordings looked at."""

    deep: bool
    """Whether all bytes were read."""

    findings: tuple[Finding, ...]
    """Damage; none in a sound store."""

    notes: tuple[Finding, ...]
    """What is legal, yet seldom meant: labels out of time or off the sensor."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON can hold."""
        return {
            "store": str(self.store),
            "num_recordings": self.num_recordings,
            "deep": self.deep,
            "findings": [finding._asdict() for finding in self.findings],
            "notes": [note._asdict() for note in self.notes],
        }


def verify_store(store: str | Path, *, deep: bool = False, source: str | Path | None = None) -> VerifyReport:
    """Compare a store with what was written about it.

    The quick form reads the metadata: every file is there with its size, counts, shapes and types agree, the manifest
    names just the recordings that exist, and no killed process left anything. The deep form reads all bytes: the
    checksum of every file and chunk, the order of the stamps, the index of milliseconds. It finds any flipped bit.

    Parameters
    ----------
    store : str or Path
        An output of ``convert``, or one recording in it; a folder or a URL.
    deep : bool
        Whether to read all bytes.
    source : str or Path, optional
        Folder that was converted; the event and label files below it are compared with the digests that the store
        keeps of them.

    Returns
    -------
    VerifyReport
        What was found.

    Raises
    ------
    InputError
        When there is no store.
    """
    root = as_location(store)
    is_single = (root / "zarr.json").exists()
    folders = [root] if is_single else find_recording_folders(root)
    left = [] if is_single else list(_leftovers(root))
    if not folders and not left and not (root / MANIFEST).exists():
        raise InputError(f"{root}: no stored recording", hint="make one with eventdet convert")
    base = root.parent if is_single else root
    findings: list[Finding] = []
    notes: list[Finding] = []
    for folder in folders:
        name = folder.relative_to(base).as_posix()
        damage = list(verify_recording(folder, deep=deep))
        findings += (Finding("/".join(filter(None, (name, part))), reason) for part, reason in damage)
        if not damage:
            recording = open_stored_recording(folder)
            notes += (Finding(name, f"{part}: {reason}") for part, reason in find_oddities(recording))
            if source is not None:
                findings += (Finding(name, reason) for reason in _source_faults(recording, Path(source), name))
    if not is_single:
        findings += _manifest_faults(root, folders)
        findings += left
    return VerifyReport(root, len(folders), deep, tuple(findings), tuple(notes))


def verify_recording(folder: Path, *, deep: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one recording: the part, an empty string for all of it, and why."""
    if not (folder / "zarr.json").exists():
        yield "zarr.json", "is missing"
        return
    try:
        recording = open_stored_recording(folder)
        damaged = list(find_damaged_files(folder, deep=deep))
        # A damaged file has been told; what it would contradict needs no second line.
        yield from damaged or find_contradictions(recording, deep=deep)
    except (EventdetError, OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        # Metadata that are not as written can hold anything, in any place.
        yield "", f"cannot be read ({str(error).removeprefix(f'{folder}: ')})"


def _manifest_faults(root: Path, folders: list[Path]) -> Iterator[Finding]:
    try:
        entries = read_manifest(root)
    except FormatError as error:
        yield Finding(MANIFEST, error.message.removeprefix(f"{root / MANIFEST}: "))
        return
    there = {folder.relative_to(root).as_posix(): folder for folder in folders}
    complete = {name for name, entry in entries.items() if entry.get("status") == "complete"}
    for name in sorted(complete | there.keys()):
        if name not in there:
            yield Finding(MANIFEST, f"names {name}, which is not there")
        elif name not in complete:
            yield Finding(MANIFEST, f"does not name {name}")
        elif _differs(entries[name], there[name], name):
            yield Finding(MANIFEST, f"says of {name} what its attributes do not")


def _differs(entry: dict[str, Any], folder: Path, name: str) -> bool:
    try:
        return entry != complete_entry(name, open_stored_recording(folder).attributes)
    except InputError:
        # Told with the recording.
        return False


def _leftovers(root: Path) -> Iterator[Finding]:
    for path in sorted(root.rglob(".*")):
        if target_of_hidden(path) is not None or path.name.endswith(f"-{MANIFEST}"):
            yield Finding(path.relative_to(root).as_posix(), "is left of a writer that was killed, or is at work")


def _source_faults(recording: StoredRecording, source: Path, name: str) -> Iterator[str]:
    described = recording.attributes.get("source") or {}
    for about in filter(None, (described, described.get("labels"))):
        path = source / Path(name).parent / about["name"]
        if not path.is_file():
            yield f"its source {path} is not there"
        elif path.stat().st_size != about["size"] or digest_of_file(path) != about["sha256"]:
            yield f"its source {path} has changed"
