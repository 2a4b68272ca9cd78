"""The text header that DAT and RAW files share: lines of ``% key value``, then bytes."""

import errno
from dataclasses import dataclass
from pathlib import Path

from eventdet.errors import FormatError, InputError

__all__ = ["HEAD_BYTES", "TextHeader", "parse_text_header", "read_head"]

HEAD_BYTES = 1 << 16
"""Bytes read to find the header; real headers are below 1 kB."""

_LINE_START = b"% "


@dataclass(frozen=True, slots=True)
class TextHeader:
    """The header lines of a file."""

    fields: dict[str, str]
    """Value by lower-case key; a key given twice keeps its last value."""

    num_bytes: int
    """Offset of the first byte after the header; 0 when there is none."""


def parse_text_header(head: bytes) -> TextHeader:
    r"""Return the header lines at the start of a file.

    A header ends after ``% end``, or before the first bytes that are not a printable line starting with ``% ``.
    Both characters and the rest of the line are checked, since a data word may begin with 0x25 as well.

    Parameters
    ----------
    head : bytes
        First bytes of the file.

    Returns
    -------
    TextHeader
        Fields and length; no fields and length 0 without a header.

    Examples
    --------
    >>> parse_text_header(b"% evt 3.0\n% end\n\x00\x80")
    TextHeader(fields={'evt': '3.0', 'end': ''}, num_bytes=16)
    """
    fields: dict[str, str] = {}
    position = 0
    while head.startswith(_LINE_START, position):
        stop = head.find(b"\n", position)
        line = head[position + len(_LINE_START) : stop].rstrip(b"\r")
        if stop < 0 or not line.isascii() or not line.decode("ascii").isprintable():
            break
        key, _, value = line.decode("ascii").strip().partition(" ")
        fields[key.lower()] = value.strip()
        position = stop + 1
        if key == "end":
            break
    return TextHeader(fields, position)


def read_head(path: Path) -> bytes:
    """Return the first `HEAD_BYTES` of a file.

    Raises
    ------
    InputError
        When the file is missing, a directory, a pipe, or not readable.
    FormatError
        When the file is empty.
    """
    try:
        _refuse_pipe(path)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", hint="check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a directory, not a recording", hint="give the path of one recording") from None
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "unknown error")
        raise InputError(
            f"{path}: cannot be read ({error.strerror or reason})", hint="check its permissions"
        ) from error
    if not head:
        raise FormatError(f"{path}: file is empty, at byte 0", hint="copy or record it again")
    return head


def _refuse_pipe(path: Path) -> None:
    # Opened again for its events, a pipe would go on behind what was read of it for the header.
    if path.is_fifo():
        raise InputError(f"{path}: is a pipe, not a file", hint="write it to a file, or stream it with -")
