"""AEDAT4, the recordings of iniVation's DV: packed packets of events among those of other streams.

Read and written here and not through a library, since both that exist for Python failed on damaged files when tried:
dv-processing 2.0.4 hung on two of 25, aedat 2.3.0 panicked on four, and dv-processing takes events one by one. Stamps
are Unix time in microseconds. Of several event streams, as a stereo camera writes them, the first is read.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size, resolve_sensor_size
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._aedat4_layout import (
    TABLE_POSITION,
    PacketEntry,
    events_of,
    pack_events,
    pack_header,
    pack_table,
    table_entries,
)
from ._atomic import atomic_writer
from ._batches import checked_batches
from ._flatbuffers import BrokenBufferError, Table, sized_prefix
from ._frames import BrokenFrameError, lz4_compress, unpack_lz4, unpack_zstd
from ._payload import Payload
from ._seek import NOTHING, ROW_INTEGERS, Extent, SeekIndex
from ._state import CLOCK
from ._text_header import read_head
from .decoder import Decoder, Encoding, Kernel

__all__ = ["AEDAT4", "Aedat4Header", "is_aedat4", "open_aedat4", "read_aedat4", "read_aedat4_header", "write_aedat4"]

_MAGIC = b"#!AER-DAT4.0\r\n"
_LZ4 = 1
_UNPACK: dict[int, Callable[[bytes], bytes]] = {0: bytes, 1: unpack_lz4, 2: unpack_lz4, 3: unpack_zstd, 4: unpack_zstd}
"""Compression of the file header: none, LZ4 fast and high, Zstandard fast and high."""

_FRAME_MAGICS = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")
"""First bytes of an LZ4 and of a Zstandard frame."""

_PACKET = struct.Struct("<ii")
_LARGEST_HEADER = 1 << 24
"""Bytes read of what claims to be the header; real ones are a few kB."""

_PACKET_EVENTS = 1 << 13


def _load_kernel() -> Kernel:
    from ._aedat4_kernels import decode_aedat4

    return decode_aedat4


AEDAT4 = Encoding("aedat4", np.dtype("<i8"), events_per_record=1, load_kernel=_load_kernel)
"""The events of unpacked packets."""


@dataclass(frozen=True, slots=True)
class Aedat4Header:
    """What stands before the packets."""

    compression: int
    """0 none, 1 and 2 LZ4, 3 and 4 Zstandard."""

    stream: int
    """Number of the event stream that is read."""

    sensor_size: SensorSize | None
    """Of that stream, None when the header gives none."""

    synthetic: bool
    """Whether the events are marked as simulated."""

    data_offset: int
    """Byte offset of the first packet."""

    data_end: int
    """Byte offset behind the last packet: where the table lies, else the end of the file."""


@dataclass(frozen=True)
class _Aedat4Payload(Payload):
    """The packets of a file; they are unpacked one at a time."""

    header: Aedat4Header = field(kw_only=True)
    """Where they lie and how they are packed."""

    @property
    def trailing_bytes(self) -> int:
        """None are known before the packets are walked through."""
        return 0

    def claimed_index(self) -> SeekIndex | None:
        """Return the index that the table of the file amounts to, None when the policy does not take it at its word.

        What a packet holds is known only when it is read: a stamp that leaps ahead in one raises all that follow, and
        no table tells. So the table is taken under ``trust`` alone, and only when the packets lie where it says.
        """
        if self.rules.faults != "trust" or self.rules.duplicates == "drop":
            return None
        try:
            table = _UNPACK[self.header.compression](self._mapped[self.header.data_end :])
            entries = table_entries(table, stream=self.header.stream)
        except (BrokenBufferError, BrokenFrameError):
            return None
        claimed = [(entry.position, entry.position + entry.num_bytes) for entry in entries]
        found = [
            (begin + _PACKET.size, stop)
            for stream, begin, stop in self._packets(self.data_offset)
            if stream == self.header.stream
        ]
        return _index_of(entries) if claimed == found else None

    def pieces(self, position: int, report: ReadReport, *, num_bytes: int) -> Iterator[tuple[int, NDArray[np.integer]]]:
        """Yield the events of each packet as words, whatever `num_bytes` says."""
        for stream, begin, stop in self._packets(position):
            if stream == self.header.stream:
                content = self._mapped[begin + _PACKET.size : stop]
                self._give_back(begin, stop)
                yield begin, self._unpack(content, report, position=begin)
            position = stop
        rest = self.header.data_end - position
        if rest and self.rules.faults == "strict":
            raise self._fault("last packet is cut", position)
        report.trailing_bytes += rest

    def _packets(self, position: int) -> Iterator[tuple[int, int, int]]:
        """Yield stream, begin and end of every packet that is whole, from `position` on."""
        while position + _PACKET.size <= self.header.data_end:
            stream, num_bytes = _PACKET.unpack_from(self._mapped, position)
            stop = position + _PACKET.size + num_bytes
            if num_bytes < 0 or stop > self.header.data_end:
                return
            yield stream, position, stop
            position = stop

    def _decoder(
        self, report: ReadReport, *, offset: int, on_triggers: Callable[[Triggers], None] | None = None
    ) -> Decoder:
        where = f"{self.path}, in its unpacked events"
        return Decoder(AEDAT4, self.sensor_size, policy=self.policy, where=where, report=report)

    def _unpack(self, content: bytes, report: ReadReport, *, position: int) -> NDArray[np.int64]:
        """Return the events of one packet as words; a broken one gives none and is counted."""
        try:
            return events_of(_UNPACK[self.header.compression](content))
        except (BrokenBufferError, BrokenFrameError) as error:
            if self.rules.faults == "strict":
                raise self._fault(f"packet cannot be unpacked ({error})", position) from error
            report.packets_dropped += 1
            return np.empty(0, np.int64)

    def _fault(self, what: str, position: int) -> FormatError:
        return FormatError(f"{self.path}: {what}, at byte {position}", hint="read it with policy repair")


def is_aedat4(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are those of AEDAT4.

    Examples
    --------
    >>> is_aedat4(b"#!AER-DAT4.0\r\n")
    True
    """
    return head.startswith(_MAGIC)


