"""Turn the records of one encoding into events, chunk after chunk.

Files and live sources share this one path: a file hands over slices of a memory map, a socket or a camera hands over
bytes as they come. The decoder carries its state, so that a cut at any byte gives the same events.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from . import _state
from .policy import ReadPolicy

__all__ = ["Decoder", "Encoding"]

Kernel: TypeAlias = Callable[..., tuple[int, int]]
TriggerKernel: TypeAlias = Callable[..., int]

_FAULTS = {
    _state.BACKWARD: "stamp steps back",
    _state.LEAPT: "stamp leaps ahead of those that follow",
    _state.OUT_OF_RANGE: "event lies outside the {size} sensor",
    _state.BEFORE_TIME: "event comes before the first time word",
    _state.UNKNOWN: "{unknown}",
    _state.BAD_POLARITY: "polarity is neither 0 nor 1",
}

_COUNTS = {
    "backward_clamped": _state.BACKWARD,
    "time_jump_dropped": _state.LEAPT,
    "out_of_range_dropped": _state.OUT_OF_RANGE,
    "before_time_dropped": _state.BEFORE_TIME,
    "unknown_words": _state.UNKNOWN,
    "polarity_repaired": _state.BAD_POLARITY,
    "time_wraps": _state.WRAPS,
    "skipped_words": _state.SKIPPED,
    "trigger_words": _state.TRIGGERS,
}

_COUNTERS = list(_COUNTS.values())

_FEED_EVENTS = 1 << 16
"""Events decoded at once by `Decoder.feed`; 13 bytes each keep the buffer within the second-level cache."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """One binary layout of events: fixed-size records and the kernel that reads them."""

    name: str
    """Name of the format, e.g. ``"evt3"``."""

    record_dtype: np.dtype[np.integer]
    """Little-endian integer that holds one record."""

    events_per_record: int
    """Events that one record can hold at most."""

    load_kernel: Callable[[], Kernel]
    """Import Numba and return the kernel; a function, so that importing a format stays cheap."""

    load_trigger_kernel: Callable[[], TriggerKernel] | None = None
    """The same for the kernel that finds external triggers; None for a format without them."""

    unit: str = "byte"
    """What a fault is located by."""

    unit_bytes: int = 1
    """Bytes of records that a unit is made of."""

    unknown_fault: str = "word of unknown type"
    """What is said of a record that the format does not define."""

    def records(self, data: bytes | bytearray | memoryview, *, offset: int = 0) -> NDArray[np.integer]:
        """Return a view of the whole records of `data` from byte `offset` on; a cut record at the end is left out."""
        count = (len(data) - offset) // self.record_dtype.itemsize
        return np.frombuffer(data, self.record_dtype, count, offset) if count else np.empty(0, self.record_dtype)


class Decoder:
    """A stateful decoder of one stream.

    Parameters
    ----------
    encoding : Encoding
        Layout of the stream.
    sensor_size : SensorSize
        Events outside are dropped and counted.
    policy : str or ReadPolicy
        Whether dirty input is repaired and counted, or raises; and what happens to exact repeats.
    where : str
        Path of the file or name of the source, for messages.
    offset : int
        Byte offset of the first record in `where`, for messages.
    report : ReadReport, optional
        Counts are added to it as records are decoded; a new one by default.
    on_triggers : callable, optional
        Takes the external triggers of the records as they are decoded; without it they are only counted.

    Raises
    ------
    OptionError
        When `policy` or `sensor_size` breaks its rule.
    """

    def __init__(
        self,
        encoding: Encoding,
        sensor_size: SensorSize,
        *,
        policy: str | ReadPolicy = "repair",
        where: str = "stream",
        offset: int = 0,
        report: ReadReport | None = None,
        on_triggers: Callable[[Triggers], None] | None = None,
    ) -> None:
        self.encoding = encoding
        self.sensor_size = check_sensor_size(sensor_size)
        self.policy = ReadPolicy.of(policy)
        self.where = where
        self.report = ReadReport() if report is None else report
        """Counts of everything decoded so far."""
        self._offset = offset
        self._kernel = encoding.load_kernel()
        self._state = np.zeros(_state.NUM_SLOTS, np.int64)
        self._state[_state.HIGH] = -1
        self._rest = b""
        self._last_seen: NDArray[np.int64] | None = None
        self._on_triggers = on_triggers
        self._trigger_kernel = encoding.load_trigger_kernel() if on_triggers and encoding.load_trigger_kernel else None

    def decode_into(self, records: NDArray[np.integer], out: Events) -> tuple[int, int]:
        """Decode records into the columns of `out` until either is used up.

        Parameters
        ----------
        records : ndarray, shape (n,), `Encoding.record_dtype`
            Whole records, e.g. from `Encoding.records`.
        out : Events
            Columns to overwrite from the start; they hold at least `Encoding.events_per_record` events.

        Returns
        -------
        consumed : int
            Records used; call again with the others. 0 when the first one can be judged only by those that follow it.
        written : int
            Events at the start of `out`.

        Raises
        ------
        OptionError
            When `records` is of another dtype or shape, or `out` is too small for the events of one record.
        FormatError
            When the policy is strict and a record needs a repair; the message names its byte offset.
        """
        if records.ndim != 1 or records.dtype != self.encoding.record_dtype:
            raise OptionError(
                f"records must be {self.encoding.record_dtype} of shape (n,), got {records.dtype} {records.shape}"
            )
        if len(out) < self.encoding.events_per_record:
            raise OptionError(f"out must hold at least {self.encoding.events_per_record} events, got {len(out)}")
        self._state[_state.FAULT_RECORD] = -1
        height, width = self.sensor_size
        before = self._state.copy()
        consumed, written = self._kernel(records, width, height, self._state, *out)
        if self.policy.faults == "strict" and self._state[_state.FAULT_RECORD] >= 0:
            raise self._fault()
        self._offset += consumed * self.encoding.record_dtype.itemsize
        if self._state[_state.TRIGGERS]:
            self._hand_over_triggers(records[:consumed], before)
        for name, slot in _COUNTS.items():
            setattr(self.report, name, getattr(self.report, name) + int(self._state[slot]))
        self._state[_COUNTERS] = 0
        if self.policy.duplicates != "ignore":
            written = self._without_duplicates(out[:written])
        self.report.num_events += written
        return consumed, written

    def iter_events(
        self, records: NDArray[np.integer], *, num_events: int, out: Events | None = None, is_last: bool = True
    ) -> Iterator[Events]:
        """Yield the events of `records` in batches of about `num_events`.

        A batch is never empty, has columns of its own, and exceeds `num_events` by less than
        `Encoding.events_per_record`. With `out`, every batch is a view of these columns instead, as many events as
        they hold, valid until the next one. Unless the records are the last ones, those that can be judged only by
        what follows wait for the next call.
        """
        if self._rest:
            records, self._rest = np.concatenate([self.encoding.records(self._rest), records]), b""
        self._state[_state.IS_LAST] = is_last
        capacity = num_events + self.encoding.events_per_record - 1
        start = 0
        while start < len(records):
            most = (len(records) - start) * self.encoding.events_per_record
            columns = Events.empty(min(capacity, most)) if out is None else out
            consumed, written = self.decode_into(records[start:], columns)
            if not consumed:
                self._rest = records[start:].tobytes()
                return
            start += consumed
            if written:
                yield columns[:written]

    @property
    def num_waiting(self) -> int:
        """Bytes taken from the stream that wait for those that follow."""
        return len(self._rest)

    def snapshot(self) -> NDArray[np.int64]:
        """Return a copy of the state, without what concerns the last call alone.

        It holds all that the records decoded so far have left behind, save the pixels that the search for exact
        repeats remembers.
        """
        state = self._state.copy()
        state[[_state.FAULT_RECORD, _state.FAULT_KIND, _state.IS_LAST]] = 0
        if not state[_state.NUM_HELD]:
            state[_state.HELD] = 0
        return state

    def resume(self, state: NDArray[np.int64]) -> None:
        """Go on as the decoder would that gave this `snapshot`, with the record that was to come next."""
        self._state[:] = state

    def advance_to(self, t_us: int) -> None:
        """Take note that no event before `t_us` comes any more: one that does is late, and raised to it.

        For DAT, whose stamps overflow every 71.6 minutes, it also says which overflow the next ones belong to.
        """
        self._state[_state.CLOCK] = max(int(self._state[_state.CLOCK]), t_us)

    def cut(self) -> None:
        """Forget the cut record that `feed` holds, since what comes next does not continue it."""
        self.report.trailing_bytes += len(self._rest)
        self._rest = b""

    def finish(self) -> Events:
        """Take note that the stream has ended: return the events that waited, and count what is left of a cut one.

        Raises
        ------
        FormatError
            When the policy is strict and an event is cut.
        """
        events = self.feed(b"", is_whole=True)
        num_held = int(self._state[_state.NUM_HELD])
        self._state[_state.NUM_HELD] = 0
        if num_held and self.policy.faults == "strict":
            raise FormatError(
                f"{self.where}: last event is cut, at byte {self._offset - num_held}", hint="read it with policy repair"
            )
        self.report.trailing_bytes += num_held
        return events

    def feed(self, data: bytes | bytearray | memoryview, *, is_whole: bool = False) -> Events:
        """Return the events of the next bytes of the stream.

        A cut record waits for the next call; so do, unless the data `is_whole`, the few records from one on whose
        stamp leaps ahead, until those that follow have shown whether it can be true.
        """
        joined, self._rest = self._rest + bytes(data) if self._rest else bytes(data), b""
        records = self.encoding.records(joined)
        events = Events.concatenate(self.iter_events(records, num_events=_FEED_EVENTS, is_last=is_whole))
        self._rest += joined[len(records) * self.encoding.record_dtype.itemsize :]
        return events

    def _without_duplicates(self, events: Events) -> int:
        """Count the exact repeats, move the others to the front if asked, and return how many events stay."""
        from ._duplicate_kernels import count_duplicates, drop_duplicates

        height, width = self.sensor_size
        if self._last_seen is None:
            # Zeros that nobody writes to take no memory: a header that claims a huge sensor costs nothing.
            self._last_seen = np.zeros(2 * height * width, np.int64)
        columns = (events.t, events.x, events.y, events.p)
        if self.policy.duplicates == "count":
            self.report.duplicates_kept += count_duplicates(*columns, width, self._last_seen)
            return len(events)
        kept = drop_duplicates(*columns, width, self._last_seen)
        self.report.duplicates_dropped += len(events) - kept
        return kept

    def _hand_over_triggers(self, records: NDArray[np.integer], before: NDArray[np.int64]) -> None:
        """Pass on the triggers of `records`; `before` is the state that they were decoded from."""
        if self._on_triggers is None or self._trigger_kernel is None:
            return
        triggers = Triggers.empty(int(self._state[_state.TRIGGERS]))
        found = self._trigger_kernel(records, before, triggers.t, triggers.channel, triggers.value)
        if found:
            self._on_triggers(triggers[:found])

    def _fault(self) -> FormatError:
        kind = _FAULTS[int(self._state[_state.FAULT_KIND])].format(
            size=self.sensor_size, unknown=self.encoding.unknown_fault
        )
        byte = self._offset + int(self._state[_state.FAULT_RECORD]) * self.encoding.record_dtype.itemsize
        at = f"{self.encoding.unit} {byte // self.encoding.unit_bytes}"
        return FormatError(f"{self.where}: {kind}, at {at}", hint="read it with policy repair")
