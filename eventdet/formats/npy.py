"""NumPy files: ``.npy`` with a structured array or rows of four numbers, ``.npz`` with one array a column.

There is no standard: fields and arrays are found by the names in use (t or ts or timestamp, p or polarity, ...). Rows
of four numbers without names are read as t, x, y, p, the order of most tools.
"""

import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError
from eventdet.events import EVENT_DTYPE, Events
from eventdet.geometry import SensorSize, check_sensor_size, resolve_sensor_size

from ._atomic import atomic_writer
from ._batches import checked_batches
from ._columns import (
    BLOCK_EVENTS,
    ColumnPayload,
    Columns,
    column_encoding,
    find_columns,
    find_fields,
    is_in_seconds,
    pack_columns,
)
from ._npy_stream import NpyReader, NpyWriter

__all__ = ["NPY", "NPZ", "is_npy", "is_npz", "open_npy", "open_npz", "write_npy", "write_npz"]

NPY = column_encoding("npy")
NPZ = column_encoding("npz")

_ORDER = ("t", "x", "y", "p")


def is_npy(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are those of a ``.npy`` file.

    Examples
    --------
    >>> is_npy(b"\x93NUMPY\x01\x00")
    True
    """
    return head.startswith(b"\x93NUMPY")


def is_npz(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are those of a ``.npz`` file, a zip of ``.npy`` files.

    Examples
    --------
    >>> is_npz(b"PK\x03\x04")
    True
    """
    return head.startswith(b"PK\x03\x04")


def open_npy(path: Path, sensor_size: SensorSize | None, policy: str) -> ColumnPayload:
    """Return how to read the events of a ``.npy`` file.

    Raises
    ------
    FormatError
        When it is broken or holds no events.
    GeometryError
        When `sensor_size` is None: the file does not tell it.
    """
    with path.open("rb") as file:
        reader = NpyReader(file, str(path))
        columns = _columns_of(path, reader)
        in_seconds = is_in_seconds(columns(reader.read(BLOCK_EVENTS))[0])

    def blocks(position: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        with path.open("rb") as file:
            reader = NpyReader(file, str(path))
            reader.skip(position)
            while len(rows := reader.read(BLOCK_EVENTS)):
                yield position, pack_columns(columns(rows), in_seconds=in_seconds)
                position += len(rows)

    size = resolve_sensor_size(str(path), given=sensor_size)
    return ColumnPayload(path, NPY, 0, size, policy, {}, blocks=blocks, is_file=True)


def open_npz(path: Path, sensor_size: SensorSize | None, policy: str) -> ColumnPayload:
    """Return how to read the events of a ``.npz`` file.

    Its arrays ``height`` and ``width``, if there are any, say the size of the sensor.

    Raises
    ------
    FormatError
        When it is broken or holds no events.
    GeometryError
        When it does not tell the sensor size and `sensor_size` is None.
    """
    with _members(path) as (names, read):
        first = next(_npz_columns(path, names, read), None)
        header_size = _size(path, names, read)
    in_seconds = first is not None and is_in_seconds(first[0])

    def blocks(position: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        with _members(path) as (names, read):
            for columns in _npz_columns(path, names, read, skip=position):
                yield position, pack_columns(columns, in_seconds=in_seconds)
                position += len(columns[0])

    size = resolve_sensor_size(str(path), header=header_size, given=sensor_size)
    return ColumnPayload(path, NPZ, 0, size, policy, {}, blocks=blocks, is_file=True)


def write_npy(path: str | Path, events: Events | Iterable[Events], sensor_size: SensorSize) -> None:
    """Write events as one structured array of dtype `EVENT_DTYPE`; the file does not tell the sensor size.

    Raises
    ------
    OptionError
        When the events are out of order or off the sensor.
    OutputError
        When the folder is missing or cannot be written, or the disk is full.
    """
    size = check_sensor_size(sensor_size)
    with atomic_writer(Path(path)) as file:
        writer = NpyWriter(file, EVENT_DTYPE)
        for batch in checked_batches(events, size):
            writer.write(batch.to_structured())
        writer.finish()


def write_npz(path: str | Path, events: Events | Iterable[Events], sensor_size: SensorSize) -> None:
    """Write events as compressed arrays t, x, y, p, with height and width.

    Raises
    ------
    OptionError
        When the events are out of order or off the sensor.
    OutputError
        When the folder is missing or cannot be written, or the disk is full.
    """
    size = check_sensor_size(sensor_size)
    with atomic_writer(Path(path)) as target, ExitStack() as stack:
        # The length stands before the data: each column waits in a file of its own, so that none is held in memory.
        files = {name: stack.enter_context(tempfile.TemporaryFile(dir=Path(path).parent)) for name in _ORDER}
        writers = {name: NpyWriter(file, EVENT_DTYPE[name]) for name, file in files.items()}
        for batch in checked_batches(events, size):
            for name, writer in writers.items():
                writer.write(getattr(batch, name))
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, writer in writers.items():
                writer.finish()
                files[name].seek(0)
                _copy(files[name], archive, name)
            for name, side in size._asdict().items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, np.asarray(side))


def _copy(file: IO[bytes], archive: zipfile.ZipFile, name: str) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        while data := file.read(1 << 20):
            member.write(data)


def _columns_of(path: Path, reader: NpyReader) -> Callable[[NDArray[Any]], Columns]:
    """Return how to take t, x, y, p out of the rows of an array."""
    names = reader.dtype.names
    if names is None and len(reader.shape) == 2 and reader.dtype.kind in "iuf":
        return lambda rows: list(rows.T)
    found = find_fields(reader.dtype)
    if found is None:
        raise FormatError(
            f"{path}: no events, they need fields of numbers t, x, y, p, got {', '.join(names or ()) or reader.dtype}",
            hint="for labels use eventdet labels check",
        )
    return lambda rows: [rows[found[key]] for key in _ORDER]


@contextmanager
def _members(path: Path) -> Iterator[tuple[set[str], Callable[[str], NpyReader]]]:
    """Give the names of the arrays of a ``.npz`` file, and a function that opens one."""
    try:
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(path))
            names = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}

            def read(name: str) -> NpyReader:
                return NpyReader(stack.enter_context(archive.open(f"{name}.npy")), f"{path}: {name}")

            yield names, read
    except FormatError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: broken .npz ({reason}), at byte 0", hint="copy it again") from error


