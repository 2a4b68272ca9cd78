"""A recording in a DAT file: windows are found by bisection, without reading what lies before them."""

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._payload import Payload
from ._seek import NOTHING, ROW_INTEGERS, Checkpoint, Extent, SeekIndex, build_index
from ._seek_cache import cached_index
from ._state import NUM_SLOTS
from .recording import BATCH_EVENTS, Recording

__all__ = ["DatRecording"]

_SCAN_BYTES = 1 << 25
_TOUCHED_BYTES = 1 << 25
"""Bytes of a file that windows may leave in memory; without a limit it would be all of it in the end."""

_SEARCH_BYTES = 1 << 21
"""What one bisection touches: 30 records, each with the 64 kB that the system maps around it."""

_STAMP_BITS = 0xFFFFFFFF


class DatRecording(Recording):
    """A DAT file: records of fixed size in time order, so that any window is found by bisection.

    The bisection needs a file without disorder. That is checked by a scan at the speed of memory, when the first slice
    or window start is asked for, and kept like an index (`is_clean`); a file that is not clean is indexed.
    """

    _touched_bytes = 0
    """Bytes of the file that searches and windows have brought into memory since it was last given back."""

    @property
    def is_clean(self) -> bool:
        """Whether no record steps back in time, wraps, or lies outside the sensor; True unseen under ``trust``.

        Raises
        ------
        FormatError
            When the policy is strict and the file is not clean.
        """
        return self._payload.rules.faults == "trust" or not len(self._index.rows)

    def words(self, t0_us: int, t1_us: int) -> NDArray[np.uint32]:
        """Return the raw records with ``t0_us <= t < t1_us``, for kernels that read them in place.

        Only for a clean file (`is_clean`) whose repeats are not dropped: elsewhere the records are not the events.

        Returns
        -------
        ndarray, shape (n, 2), uint32
            A read-only view of the mapped file, maybe not aligned: the stamp in microseconds, and x in bits 0-13, y
            in bits 14-27, polarity in bit 28.

        Raises
        ------
        OptionError
            When the file is not clean, or the policy drops duplicates.
        """
        if not self._holds_its_events:
            raise OptionError(
                f"{self.path}: words need a file in time order, on the sensor, without a wrap and with its duplicates",
                hint="use slice",
            )
        start, stop = self._places(t0_us, t1_us)
        return self._records[start:stop].view(np.uint32).reshape(-1, 2)

    def slice(self, t0_us: int, t1_us: int) -> Events:
        """Return the events with ``t0_us <= t < t1_us``; of a clean file, nothing else is read."""
        if not self.is_clean:
            return super().slice(t0_us, t1_us)
        return self._payload.read_records(self.report, *self._places(t0_us, t1_us))

    def _events_from(
        self, start_us: int | None, on_triggers: Callable[[Triggers], None] | None = None
    ) -> Iterator[Events]:
        if start_us is None or not self.is_clean:
            return super()._events_from(start_us, on_triggers)
        place = self._payload.data_offset + 8 * self._places(start_us)[0]
        return self._payload.iter_events(
            self.report, num_events=BATCH_EVENTS, begin=Checkpoint(place, np.zeros(NUM_SLOTS, np.int64))
        )

    @cached_property
    def _index(self) -> SeekIndex:
        return cached_index(self._payload, build=_index_unless_clean)

    @property
    def _holds_its_events(self) -> bool:
        """Whether the records are the events that a full read delivers, one for one."""
        return self._payload.rules.duplicates != "drop" and self.is_clean

    @property
    def _records(self) -> NDArray[np.int64]:
        return self._payload.records.view(np.int64)

    def _places(self, *times_us: int) -> list[int]:
        """Return the number of the first record stamped with each time or later."""
        from ._dat_kernels import bisect_dat

        if self._touched_bytes > _TOUCHED_BYTES:
            self._payload.release()
            self._touched_bytes = 0
        # Stamps are 32 bits wide: the cut keeps any integer within what the kernel takes.
        places = [int(bisect_dat(self._records, min(max(t_us, 0), 1 << 32))) for t_us in times_us]
        self._touched_bytes += _SEARCH_BYTES * len(places) + 8 * (places[-1] - places[0])
        return places

    @cached_property
    def _extent(self) -> Extent:
        return _dat_extent(self._records) if self._holds_its_events else super()._extent


def _index_unless_clean(payload: Payload) -> SeekIndex:
    """Return the index of a DAT file, without checkpoints when bisection can search it."""
    if not _is_clean_dat(payload):
        return build_index(payload)
    extent = build_index(payload).extent if payload.rules.duplicates == "drop" else _dat_extent(payload.records)
    return SeekIndex(np.empty((0, ROW_INTEGERS), np.int64), extent)


def _is_clean_dat(payload: Payload) -> bool:
    from ._dat_kernels import scan_dat

    height, width = payload.sensor_size
    last = 0
    for _, piece in payload.pieces(payload.data_offset, ReadReport(), num_bytes=_SCAN_BYTES):
        records = piece.view(np.int64)
        if int(records[0]) & _STAMP_BITS < last or not scan_dat(records, width, height):
            return False
        last = int(records[-1]) & _STAMP_BITS
    return True


def _dat_extent(records: NDArray[np.integer]) -> Extent:
    """Return the extent of records that are events one for one."""
    return (
        Extent(len(records), *(int(record) & _STAMP_BITS for record in records[[0, -1]])) if len(records) else NOTHING
    )
