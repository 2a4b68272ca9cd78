r"""Our framing: a stream header, then frames of DAT records, each with a number and two checksums.

All integers are little endian::

    stream header, 24 bytes                       frame, 36 bytes, then 8 bytes an event
    0   4s   b"\x89EVS"                            0   4s   b"\x89EVF"
    4   u16  version, 1                            4   u8   flags, bit 0: the last frame of the stream
    6   u8   encoding of the payloads, 1: DAT      5   3x   zero
    7   u8   flags, bit 0: synthetic               8   u32  number of events, at most 65536
    8   u16  width                                 12  u64  number of the frame, from 0
    10  u16  height                                20  i64  time: no event before it comes any more, microseconds
    12  u64  number of the stream, by chance       28  u32  CRC-32 of the payload
    20  u32  CRC-32 of what stands before          32  u32  CRC-32 of what stands before

The payload is what a DAT file holds, so that nothing is re-encoded between file, wire and store: the lower 32 bits of
the stamp, then the word with x, y and polarity. The time of the frame says which overflow they belong to. A frame
without events is a heartbeat: it lets a receiver close windows while nothing moves.

A header repeats whenever a new reader may begin: at a connection's start and before every datagram or message. A reader
that meets anything else skips to the next whole header and counts what it skipped, so that neither garbage nor a
sender killed in the middle of a frame ends the stream. Lengths are checked against a checksum and a limit before they
are believed.
"""

import struct
from typing import NamedTuple, TypeAlias
from zlib import crc32

from eventdet.errors import FormatError, OptionError
from eventdet.geometry import SensorSize, check_sensor_size

from .report import LinkReport

__all__ = [
    "LATEST_US",
    "MAX_FRAME_BYTES",
    "MAX_FRAME_EVENTS",
    "WireFrame",
    "WireHeader",
    "WireParser",
    "encode_frame",
    "encode_header",
]

VERSION = 1

MAX_FRAME_EVENTS = 1 << 16
"""512 KiB: the most that a receiver has to hold of a frame that is not whole."""

_DAT = 1
_SYNTHETIC = 1
_LAST = 1
_PREFIX = b"\x89EV"
_HEADER_MAGIC = _PREFIX + b"S"
_FRAME_MAGIC = _PREFIX + b"F"
_HEADER = struct.Struct("<4sHBBHHQ")
_FRAME = struct.Struct("<4sB3xIQqI")
_CRC = struct.Struct("<I")
_HEADER_BYTES = _HEADER.size + _CRC.size
_FRAME_BYTES = _FRAME.size + _CRC.size
_EVENT_BYTES = 8

MAX_FRAME_BYTES = _HEADER_BYTES + _FRAME_BYTES + MAX_FRAME_EVENTS * _EVENT_BYTES
"""Longest message: header and frame."""

LATEST_US = 1 << 60
"""36,000 years: below it, adding the length of a window cannot overflow."""


class WireHeader(NamedTuple):
    """What a stream says about itself."""

    sensor_size: SensorSize
    """Rows and columns of the camera."""

    stream_id: int
    """Differs from one stream to the next, in 0..2**64-1."""

    synthetic: bool = False
    """Whether the events are simulated."""


class WireFrame(NamedTuple):
    """Events that were sent together."""

    seq: int
    """Number of the frame; a step of more than one is a loss."""

    t_us: int
    """Neither in this frame nor later comes an event before this stamp, microseconds."""

    payload: bytes = b""
    """DAT records, 8 bytes an event."""

    is_last: bool = False
    """Whether the stream ends with this frame."""


WireItem: TypeAlias = WireHeader | WireFrame


def encode_header(header: WireHeader) -> bytes:
    """Return the bytes of a stream header.

    Raises
    ------
    OptionError
        When the sensor size breaks its rule.
    """
    height, width = check_sensor_size(header.sensor_size)
    head = _HEADER.pack(_HEADER_MAGIC, VERSION, _DAT, _SYNTHETIC * header.synthetic, width, height, header.stream_id)
    return head + _CRC.pack(crc32(head))


