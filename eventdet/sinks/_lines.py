"""Lines to a file or to the standard output, each in one piece."""

import errno
import os
import sys
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Protocol

from eventdet.errors import OutputError
from eventdet.standard_output import forget_standard_output

from ._files import check_target, make_folder, writing

__all__ = ["LineFile", "LineWriter", "StandardOutput"]


_READER_S = 10.0
"""How long the reader of a pipe may take to come: services start in any order."""


class LineWriter(Protocol):
    """Takes whole lines."""

    is_done: bool
    """Whether nobody reads what is written."""

    def append(self, line: bytes) -> None:
        """Write a line, so that whoever follows sees it at once and whole."""

    def close(self) -> None:
        """Let go of the output; a second call does nothing."""


class LineFile(LineWriter):
    """A file, emptied at the start and written in place, since others may follow it while it grows.

    Parameters
    ----------
    target : str
        Path; the folder is made when missing.
    keep_bytes : int
        Bytes of an earlier file that stay; what follows them is cut off.

    Raises
    ------
    OptionError, OutputError
        When the target cannot be written.
    """

    is_done = False

    def __init__(self, target: str, *, keep_bytes: int = 0) -> None:
        path = check_target(target)
        make_folder(path)
        self._target = target
        with writing(target):
            is_pipe = path.is_fifo()
            self._file = _open_pipe(path) if is_pipe else path.open("r+b" if keep_bytes else "wb", buffering=0)
            if keep_bytes:
                self._file.truncate(keep_bytes)
                self._file.seek(0, os.SEEK_END)

    def append(self, line: bytes) -> None:
        """Write a line; when the disk is full the file ends with the line before.

        Raises
        ------
        OutputError
            When the line cannot be written.
        """
        written = 0
        try:
            with writing(self._target):
                while written < len(line):
                    written += self._file.write(line[written:]) or 0
        except OutputError:
            # A device or a pipe cannot be cut, and needs not be.
            with suppress(OSError):
                self._file.truncate(self._file.seek(-written, os.SEEK_CUR))
            raise

    def close(self) -> None:
        """Close the file."""
        with writing(self._target):
            self._file.close()


def _open_pipe(pipe: Path) -> FileIO:
    """Open a named pipe that somebody reads, or begins to soon; to open it otherwise waits, whatever signals come.

    Raises
    ------
    OutputError
        When nobody does.
    """
    deadline = time.monotonic() + _READER_S
    while True:
        try:
            descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > deadline:
                raise OutputError(
                    f"output {pipe} cannot be written: nobody reads this pipe", hint="start its reader too"
                ) from error
            time.sleep(_READER_S / 100)
        else:
            os.set_blocking(descriptor, True)
            return FileIO(descriptor, "wb")


class StandardOutput(LineWriter):
    """The standard output, which stays open. That its reader leaves, as in ``| head``, is no error."""

    def __init__(self) -> None:
        self.check()
        self.is_done = False

    @staticmethod
    def check() -> None:
        """Raise OutputError when the process was started without a standard output."""
        if sys.stdout is None:
            raise OutputError("output - cannot be written: the standard output is closed")

    def append(self, line: bytes) -> None:
        """Write a line unless the reader has gone.

        Raises
        ------
        OutputError
            When the line cannot be written for another reason.
        """
        if self.is_done:
            return
        stream = sys.stdout.buffer
        try:
            with writing("-"):
                stream.write(line)
                stream.flush()
        except OutputError as error:
            self.is_done = True
            forget_standard_output()
            if not isinstance(error.__cause__, BrokenPipeError):
                raise

    def close(self) -> None:
        """Do nothing: others may print on."""
