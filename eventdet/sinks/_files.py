"""Files to write: looked at before anything is touched, and put in place when whole."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eventdet.errors import EventdetError, OptionError, OutputError

__all__ = ["PartFile", "check_target", "make_folder", "writing"]


@contextmanager
def writing(target: str | Path) -> Iterator[None]:
    """Turn what the system says against writing into an error that names the target.

    Raises
    ------
    OutputError
        Instead of an OSError of the body.
    """
    try:
        yield
    except EventdetError:
        raise
    except OSError as error:
        raise OutputError(f"output {target} cannot be written: {error.strerror or error}") from error


def check_target(target: str | Path) -> Path:
    """Return the path of an output file after finding that it could be written; nothing is changed by that.

    Parameters
    ----------
    target : str or Path
        Output file, which may exist; its folder may be missing.

    Returns
    -------
    Path
        The same as a path.

    Raises
    ------
    OptionError
        When the target is a folder.
    OutputError
        When there is no way to it, or the system forbids to write.
    """
    path = Path(target)
    if path.is_dir():
        raise OptionError(f"output {path} is a folder", hint=f"name a file in it, e.g. {path / 'clip.mp4'}")
    with writing(path):
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        if not folder.is_dir():
            raise OutputError(f"output {path} cannot be written: {folder} is not a folder")
        if not os.access(folder, os.W_OK | os.X_OK) or (path.exists() and not os.access(path, os.W_OK)):
            raise OutputError(f"output {path} cannot be written: permission denied")
    return path


def make_folder(path: Path) -> None:
    """Make the folder of an output file when it is missing.

    Raises
    ------
    OutputError
        When it cannot be made.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)


class PartFile:
    """A file that takes its name when it is whole, so that what had the name before is not lost to a failure.

    Until then it lies hidden beside it. A device or a pipe cannot be replaced and is written in place.

    Parameters
    ----------
    target : str or Path
        Output file; its folder is made when missing.

    Raises
    ------
    OptionError, OutputError
        When the target cannot be written.
    """

    def __init__(self, target: str | Path) -> None:
        self.target = check_target(target)
        """The file as the user named it."""
        # A link stays one: what it points to is replaced.
        self._final = self.target.resolve()
        self._in_place = self._final.exists() and not self._final.is_file()
        self.path = self._final if self._in_place else self._hidden()
        """Where to write; it ends like the target, since writers of video go by the ending."""
        if not self._in_place:
            make_folder(self._final)
            with writing(self.target):
                self.path.open("xb").close()

    def keep(self) -> None:
        """Give the file its name.

        Raises
        ------
        OutputError
            When the system refuses; the part is then removed.
        """
        if self._in_place:
            return
        try:
            with writing(self.target):
                self.path.replace(self._final)
        except OutputError:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove what was written, and leave what had the name before."""
        if not self._in_place:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _hidden(self) -> Path:
        name = f".{self._final.stem}.{secrets.token_hex(4)}.part{self._final.suffix}"
        return self._final.with_name(name)
