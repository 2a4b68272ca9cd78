"""The events of a stored recording: two columns, and the index that says where a millisecond begins."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError
from eventdet.events import Events

from .shard_reader import RowReader, open_rows

__all__ = ["StoredEvents"]

_STAMP_STOP = 1 << 32
"""No stamp is as large, and no number beyond 64 bits comes into a kernel."""


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
        # Not before it is wanted, and not at every window: compiled code takes half a second to import.
        from ._word_kernels import find_span, unpack_words

        self._path, self._base_us = path, base_us
        self._find_span, self._unpack = find_span, unpack_words
        stamps, words = open_rows(path / "events" / "t"), open_rows(path / "events" / "word")
        if len(stamps.shape) != 1 or stamps.shape != words.shape:
            raise self._damaged(f"events/t has shape {stamps.shape}, events/word {words.shape}")
        if {stamps.dtype, words.dtype} != {np.dtype(np.uint32)}:
            raise self._damaged(f"events/t is of {stamps.dtype}, events/word of {words.dtype}, must be uint32")
        self._stamps: RowReader = stamps
        self._words: RowReader = words

    def __len__(self) -> int:
        """Return the number of events."""
        return self._stamps.shape[0]

    def between(self, t0_us: int | None, t1_us: int | None) -> Events:
        """Return the events with ``t0_us <= t < t1_us``; see `StoredRecording.events`."""
        first = 0 if t0_us is None else min(max(0, t0_us - self._base_us), _STAMP_STOP)
        stop = _STAMP_STOP if t1_us is None else min(max(first, t1_us - self._base_us), _STAMP_STOP)
        index = self._milliseconds
        last_entry = len(index) - 1
        read_from = int(index[min(first // 1000, last_entry)])
        read_to = int(index[min(-(-stop // 1000), last_entry)])
        if not 0 <= read_from <= read_to <= len(self):
            raise self._damaged(f"index/ms names events {read_from} to {read_to} of {len(self)}")
        stamps = self._stamps.read(read_from, read_to)
        low, high = self._find_span(stamps, first, stop)
        words = self._words.read(read_from + low, read_from + high)
        return self._unpack(stamps[low:high], words, base_us=self._base_us)

    def chunks(self, num_events: int, *, first: int) -> Iterator[Events]:
        """Yield the events from number `first` on, in batches that are never empty."""
        for start in range(first, len(self), num_events):
            stop = min(start + num_events, len(self))
            yield self._unpack(self._stamps.read(start, stop), self._words.read(start, stop), base_us=self._base_us)

    @cached_property
    def _milliseconds(self) -> NDArray[np.int64]:
        rows = open_rows(self._path / "index" / "ms")
        if not rows.shape[0]:
            raise self._damaged("index/ms is empty")
        return rows.read(0, rows.shape[0])

    def _damaged(self, reason: str) -> FormatError:
        return FormatError(f"{self._path}: damaged, {reason}", hint="convert the recording again")