def encode_frame(frame: WireFrame) -> bytes:
    """Return the bytes of a frame.

    Raises
    ------
    OptionError
        When the payload is no whole number of records, has too many, or the time is outside its range.

    Examples
    --------
    >>> len(encode_frame(WireFrame(seq=0, t_us=50_000)))
    36
    """
    num_events, rest = divmod(len(frame.payload), _EVENT_BYTES)
    if rest or num_events > MAX_FRAME_EVENTS:
        raise OptionError(f"payload must be 0 to {MAX_FRAME_EVENTS} records of 8 bytes, got {len(frame.payload)} bytes")
    if not 0 <= frame.t_us < LATEST_US:
        raise OptionError(f"t_us must be in 0..{LATEST_US - 1}, got {frame.t_us}")
    head = _FRAME.pack(_FRAME_MAGIC, _LAST * frame.is_last, num_events, frame.seq, frame.t_us, crc32(frame.payload))
    return head + _CRC.pack(crc32(head)) + frame.payload


class WireParser:
    """Finds headers and frames in bytes that come in pieces of any size.

    Parameters
    ----------
    report : LinkReport
        Frames, and bytes that are none, are counted in it.
    """

    def __init__(self, report: LinkReport) -> None:
        self._report = report
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[WireItem]:
        """Return the items that are whole with the next bytes.

        Raises
        ------
        FormatError
            When a header is sound but of another version or encoding, or its sensor size breaks its rule.
        """
        self._buffer += data
        items: list[WireItem] = []
        at = 0
        while (found := self._next(at)) is not None:
            item, at = found
            if item is not None:
                items.append(item)
        del self._buffer[:at]
        return items

    def cut(self) -> None:
        """Forget what is not whole, since what comes next does not continue it."""
        if self._buffer:
            self._report.cut_frames += 1
            self._report.garbage_bytes += len(self._buffer)
            self._buffer.clear()

    def _next(self, at: int) -> tuple[WireItem | None, int] | None:
        """Return an item, or None for skipped bytes, and where the next may begin; None: more bytes are needed."""
        magic = bytes(self._buffer[at : at + len(_FRAME_MAGIC)])
        if magic == _FRAME_MAGIC:
            return self._frame(at)
        if magic == _HEADER_MAGIC:
            return self._header(at)
        if _FRAME_MAGIC.startswith(magic) or _HEADER_MAGIC.startswith(magic):
            return None
        return self._skip(at)

    def _skip(self, at: int) -> tuple[None, int]:
        after = self._buffer.find(_PREFIX, at + 1)
        if after < 0:
            # The first bytes of a magic may stand at the end.
            after = max(at + 1, len(self._buffer) - len(_PREFIX) + 1)
        self._report.garbage_bytes += after - at
        return None, after

    def _header(self, at: int) -> tuple[WireItem | None, int] | None:
        if len(self._buffer) - at < _HEADER_BYTES:
            return None
        if not self._is_sound(at, _HEADER.size):
            self._report.bad_frames += 1
            return self._skip(at)
        _, version, encoding, flags, width, height, stream_id = _HEADER.unpack_from(self._buffer, at)
        if (version, encoding) != (VERSION, _DAT):
            raise FormatError(
                f"stream header: version and encoding must be {VERSION} and {_DAT}, got {version} and {encoding}",
                hint="use the same version of eventdet at both ends",
            )
        try:
            size = check_sensor_size(SensorSize(height, width))
        except OptionError as error:
            raise FormatError(f"stream header: {error}") from error
        return WireHeader(size, stream_id, bool(flags & _SYNTHETIC)), at + _HEADER_BYTES

    def _frame(self, at: int) -> tuple[WireItem | None, int] | None:
        if len(self._buffer) - at < _FRAME_BYTES:
            return None
        if not self._is_sound(at, _FRAME.size):
            self._report.bad_frames += 1
            return self._skip(at)
        _, flags, num_events, seq, t_us, payload_crc = _FRAME.unpack_from(self._buffer, at)
        if num_events > MAX_FRAME_EVENTS or not 0 <= t_us < LATEST_US:
            self._report.refused_frames += 1
            return self._skip(at)
        begin = at + _FRAME_BYTES
        end = begin + num_events * _EVENT_BYTES
        if len(self._buffer) < end:
            return None
        payload = bytes(memoryview(self._buffer)[begin:end])
        if crc32(payload) != payload_crc:
            # Bytes may be missing inside: the next frame is looked for within this one.
            self._report.bad_frames += 1
            return self._skip(at)
        self._report.frames += 1
        return WireFrame(seq, t_us, payload, bool(flags & _LAST)), end

    def _is_sound(self, at: int, num_bytes: int) -> bool:
        (crc,) = _CRC.unpack_from(self._buffer, at + num_bytes)
        return bool(crc32(self._buffer[at : at + num_bytes]) == crc)
