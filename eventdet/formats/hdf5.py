"""HDF5 files with columns of events: DSEC, the preprocessed Gen1 of RVT, Metavision, and others by the names in use.

DSEC keeps ``events/t`` relative to ``t_offset``, which is added, so that stamps agree with those of its images. RVT
stores ``events/height`` and ``events/width``. Metavision stores records in ``CD/events``, compressed by a filter of
its own (ECF) that is not part of HDF5.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import EventdetError, FormatError, MissingExtraError, OptionError
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
    is_in_seconds,
    pack_columns,
)

if TYPE_CHECKING:
    import h5py

__all__ = ["HDF5", "is_hdf5", "open_hdf5", "write_hdf5"]

HDF5 = column_encoding("hdf5")

_ORDER = ("t", "x", "y", "p")
_PLACES = ("events", "CD/events", "CD", "")
"""Where columns are looked for; records of events as well as one array a column."""

_ECF_FILTER = 0x8ECF
_FIRST_PLUGIN_FILTER = 256
_CHUNK_EVENTS = 1 << 16
_LARGEST_CHUNK = 1 << 28
"""Bytes that HDF5 holds at once for one column; what a file claims beyond it is not believed."""

_LONGEST_INDEX_US = 1 << 36
"""19 hours, an index of 69 million milliseconds."""


def is_hdf5(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are those of an HDF5 file.

    Examples
    --------
    >>> is_hdf5(b"\x89HDF\r\n\x1a\n")
    True
    """
    return head.startswith(b"\x89HDF\r\n\x1a\n")


