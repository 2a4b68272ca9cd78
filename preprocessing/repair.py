"""Bring a store back in order: ``eventdet store``."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventdet.errors import FormatError, InputError

from ._layout import target_of_hidden
from ._manifest import MANIFEST, complete_entry, read_manifest, replace_manifest, update_manifest
from .store import find_recording_folders, find_stored_recordings, open_stored_recording
from .store_writer import remove_leftovers, remove_recording
from .verify import verify_recording

__all__ = ["RepairReport", "remove_recordings", "repair_store"]


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What was done; paths are those within the store."""

    leftovers: tuple[str, ...]
    """Hidden files and folders of killed writers, removed."""

    damaged: tuple[str, ...]
    """Damaged recordings, removed."""

    lines_dropped: tuple[str, ...]
    """Manifest lines of recordings that are not there."""

    lines_added: tuple[str, ...]
    """Manifest lines of recordings that had none, or one that said otherwise."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON can hold."""
        return {name: list(getattr(self, name)) for name in ("leftovers", "damaged", "lines_dropped", "lines_added")}


def repair_store(store: str | Path, *, damaged: bool = False) -> RepairReport:
    """Remove what killed writers left and make the manifest say what is there.

    Parameters
    ----------
    store : str or Path
        An output of ``convert``.
    damaged : bool
        Whether to remove damaged recordings too, after reading all bytes; the next ``convert`` writes them again.

    Returns
    -------
    RepairReport
        What was done.

    Raises
    ------
    InputError
        When there is no such folder.
    BusyError
        When another process is writing a damaged recording.
    """
    root = Path(store)
    if not root.is_dir():
        raise InputError(f"{root}: no such store", hint="give the folder that eventdet convert wrote")
    # Rewritten below, its lock and its unfinished copy go by themselves.
    leftovers = list(root.glob(f".*-{MANIFEST}"))
    for target in sorted(filter(None, map(target_of_hidden, root.rglob(".*")))):
        leftovers += remove_leftovers(target)
    broken = [folder for folder in find_recording_folders(root) if damaged and any(verify_recording(folder, deep=True))]
    for folder in broken:
        remove_recording(folder)
    dropped, added = _rebuild_manifest(root)
    return RepairReport(_names(root, leftovers), _names(root, broken), dropped, added)


def remove_recordings(store: str | Path, names: Iterable[str]) -> None:
    """Remove recordings and their manifest lines.

    Parameters
    ----------
    store : str or Path
        An output of ``convert``.
    names : iterable of str
        Places in it, as the manifest names them: ``train/a_td.zarr``.

    Raises
    ------
    InputError
        When one is no recording of the store; then none is removed.
    BusyError
        When another process is writing one.
    """
    root = Path(store)
    known = {folder.relative_to(root).as_posix(): folder for folder in find_recording_folders(root)}
    chosen = list(names)
    for name in chosen:
        if name not in known:
            raise InputError(f"{root}: has no recording {name}", hint="name them as manifest.jsonl does")
    for name in chosen:
        remove_recording(known[name])
    update_manifest(root, [], removed=chosen)


def _rebuild_manifest(root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Replace the manifest by one that agrees with the folders; return the paths of lines dropped and added."""
    there = {folder.relative_to(root).as_posix(): folder for folder in find_stored_recordings(root)}
    entries = {name: complete_entry(name, open_stored_recording(there[name]).attributes) for name in there}
    try:
        before = read_manifest(root)
    except FormatError:
        before = {}
    failed = {name: entry for name, entry in before.items() if entry.get("status") == "failed" and name not in there}
    replace_manifest(root, [*failed.values(), *entries.values()])
    dropped = before.keys() - failed.keys() - entries.keys()
    return tuple(sorted(dropped)), tuple(name for name, entry in entries.items() if before.get(name) != entry)


def _names(root: Path, paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(path.relative_to(root).as_posix() for path in paths)
