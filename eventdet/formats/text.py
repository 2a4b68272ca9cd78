"""Events as text: one line an event, four numbers between commas, semicolons or blanks.

A header names the columns in any order; without one they are t, x, y, p, the order of most tools. A time with a
fraction is in seconds, a whole number is microseconds. The sensor size stands in a comment (``# 304x240``) or, as in
files of the Robotics and Perception Group, alone in the first line (``240 180``); else it has to be given.
"""

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size, resolve_sensor_size

from ._atomic import atomic_writer
from ._batches import checked_batches
from ._columns import ColumnPayload, column_encoding, find_columns, is_in_seconds, pack_columns
from ._text_header import HEAD_BYTES, read_head

__all__ = ["CSV", "is_text", "open_text", "write_text"]

CSV = column_encoding("csv")

_BLOCK_BYTES = 1 << 22
_LONGEST_LINE = 1 << 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SEPARATORS = re.compile(rb"[,;\s]+")
_SIZE_COMMENT = re.compile(rb"#.*?(\d{1,5}x\d{1,5})")


@dataclass(frozen=True)
class _Layout:
    """What the first lines say."""

    order: tuple[int, ...]
    """Places of t, x, y, p in a line."""

    data_offset: int
    """Byte offset of the first event."""

    size: SensorSize | None
    """None when the file does not tell it."""


def is_text(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are lines of events.

    Examples
    --------
    >>> is_text(b"t,x,y,p\n0,1,2,1\n"), is_text(b"0.000123 33 39 1\n"), is_text(b"% evt 3.0\n")
    (True, True, False)
    """
    return _parse_layout(head) is not None


def open_text(path: Path, sensor_size: SensorSize | None, policy: str) -> ColumnPayload:
    """Return how to read the events of a text file.

    Raises
    ------
    FormatError
        When its first lines are no events.
    GeometryError
        When it does not tell the sensor size and `sensor_size` is None.
    """
    head = read_head(path)
    layout = _parse_layout(head)
    if layout is None:
        raise FormatError(f"{path}: no lines of t, x, y, p, at byte 0", hint="name the columns in the first line")
    lines = (
        head[layout.data_offset :].splitlines()[:-1]
        if len(head) == HEAD_BYTES
        else head[layout.data_offset :].splitlines()
    )
    in_seconds = is_in_seconds(_numbers(lines, layout.order)[:, 0])

    def blocks(position: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        for block in _line_blocks(path, layout.data_offset + position):
            yield position, pack_columns(list(_parse(block, layout.order).T), in_seconds=in_seconds)
            position += len(block)

    size = resolve_sensor_size(str(path), header=layout.size, given=sensor_size)
    return ColumnPayload(path, CSV, layout.data_offset, size, policy, {}, blocks=blocks, is_file=True)


def write_text(path: str | Path, events: Events | Iterable[Events], sensor_size: SensorSize) -> None:
    """Write events as comma-separated text in microseconds, the sensor size in a comment and the names in a header.

    Raises
    ------
    OptionError
        When the events are out of order or off the sensor.
    OutputError
        When the folder is missing or cannot be written, or the disk is full.
    """
    size = check_sensor_size(sensor_size)
    with atomic_writer(Path(path)) as file:
        file.write(f"# {size}\nt,x,y,p\n".encode("ascii"))
        for batch in checked_batches(events, size, num_events=1 << 16):
            rows = zip(*(column.tolist() for column in batch), strict=True)
            file.write("".join(f"{t},{x},{y},{p}\n" for t, x, y, p in rows).encode("ascii"))


def _parse_layout(head: bytes) -> _Layout | None:
    """Return what the first lines say, None when they are not of a file of events."""
    order: tuple[int, ...] = (0, 1, 2, 3)
    size: SensorSize | None = None
    named = False
    begin = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    offset = begin
    for line in head[begin:].splitlines(keepends=True):
        fields = [field for field in _SEPARATORS.split(line.strip().lstrip(b"#").strip()) if field]
        numbers = _floats(fields)
        if line.startswith(b"#") and (match := _SIZE_COMMENT.match(line)):
            size = _size(match[1].decode("ascii"))
        elif numbers is not None and len(numbers) == 2 and offset == begin:
            size = _size(f"{fields[0].decode('ascii')}x{fields[1].decode('ascii')}")
        elif numbers is not None and len(numbers) > max(order) and not line.startswith(b"#"):
            return _Layout(order, offset, size)
        elif fields and not named and (found := find_columns(names := _names(line))):
            order, named = tuple(names.index(found[key]) for key in ("t", "x", "y", "p")), True
        elif line.strip() and not line.startswith(b"#"):
            return None
        offset += len(line)
    return _Layout(order, offset, size) if named and len(head) < HEAD_BYTES else None


def _names(line: bytes) -> list[str]:
    """Return the names of the columns; the first has none where pandas has written its index before them."""
    return [field.decode("utf-8", "replace").strip('"') for field in _SEPARATORS.split(line.strip(b"# \r\n"))]


def _floats(fields: list[bytes]) -> list[float] | None:
    try:
        return [float(_as_number(field)) for field in fields] if fields else None
    except ValueError:
        return None


def _as_number(text: bytes) -> bytes:
    """Return `text` with numbers for the truth values that pandas writes for a polarity of dtype bool."""
    return text.replace(b"True", b"1").replace(b"False", b"0")


def _size(text: str) -> SensorSize | None:
    try:
        return SensorSize.parse(text)
    except OptionError:
        return None


def _line_blocks(path: Path, offset: int) -> Iterator[bytes]:
    """Yield the file from `offset` on in blocks of whole lines; what has no end of line for long is cut.

    Where a block ends depends on where it begins alone, so that reading can begin at any of them.
    """
    rest = b""
    with path.open("rb") as file:
        file.seek(offset)
        while data := file.read(_BLOCK_BYTES - len(rest)):
            data = rest + data
            stop = data.rfind(b"\n") + 1
            if stop == 0 and len(data) > _LONGEST_LINE:
                stop = len(data)
            if stop:
                yield data[:stop]
            rest = data[stop:]
    if rest:
        yield rest


def _parse(block: bytes, order: tuple[int, ...]) -> NDArray[np.float64]:
    """Return shape (n, 4), t, x, y, p of each line that is not blank; a line that is no event is NaN."""
    try:
        with warnings.catch_warnings():
            # No line at all is no event.
            warnings.simplefilter("ignore", UserWarning)
            text = io.BytesIO(_as_number(block.replace(b",", b" ").replace(b";", b" ")))
            return np.loadtxt(text, usecols=order, ndmin=2, comments="#")
    except ValueError:
        return _numbers(block.splitlines(), order)


def _numbers(lines: list[bytes], order: tuple[int, ...]) -> NDArray[np.float64]:
    rows = np.full((len(lines), 4), np.nan)
    num_rows = 0
    for line in lines:
        if not line.strip() or line.startswith(b"#"):
            continue
        fields = [field for field in _SEPARATORS.split(line.strip()) if field]
        if len(fields) > max(order) and (values := _floats([fields[place] for place in order])) is not None:
            rows[num_rows] = values
        num_rows += 1
    return rows[:num_rows]
