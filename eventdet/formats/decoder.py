"""Turn the records of one encoding into events, chunk after chunk.

Files and live sources share this one path: a file hands over slices of a memory map, a socket or a camera hands over
bytes as they come. The decoder carries its state, so that a cut at any byte gives the same events.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size
from eventdet.report import ReadReport

from . import _state

__all__ = ["POLICIES", "Decoder", "Encoding"]

POLICIES = ("repair", "strict", "trust")
"""What happens to input that breaks its format: it is repaired and counted, or it raises.

``trust`` repairs as well, but takes for granted that a file is in order where that saves reading all of it: a window
of a DAT file is then found by bisection alone.
"""

Kernel: TypeAlias = Callable[..., tuple[int, int]]

_FAULTS = {
    _state.BACKWARD: "stamp steps back",
    _state.OUT_OF_RANGE: "event lies outside the {size} sensor",
    _state.BEFORE_TIME: "event comes before the first time word",
    _state.UNKNOWN: "word of unknown type",
}

_COUNTS = {
    "backward_clamped": _state.BACKWARD,
    "out_of_range_dropped": _state.OUT_OF_RANGE,
    "before_time_dropped": _state.BEFORE_TIME,
    "unknown_words": _state.UNKNOWN,
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
    policy : {"repair", "strict", "trust"}
        Whether dirty input is repaired and counted, or raises.
    where : str
        Path of the file or name of the source, for messages.
    offset : int
        Byte offset of the first record in `where`, for messages.
    report : ReadReport, optional
        Counts are added to it as records are decoded; a new one by default.

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
        policy: str = "repair",
        where: str = "stream",
        offset: int = 0,
        report: ReadReport | None = None,
    ) -> None:
        self.encoding = encoding
        self.sensor_size = check_sensor_size(sensor_size)
        self.policy = check_option("policy", policy, POLICIES)
        self.where = where
        self.report = ReadReport() if report is None else report
        """Counts of everything decoded so far."""
        self._offset = offset
        self._kernel = encoding.load_kernel()
        self._state = np.zeros(_state.NUM_SLOTS, np.int64)
        self._state[_state.HIGH] = -1
        self._rest = b""

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
            Records used; call again with the others.
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
        consumed, written = self._kernel(records, width, height, self._state, out.t, out.x, out.y, out.p)
        if self.policy == "strict" and self._state[_state.FAULT_RECORD] >= 0:
            raise self._fault()
        self._offset += consumed * self.encoding.record_dtype.itemsize
        self.report.num_events += written
        for name, slot in _COUNTS.items():
            setattr(self.report, name, getattr(self.report, name) + int(self._state[slot]))
        self._state[_COUNTERS] = 0
        return consumed, written

    def iter_events(
        self, records: NDArray[np.integer], *, num_events: int, out: Events | None = None
    ) -> Iterator[Events]:
        """Yield the events of `records` in batches of about `num_events`, each in columns of its own.

        A batch is never empty, and exceeds `num_events` by less than `Encoding.events_per_record`. With `out`, every
        batch is a view of these columns instead, as many events as they hold, valid until the next one.
        """
        capacity = num_events + self.encoding.events_per_record - 1
        start = 0
        while start < len(records):
            most = (len(records) - start) * self.encoding.events_per_record
            columns = Events.empty(min(capacity, most)) if out is None else out
            consumed, written = self.decode_into(records[start:], columns)
            start += consumed
            if written:
                yield columns[:written]

    def feed(self, data: bytes | bytearray | memoryview) -> Events:
        """Return the events of the next bytes of the stream; a cut record waits for the next call."""
        joined = self._rest + bytes(data) if self._rest else bytes(data)
        records = self.encoding.records(joined)
        self._rest = joined[len(records) * self.encoding.record_dtype.itemsize :]
        return Events.concatenate(self.iter_events(records, num_events=_FEED_EVENTS))

    def _fault(self) -> FormatError:
        kind = _FAULTS[int(self._state[_state.FAULT_KIND])].format(size=self.sensor_size)
        byte = self._offset + int(self._state[_state.FAULT_RECORD]) * self.encoding.record_dtype.itemsize
        return FormatError(f"{self.where}: {kind}, at byte {byte}", hint="read it with policy repair")