def read_aedat4_header(path: str | Path) -> Aedat4Header:
    """Return the header of an AEDAT4 file; no packet is read.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is not AEDAT4, its header is cut or broken, or it holds no events.
    """
    path = Path(path)
    if not is_aedat4(read_head(path)):
        raise FormatError(f"{path}: no AEDAT4 header at byte 0", hint="check the path and the format")
    start, file_bytes = len(_MAGIC), path.stat().st_size
    with path.open("rb") as file:
        file.seek(start)
        prefix = file.read(4)
        content = prefix + file.read(min(int.from_bytes(prefix, "little"), _LARGEST_HEADER))
        try:
            table = Table.root(sized_prefix(content), b"IOHE")
            compression = table.scalar(0, "<i", 0)
            end = table.scalar(1, "<q", -1)
            info = table.text(2)
        except BrokenBufferError as error:
            raise FormatError(f"{path}: broken header ({error}), at byte {start}") from error
        data_offset = start + len(table.data)
        # A recording that was interrupted has no table, one that was cut has lost it, and a wrong place of it would
        # hide every packet behind: then packets go to the end.
        data_end = end if data_offset <= end <= file_bytes and _is_table(file, end) else file_bytes
    if compression not in _UNPACK:
        raise FormatError(f"{path}: compression must be 0 to 4, got {compression}, at byte {start}")
    stream, size, synthetic = _event_stream(path, info)
    return Aedat4Header(compression, stream, size, synthetic, data_offset, data_end)


