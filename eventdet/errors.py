"""Exceptions of eventdet.

Each error also derives from the built-in that a caller would catch, and carries the exit code that the
command line returns for it::

    EventdetError                     exit code 1: failed while running
    ├── OptionError (ValueError)      exit code 2: an argument is outside its rule
    ├── InputError (OSError)          exit code 3: a file is missing, unreadable or not what it claims
    │   ├── FormatError (ValueError)  the bytes break the format
    │   └── GeometryError             the sensor size is not in the file and was not given
    ├── OutputError (OSError)         exit code 1: an output cannot be written
    │   └── BusyError                 another process is writing it
    ├── MissingExtraError (ImportError)  exit code 4: an optional package is not installed
    └── PartialError                  exit code 5: some inputs were skipped
"""

from collections.abc import Iterable
from typing import ClassVar

__all__ = [
    "BusyError",
    "EventdetError",
    "FormatError",
    "GeometryError",
    "InputError",
    "MissingExtraError",
    "OptionError",
    "OutputError",
    "PartialError",
    "check_option",
    "install_hint",
]


class EventdetError(Exception):
    """Root of every error that eventdet raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, where, and what came, in one line.
    hint : str
        What the user can do about it, or an empty string.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message alone; OSError would print its errno form."""
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        """Let every error pass from process to process, whatever its constructor asks for."""
        return _restore, (type(self), self.message, self.__dict__)


def _restore(kind: type[EventdetError], message: str, state: dict[str, object]) -> EventdetError:
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class OptionError(EventdetError, ValueError):
    """An argument is outside its rule."""

    exit_code = 2


class InputError(EventdetError, OSError):
    """A file or source is missing, unreadable, or not what it claims to be."""

    exit_code = 3


class FormatError(InputError, ValueError):
    """The bytes of a file break its format; the message names the byte offset."""


class GeometryError(InputError):
    """The sensor size is neither in the header, nor known for the camera, nor given by the user."""


class OutputError(EventdetError, OSError):
    """An output cannot be written: its folder is missing or closed, or the disk is full."""


class BusyError(OutputError):
    """Another process is writing the same output."""


class MissingExtraError(EventdetError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    need : str
        What cannot be done without it, e.g. ``"writing MP4"``.
    extra : str
        Name of the extra of eventdet that brings it.
    """

    exit_code = 4

    def __init__(self, need: str, *, extra: str) -> None:
        super().__init__(
            f"{need} needs the extra {extra!r}, which is not installed",
            hint=install_hint(extra),
        )
        self.extra = extra


def install_hint(extra: str) -> str:
    """Return how to install an extra; without the constraints pip would take the torch for GPUs, several gigabytes."""
    return f'in your copy of eventdet: pip install -c constraints.txt ".[{extra}]"'


class PartialError(EventdetError):
    """Some inputs were processed and some were skipped."""

    exit_code = 5


def check_option(name: str, value: str, allowed: Iterable[str]) -> str:
    """Return `value` when it is one of the allowed ones.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    value : str
        What the caller gave.
    allowed : iterable of str
        Every accepted value.

    Returns
    -------
    str
        `value`, unchanged.

    Raises
    ------
    OptionError
        When `value` is not among `allowed`; the message lists them.

    Examples
    --------
    >>> check_option("pace", "max", ["max", "realtime"])
    'max'
    """
    choices = list(allowed)
    if value not in choices:
        listed = ", ".join(choices)
        raise OptionError(f"{name} must be one of {listed}, got {value!r}", hint=f"use {name} {choices[0]}")
    return value
