"""The event messages of ROS as bytes. ROS 1 packs the fields of a message, ROS 2 aligns them to their size (CDR).

Arrays of events (`dvs_msgs`, `prophesee_event_msgs`) are read in place, without an object an event. Packets
(`event_camera_msgs`, before 2023 `event_array_msgs`) hold what their `encoding` says: ``evt3`` the words of the
camera, on its clock, ``mono`` 64 bits an event with its nanoseconds since `time_base`.
"""

import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.geometry import SensorSize

from ._columns import Columns, pack_columns

__all__ = ["EVENT_TYPES", "BrokenMessageError", "EventMessage", "RawMessage", "parse_event_message"]

EVENT_TYPES = {
    "dvs_msgs/msg/EventArray": "events",
    "prophesee_event_msgs/msg/EventArray": "events",
    "event_camera_msgs/msg/EventPacket": "packet",
    "event_array_msgs/msg/EventArray": "packet",
}
"""Layout of every message type that is read."""

_LITTLE_ENDIAN_CDR = b"\x00\x01"
_CDR_PREFIX_BYTES = 4
_MOST_PADDING = 3
"""Bytes that may follow a message of ROS 2, which is sent in units of four."""

_ROS1_EVENTS = np.dtype([("x", "<u2"), ("y", "<u2"), ("sec", "<u4"), ("nsec", "<u4"), ("p", "u1")])

_CDR_STRIDE = 16
"""Bytes from one event of ROS 2 to the next."""

_CDR_GAP = 3
"""Bytes of them that alignment leaves unused, and that a message does not end with."""


class BrokenMessageError(ValueError):
    """A message is shorter or longer than its counts say, or of another layout."""


class RawMessage(NamedTuple):
    """One message as it lies in a bag."""

    data: bytes
    """All of it; from ROS 2 with the four bytes that name its encapsulation."""

    layout: str
    """``"events"`` or ``"packet"``, one of `EVENT_TYPES`."""

    is_cdr: bool
    """Whether ROS 2 wrote it."""


class EventMessage(NamedTuple):
    """What one message holds."""

    sensor_size: SensorSize | None
    """As the message says it, unchecked; None when it leaves it at zero."""

    encoding: str
    """``"events"``, or what a packet names: ``"evt3"``, ``"mono"``, or another that is not read."""

    number: int | None
    """Number of a packet in its stream; None for an array of events."""

    records: NDArray[np.integer]
    """EVT3 words, or numbers as `pack_columns` gives them; none for an encoding that is not read."""


def parse_event_message(raw: RawMessage) -> EventMessage:
    """Return what a message holds.

    Raises
    ------
    BrokenMessageError
        When the bytes are not such a message.
    """
    fields = _Fields(raw.data, is_cdr=raw.is_cdr)
    if not raw.is_cdr:
        fields.number("<I")  # count of the header, which ROS 2 has dropped
    fields.number("<I")  # seconds and nanoseconds of the header: events have their own
    fields.number("<I")
    fields.text()
    height, width = fields.number("<I"), fields.number("<I")
    size = SensorSize(height, width) if height or width else None
    if raw.layout == "events":
        return EventMessage(size, raw.layout, None, _events(fields))
    number, time_base_ns, encoding = fields.number("<Q"), fields.number("<Q"), fields.text()
    order = ">" if fields.number("<B") else "<"
    content = fields.last(fields.number("<I"))
    if encoding == "evt3":
        return EventMessage(size, encoding, number, _words(content, f"{order}u2").astype("<u2", copy=False))
    if encoding == "mono":
        return EventMessage(size, encoding, number, _mono(_words(content, f"{order}u8"), time_base_ns))
    return EventMessage(size, encoding, number, np.empty(0, np.int64))


class _Fields:
    """The fields of a message, read one after the other."""

    def __init__(self, data: bytes, *, is_cdr: bool) -> None:
        if is_cdr and data[:2] != _LITTLE_ENDIAN_CDR:
            raise BrokenMessageError(f"it must be little-endian CDR, got {data[:2]!r}")
        self.is_cdr = is_cdr
        self._data = data
        self._position = _CDR_PREFIX_BYTES if is_cdr else 0

    def number(self, layout: str) -> int:
        """Return an integer, read by a struct format."""
        size = struct.calcsize(layout)
        if self.is_cdr:
            # Alignment counts from behind the prefix.
            self._position += -(self._position - _CDR_PREFIX_BYTES) % size
        return int(struct.unpack(layout, self._take(size))[0])

    def text(self) -> str:
        """Return a string."""
        return self._take(self.number("<I")).decode("utf-8", "replace").rstrip("\0")

    def last(self, size: int) -> memoryview:
        """Return the `size` bytes that the message ends with, once it is clear that it does."""
        rest = len(self._data) - self._position
        if not 0 <= rest - size <= (_MOST_PADDING if self.is_cdr else 0):
            raise BrokenMessageError(f"its events need {size} bytes, got {rest}")
        return memoryview(self._data)[self._position : self._position + size]

    def _take(self, size: int) -> bytes:
        start, self._position = self._position, self._position + size
        if self._position > len(self._data):
            raise BrokenMessageError(f"it is cut after {len(self._data)} bytes")
        return self._data[start : self._position]


def _events(fields: _Fields) -> NDArray[np.int64]:
    """Return the numbers of an array of events; nanoseconds become microseconds, rounded down."""
    count = fields.number("<I")
    if fields.is_cdr:
        content = fields.last(max(0, count * _CDR_STRIDE - _CDR_GAP))
        x, y, seconds, nanoseconds, p = _cdr_columns(content)
    else:
        events = np.frombuffer(fields.last(count * _ROS1_EVENTS.itemsize), _ROS1_EVENTS)
        x, y, seconds, nanoseconds, p = (events[name] for name in _ROS1_EVENTS.names or ())
    t = seconds.astype(np.int64) * 1_000_000 + nanoseconds // 1000
    return pack_columns((t, x, y, p), in_seconds=False)


def _cdr_columns(content: memoryview) -> Columns:
    """Return x, y, seconds, nanoseconds and polarity of events that are aligned one after the other.

    Seconds and nanoseconds lie at multiples of four, so that an event has them 4 and 8 bytes behind a multiple of 16,
    and its polarity 12. The column and row of the next one take the two bytes before and behind the next multiple; only
    those of the first event lie behind it both.
    """
    octets = np.frombuffer(content, np.uint8)
    halves = np.frombuffer(content, "<u2", len(content) // 2)
    words = np.frombuffer(content, "<u4", len(content) // 4)
    x = np.concatenate([halves[:1], halves[7::8]])
    y = np.concatenate([halves[1:2], halves[8::8]])
    return x, y, words[1::4].view("<i4"), words[2::4], octets[12::16]


def _words(content: memoryview, dtype: str) -> NDArray[np.integer]:
    itemsize = np.dtype(dtype).itemsize
    if len(content) % itemsize:
        raise BrokenMessageError(f"its events must be words of {itemsize} bytes, got {len(content)} bytes")
    return np.frombuffer(content, dtype)


def _mono(words: NDArray[np.integer], time_base_ns: int) -> NDArray[np.int64]:
    """Return the numbers of 64-bit events; the sum of both times is rounded down to microseconds."""
    base_us, base_rest_ns = divmod(time_base_ns, 1000)
    t = base_us + ((words & 0xFFFFFFFF).astype(np.int64) + base_rest_ns) // 1000
    return pack_columns((t, words >> 32 & 0xFFFF, words >> 48 & 0x7FFF, words >> 63), in_seconds=False)