def _npz_columns(path: Path, names: set[str], read: Callable[[str], NpyReader], *, skip: int = 0) -> Iterator[Columns]:
    found = find_columns(names)
    if found is None and len(names) == 1:
        reader = read(next(iter(names)))
        take = _columns_of(path, reader)
        reader.skip(skip)
        while len(rows := reader.read(BLOCK_EVENTS)):
            yield take(rows)
        return
    if found is None:
        raise FormatError(
            f"{path}: no events, they need arrays t, x, y, p, got {', '.join(sorted(names)) or 'none'}",
            hint="save them with np.savez(path, t=..., x=..., y=..., p=...)",
        )
    readers = [read(found[key]) for key in _ORDER]
    shapes = {reader.shape for reader in readers}
    if len(shapes) > 1 or len(readers[0].shape) != 1 or any(reader.dtype.kind not in "iufb" for reader in readers):
        raise FormatError(
            f"{path}: t, x, y, p must be number arrays of one length, got "
            + ", ".join(f"{reader.dtype} {reader.shape}" for reader in readers)
        )
    for reader in readers:
        reader.skip(skip)
    while len((columns := [reader.read(BLOCK_EVENTS) for reader in readers])[0]):
        yield columns


def _size(path: Path, names: set[str], read: Callable[[str], NpyReader]) -> SensorSize | None:
    if not {"height", "width"} <= names:
        return None
    height, width = (read(side).read(1) for side in ("height", "width"))
    try:
        return check_sensor_size(SensorSize(int(height[0]), int(width[0])))
    except (IndexError, ValueError, TypeError, OverflowError) as error:
        raise FormatError(
            f"{path}: height and width must be two numbers in 1..16384, got {height} and {width}"
        ) from error
