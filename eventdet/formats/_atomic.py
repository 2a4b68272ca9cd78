"""Write a file so that it appears whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from eventdet.errors import EventdetError, OutputError

__all__ = ["atomic_writer"]


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` to write and read, which takes its name when the block ends well, else goes.

    Raises
    ------
    OutputError
        When the folder is missing or cannot be written, or the disk is full.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror})", hint="check that its folder exists and is writable"
        ) from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
        # mkstemp makes the file private; a recording is as readable as any other new file.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, EventdetError):
            raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
        raise
