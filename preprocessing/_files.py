"""The files below a folder, through links too."""

from collections.abc import Iterator
from pathlib import Path

from eventdet.errors import InputError

__all__ = ["file_size", "files_below", "is_file_or_dangling"]

_RESERVED = "lost+found"
"""Folder that every ext4 disk has at its root, and that only root can read."""


def files_below(folder: Path, *, without: Path | None = None) -> Iterator[Path]:
    """Yield the files in a folder and in those below it, hidden ones left out, in no particular order.

    Each real folder is searched once, by its own name where it has one below `folder`: a link may lead back up.

    Parameters
    ----------
    folder : Path
        Where to begin.
    without : Path, optional
        Folder that is not searched.

    Raises
    ------
    InputError
        When a folder cannot be read.
    """
    searched = set() if without is None else {without.resolve()}
    folders, links = [folder], list[Path]()
    while folders or links:
        # A link comes after all real folders, which keep their names so.
        here = folders.pop() if folders else links.pop(0)
        if (real := here.resolve()) in searched:
            continue
        searched.add(real)
        for child in _visible_children(here):
            if child.is_dir():
                (links if child.is_symlink() else folders).append(child)
            elif is_file_or_dangling(child):
                yield child


def is_file_or_dangling(path: Path) -> bool:
    """Return whether a path is a file, or a link to nothing, of which reading is to tell and not silence."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def file_size(path: Path) -> int:
    """Return the bytes of a file, 0 for one that is not there, of which its reader tells."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _visible_children(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith(".") and child.name != _RESERVED)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})", hint="give the folders one by one") from error
