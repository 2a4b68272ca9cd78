"""Rows on their way into an array, packed as they come and written one whole shard at a time.

The Zarr API would take a shard of unpacked rows, 93 MB of histograms, and a millisecond for each chunk of it. So chunks
are packed here, straight into what becomes the file, and the Zarr API writes the metadata. Both write the same bytes,
which a test compares.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from google_crc32c import value as crc32c
from numpy.typing import NDArray

from eventdet.errors import OptionError

from ._packing import CHECKSUM_BYTES, Packing
from ._row_layout import MISSING

if TYPE_CHECKING:
    import zarr

__all__ = ["ShardWriter"]


class ShardWriter:
    """Takes the rows of an array that grows along its first axis, which alone is cut.

    Parameters
    ----------
    array : zarr.Array
        A sharded array without rows, in a folder; nothing else may write to it.
    packing : Packing
        Of its chunks.

    Raises
    ------
    OptionError
        When the array is not sharded, another axis is cut, or it lies elsewhere.
    """

    def __init__(self, array: "zarr.Array[Any]", packing: Packing) -> None:
        from zarr.storage import LocalStore

        shards, store = array.shards, array.store
        if shards is None or array.chunks[1:] != array.shape[1:] or shards[1:] != array.shape[1:]:
            raise OptionError(f"array {array.path} must be sharded along its first axis alone")
        if not isinstance(store, LocalStore):
            raise OptionError(f"array {array.path} must lie in a folder, got {store}")
        self._array = array
        self._folder = Path(store.root, array.path)
        self._pack = packing.packer()
        self._chunk = np.zeros(array.chunks, array.dtype.newbyteorder("<"))
        """Rows that do not fill a chunk."""
        self._waiting = 0
        """How many of them there are."""
        self._chunks_per_shard = shards[0] // array.chunks[0]
        self._packed: list[bytes] = []
        """Chunks that do not fill a shard."""
        self._shards_written = 0
        self.num_rows = 0
        """Rows taken over so far."""

    def append(self, rows: NDArray[Any]) -> None:
        """Take over the next rows, shape (n, ...).

        Raises
        ------
        OptionError
            When a row is not of the shape of the array's.
        """
        if rows.shape[1:] != self._chunk.shape[1:]:
            raise OptionError(f"rows must be of shape {self._chunk.shape[1:]}, got {rows.shape[1:]}")
        self.num_rows += len(rows)
        while len(rows):
            taken = rows[: len(self._chunk) - self._waiting]
            if len(taken) == len(self._chunk):
                self._add_chunk(np.ascontiguousarray(taken, self._chunk.dtype))
            else:
                self._chunk[self._waiting : self._waiting + len(taken)] = taken
                self._waiting += len(taken)
                if self._waiting == len(self._chunk):
                    self._waiting = 0
                    self._add_chunk(self._chunk)
            rows = rows[len(taken) :]

    def put(self, row: NDArray[Any]) -> None:
        """Take over one row; raises as `append`."""
        self.append(row[np.newaxis])

    def finish(self) -> None:
        """Write what is left, and how many rows there are; only once, at the end."""
        if self._waiting:
            # What lies beyond the last row is the fill value.
            self._chunk[self._waiting :] = 0
            self._waiting = 0
            self._add_chunk(self._chunk)
        if self._packed:
            self._write_shard()
        self._array.resize((self.num_rows, *self._array.shape[1:]))

    def _add_chunk(self, chunk: NDArray[Any]) -> None:
        self._packed.append(self._pack(chunk))
        if len(self._packed) == self._chunks_per_shard:
            self._write_shard()

    def _write_shard(self) -> None:
        """Write chunks and, behind them, where each begins and how long it is, with a checksum of its own."""
        lengths = np.array([len(data) for data in self._packed], np.uint64)
        spans = np.full((self._chunks_per_shard, 2), MISSING, "<u8")
        spans[: len(lengths), 0] = np.cumsum(lengths) - lengths
        spans[: len(lengths), 1] = lengths
        index = spans.tobytes()
        path = self._folder.joinpath("c", str(self._shards_written), *("0" for _ in self._chunk.shape[1:]))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines([*self._packed, index, crc32c(index).to_bytes(CHECKSUM_BYTES, "little")])
        self._packed.clear()
        self._shards_written += 1