def open_hdf5(path: Path, sensor_size: SensorSize | None, policy: str) -> ColumnPayload:
    """Return how to read the events of an HDF5 file.

    Raises
    ------
    FormatError
        When it is broken, holds no events, or compresses them with Metavision's own filter.
    MissingExtraError
        When its compression needs the extra ``hdf5``.
    GeometryError
        When it does not tell the sensor size and `sensor_size` is None.
    """
    with _opened(path) as source:
        in_seconds = is_in_seconds(source.read(0)[0])
        size = resolve_sensor_size(str(path), header=source.size, given=sensor_size)

    def blocks(position: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        with _opened(path) as source:
            for start in range(position, source.num_events, BLOCK_EVENTS):
                yield start, pack_columns(source.read(start), in_seconds=in_seconds, offset_us=source.offset_us)

    return ColumnPayload(path, HDF5, 0, size, policy, {}, blocks=blocks, is_file=True)


def write_hdf5(path: str | Path, events: Events | Iterable[Events], sensor_size: SensorSize) -> None:
    """Write events in a form that tools for DSEC and for RVT's Gen1 both read, compressed by gzip.

    It holds ``events/{t,x,y,p}``, ``events/height``, ``events/width``, ``t_offset``, and ``ms_to_idx``, the number of
    events before each millisecond. The offset is 0 for a clock that begins with the recording, else the first stamp.

    Raises
    ------
    OptionError
        When the events are out of order, off the sensor, or span more than 19 hours.
    OutputError
        When the folder is missing or cannot be written, or the disk is full.
    """
    import h5py

    size = check_sensor_size(sensor_size)
    with atomic_writer(Path(path)) as target, h5py.File(target, "w") as file:
        columns = {
            name: file.create_dataset(
                f"events/{name}", (0,), EVENT_DTYPE[name], maxshape=(None,), chunks=(_CHUNK_EVENTS,),
                compression="gzip", compression_opts=1, shuffle=True,
            )
            for name in _ORDER
        }  # fmt: skip
        index = _MillisecondIndex()
        offset_us = 0
        for batch in checked_batches(events, size):
            if not index.num_events and batch.t[0] > _LONGEST_INDEX_US >> 4:
                offset_us = int(batch.t[0])
            relative = Events(batch.t - offset_us, batch.x, batch.y, batch.p)
            for name, column in columns.items():
                column.resize((index.num_events + len(batch),))
                column[index.num_events :] = getattr(relative, name)
            index.add(relative.t)
        file["events/height"], file["events/width"] = size
        file["t_offset"] = np.int64(offset_us)
        file["ms_to_idx"] = index.entries()


class _MillisecondIndex:
    """Number of events before each millisecond, from zero to the one after the last event."""

    def __init__(self) -> None:
        self.num_events = 0
        self._parts: list[NDArray[np.int64]] = []
        self._next_ms = 0

    def add(self, t: NDArray[np.int64]) -> None:
        """Take note of the stamps of a batch."""
        if t[-1] > _LONGEST_INDEX_US:
            raise OptionError(f"events must span less than {_LONGEST_INDEX_US} us for HDF5, got {t[-1]} us")
        edges = np.arange(self._next_ms, t[-1] // 1000 + 1)
        self._parts.append(self.num_events + np.searchsorted(t, edges * 1000))
        self._next_ms += len(edges)
        self.num_events += len(t)

    def entries(self) -> NDArray[np.uint64]:
        """Return the whole index."""
        return np.concatenate([*self._parts, [self.num_events]]).astype(np.uint64)


@dataclass(frozen=True)
class _Source:
    """The columns of an open file."""

    arrays: Mapping[str, "h5py.Dataset"]
    """Array of each of t, x, y, p; of records it is the same array four times."""

    fields: Mapping[str, str]
    """Field of each in its array; empty for arrays of plain numbers."""

    size: SensorSize | None
    """From the file, None when it does not tell it."""

    offset_us: int
    """To be added to every stamp."""

    @property
    def num_events(self) -> int:
        """Length of every column."""
        return len(self.arrays["t"])

    def read(self, start: int) -> Columns:
        """Return a block of events."""
        stop = min(start + BLOCK_EVENTS, self.num_events)
        if self.fields:
            records = self.arrays["t"][start:stop]
            return [records[self.fields[key]] for key in _ORDER]
        return [self.arrays[key][start:stop] for key in _ORDER]


@contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    """Open a file and find its events; errors of the library become errors of the file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield _find(path, file)
    except EventdetError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: broken HDF5 ({reason}), at byte 0", hint="copy it again") from error


def _find(path: Path, file: "h5py.File") -> _Source:
    import h5py

    for place in _PLACES:
        node = file.get(place) if place else file
        names = node.keys() if isinstance(node, h5py.Group) else node.dtype.names if node is not None else None
        found = find_columns(names or ())
        if node is None or found is None:
            continue
        is_group = isinstance(node, h5py.Group)
        arrays = {key: node[name] if is_group else node for key, name in found.items()}
        for key, array in arrays.items():
            _check_array(path, array, "" if is_group else found[key])
        lengths = [len(arrays[key]) for key in _ORDER]
        if len(set(lengths)) > 1:
            raise FormatError(f"{path}: t, x, y, p must be of one length, got {lengths}", hint="copy it again")
        return _Source(arrays, {} if is_group else found, _size(path, file), _offset(file))
    raise FormatError(
        f"{path}: no events, they need t, x, y, p in {', '.join(place for place in _PLACES if place)} or at the top, "
        f"got {', '.join(file) or 'nothing'}",
        hint="look into it with h5ls -r",
    )


def _check_array(path: Path, array: object, field: str) -> None:
    import h5py

    if not isinstance(array, h5py.Dataset) or array.ndim != 1:
        raise FormatError(f"{path}: {array} must be a list of numbers")
    dtype = array.dtype[field] if field else array.dtype
    row_bytes = array.dtype.itemsize * max(1, array.chunks[0] if array.chunks else 1)
    if dtype.kind not in "iufb" or dtype.shape or row_bytes > _LARGEST_CHUNK:
        raise FormatError(f"{path}: {array.name} must hold numbers in chunks below {_LARGEST_CHUNK} bytes, got {dtype}")
    creation = array.id.get_create_plist()
    for number in range(creation.get_nfilters()):
        _check_filter(path, creation.get_filter(number)[0])


def _check_filter(path: Path, code: int) -> None:
    from h5py import h5z

    if code < _FIRST_PLUGIN_FILTER or h5z.filter_avail(code):
        return
    if code == _ECF_FILTER:
        raise FormatError(
            f"{path}: its events are compressed by Metavision's ECF filter, which HDF5 does not have here",
            hint="install hdf5_ecf and set HDF5_PLUGIN_PATH, or export the recording as RAW",
        )
    try:
        import hdf5plugin  # noqa: F401 - to import it makes its filters known to HDF5
    except ImportError as error:
        raise MissingExtraError(f"{path}: reading HDF5 compressed by filter {code}", extra="hdf5") from error
    if not h5z.filter_avail(code):
        raise FormatError(f"{path}: HDF5 filter {code} is not known", hint="save it with gzip or blosc")


def _size(path: Path, file: "h5py.File") -> SensorSize | None:
    height, width = file.get("events/height"), file.get("events/width")
    try:
        if height is not None and width is not None:
            return check_sensor_size(SensorSize(int(height[()]), int(width[()])))
        geometry = file.attrs.get("geometry")
        return None if geometry is None else SensorSize.parse(str(geometry))
    except OptionError as error:
        raise FormatError(f"{path}: {error}, in its sensor size") from error


def _offset(file: "h5py.File") -> int:
    offset = file.get("t_offset")
    return 0 if offset is None else int(offset[()])
