"""Files and folders that appear whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from eventdet.errors import EventdetError, OptionError, OutputError
from eventdet.preprocessing._checksums import sync
from eventdet.preprocessing._locks import locked
from eventdet.preprocessing.locations import is_url

__all__ = ["disk_errors", "output_folder", "owned_folder", "place_in", "published_file", "published_folder"]


def output_folder(output: str | Path) -> Path:
    """Return the folder to write to.

    Raises
    ------
    OptionError
        When it is a URL: what is written appears by a rename, which other places do not have.
    """
    if is_url(output):
        raise OptionError(f"output must be a folder of this machine, got {output}", hint="copy it from there")
    return Path(output)


def place_in(root: Path, path: Path) -> str:
    """Return where `path` lies below `root`, with slashes; its name when it is `root` itself, ``.`` or ``..`` too."""
    if path != root:
        return path.relative_to(root).as_posix()
    return path.name if path.name not in ("", "..") else path.resolve().name


@contextmanager
def owned_folder(folder: Path) -> Iterator[None]:
    """Make a folder that no other process exports to while the block runs.

    Raises
    ------
    BusyError
        When another process does.
    OutputError
        When the disk refuses.
    """
    with ExitStack() as stack:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder / ".lock-export"))
        yield


@contextmanager
def published_folder(target: Path, root: Path) -> Iterator[Path]:
    """Give a hidden folder to fill, which takes the place of `target` when the block ends well, else goes.

    Parameters
    ----------
    target : Path
        The folder to make or to replace, somewhere below `root`.
    root : Path
        Where the hidden folder waits: not beside `target`, since RVT takes all it finds there for recordings.

    Raises
    ------
    OutputError
        When the disk refuses.
    """
    name = "-".join(target.relative_to(root).parts)
    temporary, replaced = root / f".tmp-{name}", root / f".old-{name}"
    with disk_errors(target):
        try:
            _put_back(replaced, target)
            _remove(temporary, replaced)
            temporary.mkdir(parents=True)
            yield temporary
            for path in (temporary, *temporary.rglob("*")):
                sync(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target.rename(replaced)
            temporary.rename(target)
            sync(target.parent)
        finally:
            _put_back(replaced, target)
            _remove(temporary, replaced)


@contextmanager
def published_file(target: Path) -> Iterator[BinaryIO]:
    """Give a hidden file beside `target` to write, which takes its place when the block ends well, else goes.

    Raises
    ------
    OutputError
        When the disk refuses.
    """
    temporary = target.with_name(f".tmp-{target.name}")
    with disk_errors(target):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                yield file
            # A power cut after the rename would otherwise leave the name and no content.
            sync(temporary)
            temporary.replace(target)
            sync(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turn what the system says of a disk into an OutputError of `target`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, EventdetError):
            raise
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error


def _put_back(replaced: Path, target: Path) -> None:
    """Let what was about to be replaced have its name again, when nothing has taken its place."""
    if replaced.exists() and not target.exists():
        replaced.rename(target)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
