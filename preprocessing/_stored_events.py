"""The events of a stored recording: two columns, and the index that says where a millisecond begins."""

from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError
from eventdet.events import EVENT_DTYPE, Events

from .shard_reader import RowReader, ShardReader, allocate_rows, open_rows

__all__ = ["StoredEvents"]

_STAMP_STOP = 1 << 32
"""No stamp is as large, and no number beyond 64 bits comes into a kernel."""

_COLUMNS = tuple(EVENT_DTYPE[name] for name in "txyp")


@cache
def _kernels() -> Any:
    """Return the module of compiled code, which takes half a second to import, and a microsecond to name again."""
    return import_module("eventdet.preprocessing._word_kernels")


class StoredEvents:
    """Reads windows and batches of events.

    Parameters
    ----------
    path : Path
        Folder of a recording that has events.
    base_us : int
        What comes on top of its stamps.

    Raises
    ------
    FormatError
        When the columns do not belong together.
    """

    def __init__(self, path: Path, base_us: int) -> None:
        self._path, self._base_us = path, base_us
        stamps, words = open_rows(path / "events" / "t"), open_rows(path / "events" / "word")
        if len(stamps.shape) != 1 or stamps.shape != words.shape:
            raise self._damaged(f"events/t has shape {stamps.shape}, events/word {words.shape}")
        if {stamps.dtype, words.dtype} != {np.dtype(np.uint32)}:
            raise self._damaged(f"events/t is of {stamps.dtype}, events/word of {words.dtype}, must be uint32")
        self._stamps: RowReader = stamps
        self._words: RowReader = words
        self._chunks = _Chunks.of(stamps, words)

    @property
    def num_events(self) -> int:
        """Events that the metadata claim, which may be more than ``len`` can return."""
        return self._stamps.shape[0]

    def between(self, t0_us: int | None, t1_us: int | None) -> Events:
        """Return the events with ``t0_us <= t < t1_us``; see `StoredRecording.events`."""
        first = 0 if t0_us is None else min(max(0, t0_us - self._base_us), _STAMP_STOP)
        stop = _STAMP_STOP if t1_us is None else min(max(first, t1_us - self._base_us), _STAMP_STOP)
        index = self._milliseconds
        last_entry = len(index) - 1
        read_from = int(index[min(first // 1000, last_entry)])
        read_to = int(index[min(-(-stop // 1000), last_entry)])
        if not 0 <= read_from <= read_to <= self.num_events:
            raise self._damaged(f"index/ms names events {read_from} to {read_to} of {self.num_events}")
        t, x, y, p = self._read(read_from, read_to)
        low, high = _kernels().find_span(t, first + self._base_us, stop + self._base_us)
        return Events(t[low:high], x[low:high], y[low:high], p[low:high])

    def batches(self, num_events: int, *, first: int) -> Iterator[Events]:
        """Return the events from number `first` on, in batches that are never empty; see `StoredRecording.chunks`."""
        if num_events < 1 or first < 0:
            raise OptionError(f"num_events must be >= 1 and first >= 0, got {num_events} and {first}")
        starts = range(first, self.num_events, num_events)
        return (Events(*self._read(start, min(start + num_events, self.num_events))) for start in starts)

    def _read(self, start: int, stop: int) -> Iterable[NDArray[Any]]:
        """Return the columns of the events number `start` to `stop`."""
        chunks = self._chunks
        if chunks is None or start == stop:
            return self._read_apart(start, stop)
        per_chunk = chunks.num_events
        numbers = range(start // per_chunk, -(-stop // per_chunk))
        # Before memory is taken for them: that many rows are there.
        chunks.stamps.span(numbers[-1])
        columns = [allocate_rows(self._path, (stop - start,), dtype) for dtype in _COLUMNS]
        unpack_chunk = _kernels().unpack_chunk
        for number in numbers:
            first = number * per_chunk
            part = max(start - first, 0), min(stop - first, per_chunk)
            packed = chunks.packed(number)
            if not unpack_chunk(*packed, per_chunk, part, self._base_us, *columns, first + part[0] - start):
                return self._read_apart(start, stop)
        return columns

    def _read_apart(self, start: int, stop: int) -> Events:
        """Do the same for columns of any layout, one after the other."""
        stamps, words = self._stamps.read(start, stop), self._words.read(start, stop)
        events: Events = _kernels().unpack_words(stamps, words, base_us=self._base_us)
        return events

    @cached_property
    def _milliseconds(self) -> NDArray[np.int64]:
        rows = open_rows(self._path / "index" / "ms")
        if len(rows.shape) != 1 or not rows.shape[0] or rows.dtype.kind not in "iu":
            raise self._damaged(f"index/ms is of {rows.dtype} {rows.shape}, must be integers in a row")
        return rows.read(0, rows.shape[0])

    def _damaged(self, reason: str) -> FormatError:
        return FormatError(f"{self._path}: damaged, {reason}", hint="convert the recording again")


class _Chunks:
    """The chunks of both columns, where one of either holds the same events, and a part of it can be unpacked."""

    def __init__(self, stamps: ShardReader, words: ShardReader) -> None:
        self.stamps, self.words = stamps, words
        self.num_events = stamps.layout.chunk_rows
        nothing = np.empty(0, np.uint8)
        self._kept: tuple[int | None, NDArray[np.uint8], NDArray[np.uint8]] = None, nothing, nothing
        """The last chunk: the next window often begins where one ended."""

    def __reduce__(self) -> tuple[type["_Chunks"], tuple[ShardReader, ShardReader]]:
        """Leave behind what is kept."""
        return _Chunks, (self.stamps, self.words)

    @classmethod
    def of(cls, stamps: RowReader, words: RowReader) -> "_Chunks | None":
        """Return those of two columns; None when they are of another layout."""
        if not (isinstance(stamps, ShardReader) and isinstance(words, ShardReader)):
            return None
        layouts = stamps.layout, words.layout
        is_alike = layouts[0].chunk_rows == layouts[1].chunk_rows and all(it.is_lz4_words for it in layouts)
        return cls(stamps, words) if is_alike else None

    def packed(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the packed bytes of stamps and words; raises as :meth:`ShardReader.packed`."""
        kept, stamps, words = self._kept
        if kept != number:
            stamps, words = self.stamps.packed(number), self.words.packed(number)
            self._kept = number, stamps, words
        return stamps, words
