"""The records of one file behind its header: mapped into memory, decoded on demand."""

import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._seek import Checkpoint, SeekIndex
from .decoder import Decoder, Encoding
from .policy import ReadPolicy

__all__ = ["Payload"]

_TRIGGER_PASS_EVENTS = 1 << 16
_SPAN_BYTES = 1 << 25
"""Bytes of a file that are in memory while it is read from one end to the other."""

_STEP_BYTES = 1 << 17
"""Bytes from one checkpoint to the next: decoded in a fraction of a millisecond, a thousand times what one takes."""

_AROUND_BYTES = 1 << 21
"""The most that Linux maps around a page: a huge one."""


@dataclass(frozen=True)
class Payload:
    """Where the records of a file lie and how to read them."""

    path: Path
    """The file."""

    encoding: Encoding
    """Layout of the records."""

    data_offset: int
    """Byte offset of the first record."""

    sensor_size: SensorSize
    """Events outside are dropped and counted."""

    policy: str | ReadPolicy
    """What happens to dirty input."""

    fields: Mapping[str, str]
    """Header lines, value by lower-case key."""

    has_header: bool = True
    """Whether the header of the format was there; without it the layout was taken for granted."""

    def __post_init__(self) -> None:
        """Check the policy and, under strict, the header and the length of the file.

        Raises
        ------
        OptionError
            When the policy is unknown.
        FormatError
            When the policy is strict and there is no header, or the last record is cut.
        """
        if self.rules.faults != "strict":
            return
        if not self.has_header:
            raise FormatError(f"{self.path}: no header, at byte 0", hint="read it with policy repair")
        if self.trailing_bytes:
            raise FormatError(
                f"{self.path}: {self.trailing_bytes} bytes after the last whole record, "
                f"at byte {self.path.stat().st_size - self.trailing_bytes}",
                hint="read it with policy repair",
            )

    @property
    def reader(self) -> str:
        """Who decodes the events."""
        return "eventdet"

    @property
    def rules(self) -> ReadPolicy:
        """The policy as an object."""
        return ReadPolicy.of(self.policy)

    def new_report(self) -> ReadReport:
        """Return counts of what is known before the first record is read."""
        return ReadReport(trailing_bytes=self.trailing_bytes, missing_header=int(not self.has_header))

    @property
    def trailing_bytes(self) -> int:
        """Bytes after the last whole record."""
        return (self.path.stat().st_size - self.data_offset) % self.encoding.record_dtype.itemsize

    @cached_property
    def records(self) -> NDArray[np.integer]:
        """The records as a read-only view of the mapped file, maybe not aligned to their size."""
        return self.encoding.records(memoryview(self._mapped), offset=self.data_offset)

    @cached_property
    def _mapped(self) -> mmap.mmap:
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def is_indexable(self) -> bool:
        """Whether the file alone decides on the events, so that where they lie may be remembered from run to run."""
        return True

    def claimed_index(self) -> SeekIndex | None:
        """Return the index that the file itself carries, for a policy that trusts it; None without one."""
        return None

    def pieces(self, position: int, report: ReadReport, *, num_bytes: int) -> Iterator[tuple[int, NDArray[np.integer]]]:
        """Yield the records from `position` on, in parts that decoding can begin with, each with where it lies.

        Memory behind a part is given back: pages of a mapped file count as memory of the process until the system
        wants them back, so that a file that is read once would seem to take as much memory as it has bytes.

        Parameters
        ----------
        position : int
            That of a part, `data_offset` for the first.
        report : ReadReport
            Takes what is lost outside of records.
        num_bytes : int
            Size of a part, where it is not for the file to say.
        """
        itemsize = self.encoding.record_dtype.itemsize
        step = max(1, num_bytes // itemsize)
        for start in range((position - self.data_offset) // itemsize, len(self.records), step):
            begin = self.data_offset + start * itemsize
            stop = min(begin + step * itemsize, len(self._mapped))
            try:
                yield begin, self.records[start : start + step]
            finally:
                self._give_back(begin, stop)

    def iter_events(
        self,
        report: ReadReport,
        *,
        num_events: int,
        begin: Checkpoint | None = None,
        out: Events | None = None,
        on_triggers: Callable[[Triggers], None] | None = None,
        on_checkpoint: Callable[[Checkpoint], None] | None = None,
    ) -> Iterator[Events]:
        """Yield the events in order, in batches of about `num_events`; counts are added to `report`.

        Parameters
        ----------
        report : ReadReport
            To add to.
        num_events : int
            Events in a batch.
        begin : Checkpoint, optional
            Where to begin instead of at the first record.
        out : Events, optional
            Columns to decode into, instead of new ones for every batch.
        on_triggers : callable, optional
            Takes the external triggers.
        on_checkpoint : callable, optional
            Takes the places in which decoding can begin, some hundred kB apart.

        Raises
        ------
        FormatError
            When the policy is strict and a record needs a repair, or the last event is cut.
        """
        position = self.data_offset if begin is None else begin.position
        decoder = self._decoder(report, offset=position, on_triggers=on_triggers)
        if begin is not None:
            decoder.resume(begin.state)
        wanted = max(_SPAN_BYTES, num_events * self.encoding.record_dtype.itemsize)
        for place, records in self.pieces(position, report, num_bytes=_STEP_BYTES if on_checkpoint else wanted):
            if on_checkpoint is not None:
                # Records that wait for those of this part have not been decoded yet.
                on_checkpoint(Checkpoint(place - decoder.num_waiting, decoder.snapshot()))
            yield from decoder.iter_events(records, num_events=num_events, out=out, is_last=False)
        yield from decoder.iter_events(
            np.empty(0, self.encoding.record_dtype), num_events=num_events, out=out, is_last=True
        )
        decoder.finish()

    def read(self) -> tuple[Events, ReadReport]:
        """Return all events and the counts of what was read, dropped and clamped."""
        report = self.new_report()
        return self.read_into(report), report

    def read_into(self, report: ReadReport) -> Events:
        """Return all events; counts are added to `report`."""
        num_records = (self.path.stat().st_size - self.data_offset) // self.encoding.record_dtype.itemsize
        batches = list(self.iter_events(report, num_events=max(1, num_records)))
        return batches[0] if len(batches) == 1 else Events.concatenate(batches)

    def read_records(self, report: ReadReport, start: int, stop: int) -> Events:
        """Return the events of records ``start:stop``, which need nothing that lies before; counts go to `report`."""
        decoder = self._decoder(report, offset=self.data_offset + start * self.encoding.record_dtype.itemsize)
        records = self.records[start:stop]
        return Events.concatenate(decoder.iter_events(records, num_events=max(1, len(records))))

    def read_triggers(self) -> Triggers:
        """Return all external triggers; the events are decoded on the way, into the same columns again and again."""
        found: list[Triggers] = []
        if self.encoding.load_trigger_kernel is None:
            return Triggers.empty()
        columns = Events.empty(_TRIGGER_PASS_EVENTS)
        for _ in self.iter_events(ReadReport(), num_events=len(columns), out=columns, on_triggers=found.append):
            pass
        return Triggers.concatenate(found)

    def release(self) -> None:
        """Give back the memory of all that was read of the file; what is used again is mapped again."""
        self._give_back(0, len(self._mapped))

    def _give_back(self, begin: int, stop: int) -> None:
        """Give back the memory of bytes ``begin:stop``; what is used again is mapped again."""
        # To touch a page brings in those around it, also behind the reader, where nobody would give them back.
        page = max(0, begin - _AROUND_BYTES) // mmap.PAGESIZE * mmap.PAGESIZE
        self._mapped.madvise(mmap.MADV_DONTNEED, page, stop - page)

    def _decoder(
        self, report: ReadReport, *, offset: int, on_triggers: Callable[[Triggers], None] | None = None
    ) -> Decoder:
        return Decoder(
            self.encoding,
            self.sensor_size,
            policy=self.policy,
            where=str(self.path),
            offset=offset,
            report=report,
            on_triggers=on_triggers,
        )
