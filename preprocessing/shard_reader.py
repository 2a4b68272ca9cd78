"""Rows of a stored array, read straight from its files.

The Zarr API takes about a millisecond a call, whatever the size; a window of events is decoded in a thirtieth. So
the layouts that `_layout` writes are read here: chunks that cut the first axis alone, each a file of its own or one of
a shard, in zstd or blosc, with or without crc32c behind. Every other layout goes through the Zarr API.

Nothing a file says is believed before it is checked: spans lie within the file, checksums agree, a chunk unpacks to
just its size. A missing chunk is damage, since all of them are written.

A reader is pickled as values alone. Files stay open in one cache of the process and are read by ``pread``, which has no
position to share: threads and forked workers do not disturb each other.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from google_crc32c import value as crc32c
from numpy.typing import NDArray

from eventdet.errors import EventdetError, FormatError, InputError, OptionError

from ._json import parse_metadata
from ._packing import CHECKSUM_BYTES
from ._row_layout import MISSING, RowLayout, parse_layout
from .locations import client_errors, is_local

__all__ = ["RowReader", "ShardReader", "allocate_rows", "open_rows"]

_OPEN_SHARDS = 64
"""Files kept open; an index goes with each."""

_CHECKED = 0x48674BC7
"""CRC-32C of anything with its own CRC-32C behind: what is left of a checksum that holds, whatever it is over. So
data and checksum need not be taken apart."""


_IN_PLACE_BYTES = 1 << 16
"""A chunk of this size is unpacked where it is wanted; numcodecs takes longer to look at an array than to copy less."""


class RowReader(Protocol):
    """An array that is read by ranges of its first axis."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a value."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What was written about the array."""

    def read(self, start: int, stop: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``, in `out` when it is given; see :meth:`ShardReader.read`."""


def open_rows(path: Path) -> RowReader:
    """Return the reader of the array at `path`: a :class:`ShardReader`, or the Zarr API for other layouts and for URLs.

    Raises
    ------
    FormatError
        When the metadata are missing or damaged.
    InputError
        When the service of a URL fails.
    """
    try:
        metadata = parse_metadata((path / "zarr.json").read_bytes())
    except _faults() as error:
        raise _fault(path, error, str(error)) from error
    if not isinstance(metadata, dict):
        raise _damaged(path, "zarr.json is no object")
    layout = parse_layout(metadata)
    # What is not a file of this machine cannot be mapped or read in place.
    return ShardReader(path, layout) if layout is not None and is_local(path) else _ZarrRows(path)


