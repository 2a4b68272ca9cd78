"""Layout of a stored recording: names, chunking and codecs, the same for writer and reader.

One Zarr v3 group a recording::

    zarr.json                  attributes: what it is, where it came from, `complete`
    events/t                   uint32 (n,), microseconds after the attribute t_base_us
    events/word                uint32 (n,), x in bits 0-13, y in 14-27, polarity in 28, as in a DAT record
    index/ms                   int64 (m + 1,), first event at or after t_base_us + k ms
    labels/t x y w h class_id score track_id   one column each, (l,)
    index/label_t              int64, the distinct label stamps
    index/label_window         int64, the window that belongs to each of them: the newest that has ended, -1 for none
    index/window_start         int64 (windows,), where windows have no common stride: they end at labels, or by count
    index/window_end           int64 (windows,), where they have no common length: they end by count
    triggers/t channel value   int64, uint8, uint8: external triggers in the order of the source, where it had any
    frames/<representation>    (windows, ...), one window a chunk

`_packing` says how chunks are packed. Those that hold only zeros are written too: in a complete store a missing chunk
is then always damage.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventdet.events import Events

from ._packing import STAMPS, TENSORS, WORDS
from .shard_writer import ShardWriter

if TYPE_CHECKING:
    import zarr
    from zarr.core.array_spec import ArrayConfigParams

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "LABEL_DTYPES",
    "SHARD_EVENTS",
    "TRIGGER_DTYPES",
    "HiddenNames",
    "create_column",
    "create_event_column",
    "create_frames",
    "hidden_names",
    "pack_words",
    "target_of_hidden",
]

FORMAT = "eventdet-recording"
FORMAT_VERSION = 1

SHARD_EVENTS = 1 << 20
_CHUNK_EVENTS = 1 << 13
"""Half of it costs long windows as much as twice of it costs short ones: windows of 50, 100 and 250 ms of Gen1, read in
a row, take 36, 53 and 107 us from chunks of 4096, 33, 46 and 87 us of 8192, 37, 49 and 85 us of 16384."""

_SHARD_WINDOWS = 64
_LARGEST_SHARD_BYTES = 64 << 20
"""Unpacked; a tensor of a large sensor gets fewer windows a shard, since others may write and read whole shards."""

LABEL_DTYPES: dict[str, np.dtype[Any]] = {
    "t": np.dtype("i8"),
    # Left, top, width, height: float64, so that right and bottom edges come back exactly.
    "x": np.dtype("f8"),
    "y": np.dtype("f8"),
    "w": np.dtype("f8"),
    "h": np.dtype("f8"),
    "class_id": np.dtype("i8"),
    "score": np.dtype("f4"),
    "track_id": np.dtype("i8"),
}

TRIGGER_DTYPES: dict[str, np.dtype[Any]] = {"t": np.dtype("i8"), "channel": np.dtype("u1"), "value": np.dtype("u1")}

_EVENT_PACKINGS = {"events/t": STAMPS, "events/word": WORDS}

_WRITE_ALL: "ArrayConfigParams" = {"write_empty_chunks": True}


_HIDDEN_PREFIXES = (".tmp-", ".old-", ".lock-")


class HiddenNames(NamedTuple):
    """What stands beside a recording while it is written."""

    temporary: Path
    """Where it is built."""

    replaced: Path
    """Where the one that it replaces waits to be removed."""

    lock: Path
    """The lock file of who writes it."""


def hidden_names(target: Path) -> HiddenNames:
    """Return what stands beside `target` while it is written."""
    return HiddenNames(*(target.with_name(f"{prefix}{target.name}") for prefix in _HIDDEN_PREFIXES))


def target_of_hidden(path: Path) -> Path | None:
    """Return the recording that a hidden file or folder belongs to, None when it is none of `hidden_names`.

    Examples
    --------
    >>> target_of_hidden(Path("out.zarr/.tmp-a_td.zarr")).as_posix()
    'out.zarr/a_td.zarr'
    """
    for prefix in _HIDDEN_PREFIXES:
        if path.name.startswith(prefix) and path.suffix == ".zarr":
            return path.with_name(path.name.removeprefix(prefix))
    return None


def pack_words(events: Events) -> NDArray[np.uint32]:
    """Return coordinates and polarities as DAT words, shape (n,)."""
    words = events.x.astype(np.uint32)
    words |= events.y.astype(np.uint32) << np.uint32(14)
    words |= events.p.astype(np.uint32) << np.uint32(28)
    return words


def create_event_column(group: "zarr.Group", name: str) -> ShardWriter:
    """Return the writer of a new uint32 column in shards of 2**20 events, ``events/t`` or ``events/word``."""
    packing = _EVENT_PACKINGS[name]
    column = group.create_array(
        name,
        shape=(0,),
        dtype=np.dtype("u4"),
        chunks=(_CHUNK_EVENTS,),
        shards=(SHARD_EVENTS,),
        compressors=packing.codecs(),
        fill_value=0,
        dimension_names=["event"],
        config=_WRITE_ALL,
    )
    return ShardWriter(column, packing)


def create_frames(
    group: "zarr.Group",
    name: str,
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    axes: tuple[str, ...],
    attributes: dict[str, Any],
) -> ShardWriter:
    """Return the writer of a new array of windows; `shape` and `axes` are those of one window."""
    window_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    windows_per_shard = max(1, min(_SHARD_WINDOWS, _LARGEST_SHARD_BYTES // window_bytes))
    frames = group.create_array(
        name,
        shape=(0, *shape),
        dtype=np.dtype(dtype),
        chunks=(1, *shape),
        shards=(windows_per_shard, *shape),
        compressors=TENSORS.codecs(),
        fill_value=0,
        dimension_names=["window", *axes],
        attributes=attributes,
        config=_WRITE_ALL,
    )
    return ShardWriter(frames, TENSORS)


def create_column(group: "zarr.Group", name: str, values: NDArray[np.generic]) -> None:
    """Write a new column that holds `values` in one chunk."""
    column = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=(max(1, len(values)),),
        compressors=TENSORS.codecs(),
        fill_value=0,
        config=_WRITE_ALL,
    )
    column[:] = values
