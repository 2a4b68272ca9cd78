"""The messages of AEDAT4 as bytes: file header, packet of events, table of packets.

The layouts follow iniVation's description of the format. Positions count from the size prefix of a message.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.geometry import SensorSize

from ._flatbuffers import Table

__all__ = [
    "EVENT_DTYPE",
    "TABLE_POSITION",
    "PacketEntry",
    "events_of",
    "pack_events",
    "pack_header",
    "pack_table",
    "table_entries",
]

EVENT_DTYPE = np.dtype(
    {"names": ["t", "x", "y", "p"], "formats": ["<i8", "<i2", "<i2", "u1"], "offsets": [0, 8, 10, 12], "itemsize": 16}
)
"""One event of a packet: Unix microseconds, column, row, polarity."""

TABLE_POSITION = 32
"""Byte offset, within the header that `pack_header` returns, of where the table of packets lies."""

_ENTRY_DTYPE = np.dtype(
    [
        ("layout", "<i4"), ("stream", "<i4"), ("num_bytes", "<i4"), ("padding", "<i4"),
        ("position", "<i8"), ("num_events", "<i8"), ("t_first_us", "<i8"), ("t_last_us", "<i8"),
    ]
)  # fmt: skip

_INFO = """<dv version="2.0">
    <node name="outInfo" path="/mainloop/Recorder/outInfo/">
        <node name="0" path="/mainloop/Recorder/outInfo/0/">
            <attr key="compression" type="string">LZ4</attr>
            <attr key="originalModuleName" type="string">eventdet</attr>
            <attr key="originalOutputName" type="string">events</attr>
            <attr key="typeDescription" type="string">Array of events (polarity ON/OFF).</attr>
            <attr key="typeIdentifier" type="string">EVTS</attr>
            <node name="info" path="/mainloop/Recorder/outInfo/0/info/">
                <attr key="sizeX" type="int">{width}</attr>
                <attr key="sizeY" type="int">{height}</attr>
                <attr key="source" type="string">eventdet</attr>
                <attr key="tsOffset" type="long">0</attr>
                <attr key="synthetic" type="string">{synthetic}</attr>
            </node>
        </node>
    </node>
</dv>
"""


class PacketEntry(NamedTuple):
    """What the table says of one packet."""

    position: int
    """Byte offset of the content, behind the header of the packet."""

    num_bytes: int
    """Size of the content."""

    num_events: int
    t_first_us: int
    t_last_us: int


def events_of(packet: bytes) -> NDArray[np.int64]:
    """Return the events of a packet as 64-bit words, two an event.

    Raises
    ------
    BrokenBufferError
        When it is no packet of events, or one that leads out of its bytes.
    """
    start, count = Table.root(packet, b"EVTS").vector(0, item_bytes=EVENT_DTYPE.itemsize)
    return np.frombuffer(packet, "<i8", 2 * count, start)


def pack_header(sensor_size: SensorSize, *, compression: int, synthetic: bool) -> bytearray:
    """Return the file header, with the table of packets marked as missing."""
    info = _INFO.format(
        width=sensor_size.width, height=sensor_size.height, synthetic="yes" if synthetic else "no"
    ).encode("ascii")
    # The layout of the table at 12, the table at 24: its layout, compression, table position, offset of the text.
    fixed = struct.pack("<5H2x", 10, 20, 4, 8, 16) + struct.pack("<iiqI", 12, compression, -1, 4)
    return _sized(b"IOHE", root=24, content=fixed + struct.pack("<I", len(info)) + info + b"\x00")


def pack_events(events: Events) -> bytes:
    """Return a packet of events."""
    records = np.zeros(len(events), EVENT_DTYPE)
    for name in ("t", "x", "y", "p"):
        records[name] = getattr(events, name)
    # The layout of the table at 12, the table at 20, the vector at 28 and the events at 32, a multiple of eight.
    fixed = struct.pack("<3H2x", 6, 8, 4) + struct.pack("<iII", 8, 4, len(events))
    return bytes(_sized(b"EVTS", root=20, content=fixed + records.tobytes()))


def pack_table(entries: Sequence[PacketEntry]) -> bytes:
    """Return the table of all packets, which lets a reader jump to a time."""
    # The layout of the root at 12, the one that all entries share at 20, the root at 36, the vector at 44; then the
    # entries themselves from a multiple of eight on.
    start = (48 + 4 * len(entries) + 7) // 8 * 8
    fixed = struct.pack("<3H2x", 6, 8, 4) + struct.pack("<7H2x", 14, _ENTRY_DTYPE.itemsize, 16, 4, 24, 32, 40)
    fixed += struct.pack("<iII", 24, 4, len(entries))
    numbers = np.arange(len(entries))
    offsets = (start + _ENTRY_DTYPE.itemsize * numbers - (48 + 4 * numbers)).astype("<u4")
    table = np.zeros(len(entries), _ENTRY_DTYPE)
    table["layout"] = start + _ENTRY_DTYPE.itemsize * numbers - 20
    for name in PacketEntry._fields:
        table[name] = [getattr(entry, name) for entry in entries]
    padding = bytes(start - 48 - 4 * len(entries))
    return bytes(_sized(b"FTAB", root=36, content=fixed + offsets.tobytes() + padding + table.tobytes()))


def table_entries(table: bytes, *, stream: int) -> list[PacketEntry]:
    """Return what the table of packets says of those of one stream.

    Raises
    ------
    BrokenBufferError
        When it is no table of packets, or one that leads out of its bytes.
    """
    start, count = Table.root(table, b"FTAB").vector(0, item_bytes=4)
    entries = []
    for place in range(start, start + 4 * count, 4):
        entry = Table(table, place + int.from_bytes(table[place : place + 4], "little"))
        # A structure of two integers: the stream, then the size.
        packet = entry.scalar(1, "<Q", 0)
        if packet & 0xFFFFFFFF == stream:
            position, num_events, t_first, t_last = (entry.scalar(number, "<q", 0) for number in (0, 2, 3, 4))
            entries.append(PacketEntry(position, packet >> 32, num_events, t_first, t_last))
    return entries


def _sized(identifier: bytes, *, root: int, content: bytes) -> bytearray:
    """Return a message: size, offset of the root table, identifier, and what follows from byte 12 on."""
    return bytearray(struct.pack("<II", 8 + len(content), root - 4) + identifier + content)
