"""AEDAT4, the recordings of iniVation's DV: packed packets of events among those of other streams.

Read and written here and not through a library, since both that exist for Python failed on damaged files when tried:
dv-processing 2.0.4 hung on two of 25, aedat 2.3.0 panicked on four, and dv-processing takes events one by one. Stamps
are Unix time in microseconds. Of several event streams, as a stereo camera writes them, the first is read.
"""

import mmap
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size, resolve_sensor_size
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._aedat4_layout import TABLE_POSITION, PacketEntry, events_of, pack_events, pack_header, pack_table
from ._atomic import atomic_writer
from ._batches import checked_batches
from ._flatbuffers import BrokenBufferError, Table, sized_prefix
from ._frames import BrokenFrameError, lz4_compress, unpack_lz4, unpack_zstd
from ._payload import Payload
from ._text_header import read_head
from .decoder import Decoder, Encoding, Kernel

__all__ = ["AEDAT4", "Aedat4Header", "is_aedat4", "open_aedat4", "read_aedat4", "read_aedat4_header", "write_aedat4"]

_MAGIC = b"#!AER-DAT4.0\r\n"
_LZ4 = 1
_UNPACK: dict[int, Callable[[bytes], bytes]] = {0: bytes, 1: unpack_lz4, 2: unpack_lz4, 3: unpack_zstd, 4: unpack_zstd}
"""Compression of the file header: none, LZ4 fast and high, Zstandard fast and high."""

_PACKET = struct.Struct("<ii")
_LARGEST_HEADER = 1 << 24
"""Bytes read of what claims to be the header; real ones are a few kB."""

_PACKET_EVENTS = 1 << 13
_READ_EVENTS = 1 << 20


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
        """Yield the events in batches of at most `num_events`; counts are added to `report`."""
        where = f"{self.path}, in its unpacked events"
        decoder = Decoder(AEDAT4, self.sensor_size, policy=self.policy, where=where, report=report)
        for words in self._unpacked(report):
            yield from decoder.iter_events(words[start:stop], num_events=num_events, out=out)

    def read_into(self, report: ReadReport, *, start: int = 0, stop: int | None = None) -> Events:
        """Return all events; counts are added to `report`."""
        return Events.concatenate(self.iter_events(report, num_events=_READ_EVENTS, start=start, stop=stop))

    def _unpacked(self, report: ReadReport) -> Iterator[NDArray[np.int64]]:
        """Yield the events of each packet as words."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            position = self.header.data_offset
            while position + _PACKET.size <= self.header.data_end:
                stream, num_bytes = _PACKET.unpack_from(mapped, position)
                stop = position + _PACKET.size + num_bytes
                if num_bytes < 0 or stop > self.header.data_end:
                    break
                if stream == self.header.stream:
                    yield self._unpack(mapped[position + _PACKET.size : stop], report, position=position)
                position = stop
            rest = self.header.data_end - position
            if rest and self.rules.faults == "strict":
                raise self._fault("last packet is cut", position)
            report.trailing_bytes += rest

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
    if compression not in _UNPACK:
        raise FormatError(f"{path}: compression must be 0 to 4, got {compression}, at byte {start}")
    stream, size, synthetic = _event_stream(path, info)
    # A recording that was interrupted has no table, and one that was cut has lost it: packets then go to the end.
    data_offset = start + len(table.data)
    data_end = end if data_offset <= end <= file_bytes else file_bytes
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
