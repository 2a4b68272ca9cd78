"""What every sink can do, and the check of its target."""

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from eventdet.errors import InputError, OptionError

from .result import WindowResult

__all__ = ["Sink", "prepare_target"]


class Sink(Protocol):
    """Takes the results of a stream, one window at a time.

    A sink is a context manager: leaving the block finalises its output, after an exception too.
    """

    target: str
    """Where the output goes, as the user wrote it."""

    note: str
    """What the user should know about the output; empty when all is as expected."""

    def write(self, result: WindowResult) -> None:
        """Take the detections of the next window."""

    def close(self) -> None:
        """Finalise the output; a second call does nothing."""

    def __enter__(self) -> Self:
        """Return the sink."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finalise the output."""
        self.close()


def prepare_target(target: str | Path) -> Path:
    """Return the path of an output file after making sure that it can be written.

    The folder is made when missing and the file is created empty, so that a wrong target fails before the work starts.

    Parameters
    ----------
    target : str or Path
        Output file.

    Returns
    -------
    Path
        The same as a path.

    Raises
    ------
    OptionError
        When the target is a folder.
    InputError
        When the folder cannot be made or the file cannot be written.
    """
    path = Path(target)
    if path.is_dir():
        raise OptionError(f"output {path} is a folder", hint=f"name a file in it, e.g. {path / 'clip.mp4'}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("wb").close()
    except OSError as error:
        raise InputError(f"output {path} cannot be written: {error.strerror or error}") from error
    return path