class ShardReader:
    """Reads an array of a known layout; made by :func:`open_rows`."""

    def __init__(self, path: Path, layout: RowLayout) -> None:
        self._path = path
        self._layout = layout
        self._kept: tuple[int, NDArray[Any]] = -1, np.empty(0, layout.dtype)

    def __reduce__(self) -> tuple[type["ShardReader"], tuple[Path, RowLayout]]:
        """Leave the chunk behind that is kept."""
        return ShardReader, (self._path, self._layout)

    def __repr__(self) -> str:
        return f"ShardReader({str(self._path)!r}, {self.shape}, {self.dtype})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return self._layout.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a value."""
        return self._layout.dtype

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What was written about the array."""
        return self._layout.attributes

    @property
    def layout(self) -> RowLayout:
        """How it is cut and packed."""
        return self._layout

    def read(self, start: int, stop: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the rows ``start`` to ``stop``.

        Parameters
        ----------
        start, stop : int
            Range of the first axis, ``0 <= start <= stop <= shape[0]``.
        out : ndarray, shape (stop - start, ...), optional
            C-ordered array of the same type to decode into.

        Returns
        -------
        ndarray, shape (stop - start, ...)
            `out` when it was given.

        Raises
        ------
        OptionError
            When the range lies outside the array, or `out` does not fit.
        FormatError
            When a chunk is missing or damaged; `out` then holds anything.
        """
        if not 0 <= start <= stop <= self.shape[0]:
            raise OptionError(f"rows must lie in 0..{self.shape[0]}, got {start} to {stop}")
        per_chunk = self._layout.chunk_rows
        chunks = range(start // per_chunk, -(-stop // per_chunk)) if start < stop else range(0)
        if chunks:
            # Before memory is taken for them: that many rows are there.
            self.span(chunks[-1])
        rows = _fitting(self._path, out, (stop - start, *self.shape[1:]), self.dtype)
        for chunk in chunks:
            low, high = max(start, chunk * per_chunk), min(stop, (chunk + 1) * per_chunk)
            target = rows[low - start : high - start]
            if high - low == per_chunk and self._layout.chunk_bytes >= _IN_PLACE_BYTES:
                self._unpacked(chunk, target)
            else:
                target[:] = self._whole(chunk)[low - chunk * per_chunk : high - chunk * per_chunk]
        return rows

    def _whole(self, chunk: int) -> NDArray[Any]:
        """Return a chunk of which a part is wanted; it is kept, since the next read often goes on in it."""
        kept, rows = self._kept
        if kept != chunk:
            # Never the same memory: another thread may still read the one that was kept.
            rows = np.frombuffer(self._unpacked(chunk, None), self.dtype)
            rows = rows.reshape(self._layout.chunk_rows, *self.shape[1:])
            self._kept = chunk, rows
        return rows

    def span(self, chunk: int) -> tuple["_Shard", int, int]:
        """Return the file of a chunk, where it begins in it, and its length; raises as `packed`."""
        number, entry = divmod(chunk, self._layout.chunks_per_shard)
        shard = _open_shard(self, number)
        offset, length = shard.spans[entry]
        if offset == length == MISSING:
            raise self._damage(chunk, "missing")
        if offset + length > shard.size:
            raise self._damage(chunk, f"bytes {offset} to {offset + length} of a file of {shard.size}")
        return shard, offset, length

    def packed(self, chunk: int) -> NDArray[np.uint8]:
        """Return the packed bytes of a chunk, their checksum verified and taken off.

        Raises
        ------
        InputError
            When its file cannot be read.
        FormatError
            When it is missing or damaged.
        """
        shard, offset, length = self.span(chunk)
        data = _read_at(shard.descriptor, offset, length)
        if len(data) != length:
            raise self._damage(chunk, f"{len(data)} of {length} bytes at offset {offset}")
        if not self._layout.has_crc32c:
            return np.frombuffer(data, np.uint8)
        if crc32c(data) != _CHECKED:
            raise self._damage(chunk, f"wrong checksum at offset {offset}")
        return np.frombuffer(data, np.uint8, length - CHECKSUM_BYTES)

    def _unpacked(self, chunk: int, out: NDArray[Any] | None) -> Any:
        """Return the bytes of a chunk, in `out` when it is given."""
        data = self.packed(chunk).data
        target = None if out is None else out.reshape(-1).view(np.uint8)
        try:
            return self._layout.unpack(data, self._layout.chunk_bytes, target)
        except (ValueError, RuntimeError) as error:
            raise self._damage(chunk, str(error)) from error

    def open_shard(self, number: int) -> "_Shard":
        """Return a shard file and its index, for the cache of the process."""
        path = self._path.joinpath("c", str(number), *("0" for _ in self.shape[1:]))
        try:
            shard = _Shard(path)
        except FileNotFoundError as error:
            raise _damaged(path, "missing") from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        layout = self._layout
        if layout.index_at is None:
            shard.spans = [(0, shard.size)]
            return shard
        index_bytes = 16 * layout.chunks_per_shard
        begin = 0 if layout.index_at == "start" else shard.size - index_bytes - CHECKSUM_BYTES
        if shard.size < index_bytes + CHECKSUM_BYTES:
            raise _damaged(path, f"{shard.size} bytes cannot hold an index of {layout.chunks_per_shard} chunks")
        shard.spans = _parse_index(path, _read_at(shard.descriptor, begin, index_bytes + CHECKSUM_BYTES))
        return shard

    def _damage(self, chunk: int, reason: str) -> FormatError:
        first = chunk * self._layout.chunk_rows
        stop = min(first + self._layout.chunk_rows, self.shape[0])
        return _damaged(self._path, f"rows {first} to {stop}: {reason}")


class _Shard:
    """An open file, closed with the last reference to it."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self.descriptor).st_size
        self.spans: list[tuple[int, int]] = []
        """Offset and length of each chunk."""

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


@lru_cache(maxsize=_OPEN_SHARDS)
def _open_shard(reader: ShardReader, number: int) -> _Shard:
    # By reader, not by path: a recording that is written again is opened again, and read from its new files.
    return reader.open_shard(number)


def _read_at(descriptor: int, offset: int, length: int) -> bytes:
    """Return up to `length` bytes at `offset`; the system may hand out a long stretch in parts."""
    data = os.pread(descriptor, length, offset)
    while len(data) < length and (more := os.pread(descriptor, length - len(data), offset + len(data))):
        data += more
    return data


def _parse_index(path: Path, data: bytes) -> list[tuple[int, int]]:
    """Return offset and length of every chunk of a shard."""
    if crc32c(data) != _CHECKED:
        raise _damaged(path, "wrong checksum of the index")
    entries = np.frombuffer(data, "<u8", (len(data) - CHECKSUM_BYTES) // 8)
    return [(offset, length) for offset, length in entries.reshape(-1, 2).tolist()]


def allocate_rows(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return memory for rows of the array at `path`; raises InputError when there is not so much."""
    try:
        return np.empty(shape, dtype)
    except MemoryError as error:
        raise InputError(
            f"{path}: {shape[0]} rows take {prod(shape) * dtype.itemsize / 1e9:.1f} GB, more memory than there is",
            hint="run eventdet verify: the metadata may be damaged",
        ) from error


def _fitting(path: Path, out: NDArray[Any] | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return `out` when it can be decoded into, or a new array."""
    if out is None:
        return allocate_rows(path, shape, dtype)
    if out.shape != shape or out.dtype != dtype or not (out.flags.c_contiguous and out.flags.writeable):
        raise OptionError(f"out must be a writable C-ordered {dtype} {shape} array, got {out.dtype} {out.shape}")
    return out


def _damaged(where: Path, reason: str) -> FormatError:
    return FormatError(f"{where}: damaged, {reason}", hint="convert the recording again")


def _faults(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """Return what is raised by bytes that are not what they should be, or by who should bring them."""
    return (ValueError, ArithmeticError, *others, *client_errors())


def _fault(path: Path, error: Exception, reason: str) -> EventdetError:
    """Return that what lies at `path` is damaged; of a service that fails, that it cannot be read."""
    if is_local(path) or isinstance(error, FileNotFoundError) or not isinstance(error, client_errors()):
        return _damaged(path, reason)
    return InputError(f"{path}: cannot be read ({error})", hint="look at the address and the state of the service")


class _ZarrRows:
    """Any other array, read through the Zarr API."""

    def __init__(self, path: Path) -> None:
        import zarr

        self._path = path
        try:
            self._array = zarr.open_array(path if is_local(path) else str(path), mode="r")
        except _faults(TypeError, KeyError) as error:
            raise _fault(path, error, str(error)) from error
        if not isinstance(self._array.metadata.attributes, Mapping):
            raise _damaged(path, "its attributes are no object")

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self._array.dtype)

    @property
    def attributes(self) -> Mapping[str, Any]:
        return dict(self._array.attrs)

    def read(self, start: int, stop: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        if not 0 <= start <= stop <= self.shape[0]:
            raise OptionError(f"rows must lie in 0..{self.shape[0]}, got {start} to {stop}")
        # A wrong checksum is a ValueError (crc32c) or a RuntimeError (zstd, blosc), depending on the codec; a shape
        # that cannot be is a ValueError or, with chunks of nothing, a ZeroDivisionError.
        try:
            rows = _fitting(self._path, out, (stop - start, *self.shape[1:]), self.dtype)
            rows[...] = self._array[start:stop]
        except EventdetError:
            raise
        except _faults(RuntimeError, MemoryError) as error:
            raise _fault(self._path, error, f"rows {start} to {stop} ({error})") from error
        return rows
