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

from .decoder import Decoder, Encoding
from .policy import ReadPolicy

__all__ = ["Payload"]

_TRIGGER_PASS_EVENTS = 1 << 16
_SPAN_BYTES = 1 << 25
"""Bytes of a file that are in memory while it is read from one end to the other."""


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

    def spans(self, start: int = 0, stop: int | None = None, *, num_records: int = 0) -> Iterator[NDArray[np.integer]]:
        """Yield records ``start:stop`` in parts of at least `num_records`, and give back the memory behind each.

        Pages of a mapped file count as memory of the process until the system wants them back, so that a file that is
        read once would seem to take as much memory as it has bytes.
        """
        itemsize = self.encoding.record_dtype.itemsize
        step = max(_SPAN_BYTES // itemsize, num_records)
        limit = len(self.records) if stop is None else min(stop, len(self.records))
        for begin in range(start, limit, step):
            yield self.records[begin : min(begin + step, limit)]
            page = (self.data_offset + begin * itemsize) // mmap.PAGESIZE * mmap.PAGESIZE
            self._mapped.madvise(mmap.MADV_DONTNEED, page, min(step * itemsize, len(self._mapped) - page))

    def iter_events(
        self,
        report: ReadReport,
        *,
        num_events: int,
        start: int = 0,
        stop: int | None = None,
        out: Events | None = None,
        on_triggers: Callable[[Triggers], None] | None = None,
    ) -> Iterator[Events]:
        """Yield the events of records ``start:stop`` in batches of about `num_events`; counts are added to `report`.

        Raises
        ------
        FormatError
            When the policy is strict and a record needs a repair, or the last event is cut.
        """
        decoder = Decoder(
            self.encoding,
            self.sensor_size,
            policy=self.policy,
            where=str(self.path),
            offset=self.data_offset + start * self.encoding.record_dtype.itemsize,
            report=report,
            on_triggers=on_triggers,
        )
        for records in self.spans(start, stop, num_records=num_events):
            yield from decoder.iter_events(records, num_events=num_events, out=out, is_last=False)
        yield from decoder.iter_events(self.records[:0], num_events=num_events, out=out)
        if stop is None:
            decoder.finish()

    def read(self) -> tuple[Events, ReadReport]:
        """Return all events and the counts of what was read, dropped and clamped."""
        report = self.new_report()
        return self.read_into(report), report

    def read_into(self, report: ReadReport, *, start: int = 0, stop: int | None = None) -> Events:
        """Return the events of records ``start:stop``; counts are added to `report`."""
        count = max(1, len(self.records[start:stop]))
        batches = list(self.iter_events(report, num_events=count, start=start, stop=stop))
        return batches[0] if len(batches) == 1 else Events.concatenate(batches)

    def read_triggers(self) -> Triggers:
        """Return all external triggers; the events are decoded on the way, into the same columns again and again."""
        found: list[Triggers] = []
        if self.encoding.load_trigger_kernel is None:
            return Triggers.empty()
        columns = Events.empty(_TRIGGER_PASS_EVENTS)
        for _ in self.iter_events(ReadReport(), num_events=len(columns), out=columns, on_triggers=found.append):
            pass
        return Triggers.concatenate(found)