def read_aedat4(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of an AEDAT4 file, and what had to be repaired; parameters and errors as `read_dat`.

    Raises
    ------
    MissingExtraError
        When the packets are compressed and the extra ``aedat`` is not installed.
    """
    return open_aedat4(Path(path), sensor_size, policy).read()


def open_aedat4(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the packets of an AEDAT4 file lie; raises as `read_aedat4` does."""
    header = read_aedat4_header(path)
    size = resolve_sensor_size(str(path), header=header.sensor_size, given=sensor_size)
    fields = {"synthetic": "yes"} if header.synthetic else {}
    return _Aedat4Payload(path, AEDAT4, header.data_offset, size, policy, fields, header=header)


def write_aedat4(
    path: str | Path, events: Events | Iterable[Events], sensor_size: SensorSize, *, synthetic: bool = False
) -> None:
    """Write events as AEDAT4 with LZ4 packets and a table for seeking.

    Parameters
    ----------
    path : str or Path
        File to write; it appears when complete.
    events : Events or iterable of Events
        One batch or consecutive batches, in time order.
    sensor_size : SensorSize
        Size of the sensor, written to the header.
    synthetic : bool
        Whether to mark the events as simulated, by an attribute that other readers pass over.

    Raises
    ------
    OptionError
        When the events are out of order or off the sensor.
    InputError
        When the folder is missing or cannot be written.
    MissingExtraError
        When the extra ``aedat`` is not installed.
    """
    size = check_sensor_size(sensor_size)
    header = pack_header(size, compression=_LZ4, synthetic=synthetic)
    entries: list[PacketEntry] = []
    with atomic_writer(Path(path)) as file:
        file.write(_MAGIC + header)
        position = len(_MAGIC) + len(header)
        for batch in checked_batches(events, size, num_events=_PACKET_EVENTS):
            content = lz4_compress(pack_events(batch))
            file.write(_PACKET.pack(0, len(content)) + content)
            position += _PACKET.size
            entries.append(PacketEntry(position, len(content), len(batch), int(batch.t[0]), int(batch.t[-1])))
            position += len(content)
        file.write(lz4_compress(pack_table(entries)))
        file.seek(len(_MAGIC) + TABLE_POSITION)
        file.write(struct.pack("<q", position))


def _index_of(entries: list[PacketEntry]) -> SeekIndex | None:
    """Return the index that entries of a table amount to, None when their stamps are in disorder."""
    stamps = np.array([(entry.t_first_us, entry.t_last_us) for entry in entries], np.int64).reshape(-1)
    if (np.diff(stamps, prepend=0) < 0).any():
        return None
    rows = np.zeros((len(entries), ROW_INTEGERS), np.int64)
    rows[:, 0] = [entry.position - _PACKET.size for entry in entries]
    rows[1:, 1 + CLOCK] = stamps[1:-1:2]
    num_events = sum(entry.num_events for entry in entries)
    return SeekIndex(rows, Extent(num_events, int(stamps[0]), int(stamps[-1])) if entries else NOTHING)


def _is_table(file: BinaryIO, position: int) -> bool:
    """Return whether the table of packets may begin there; a packet begins with the number of its stream instead."""
    file.seek(position)
    head = file.read(12)
    return head.startswith(_FRAME_MAGICS) or head[8:] == b"FTAB"


def _event_stream(path: Path, info: str) -> tuple[int, SensorSize | None, bool]:
    """Return number, sensor size and synthetic mark of the first event stream that the description names."""
    # Imported here to keep the import of the formats short.
    from xml.etree import ElementTree as ET

    try:
        nodes = ET.fromstring(info).findall("./node[@name='outInfo']/node")
    except ET.ParseError as error:
        raise FormatError(f"{path}: broken description of streams ({error}), in its header") from error
    for node in nodes:
        name = node.get("name", "")
        if node.findtext("./attr[@key='typeIdentifier']") == "EVTS" and name.isdecimal():
            about = {attr.get("key"): attr.text or "" for attr in node.findall("./node[@name='info']/attr")}
            size = _size(path, about.get("sizeX", ""), about.get("sizeY", ""))
            return int(name), size, about.get("synthetic") == "yes"
    raise FormatError(f"{path}: no stream of events, in its header", hint="give a recording with events")


def _size(path: Path, width: str, height: str) -> SensorSize | None:
    if not (width and height):
        return None
    try:
        return SensorSize.parse(f"{width}x{height}")
    except OptionError as error:
        raise FormatError(f"{path}: {error}, in its header") from error
