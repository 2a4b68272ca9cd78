"""Datagrams of other tools: SPIF's words and faery's two layouts, to and from DAT records.

None of them has a sequence number or says the sensor size, and a loss cannot be told from silence.

===========  =========================================================================================
``spif``     32-bit words ``x << 16 | p << 15 | y``; bit 31 set: no stamp, clear: a u32 stamp follows
``faery13``  ``u64 t, u16 x, u16 y, u8 p``, faery's ``t64_x16_y16_on8``
``faery8``   ``u32 t, u16 x, u16 y << 1 | p``, faery's ``t32_x16_y15_on1``
===========  =========================================================================================

SPIF's words are in the byte order of the sender; every sender known is little endian, as the words are read here.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.formats import pack_dat

from .framing import LATEST_US

__all__ = ["PACKET_FORMATS", "Packet", "PacketFormat"]

_FAERY13 = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
_FAERY8 = np.dtype([("t", "<u4"), ("x", "<u2"), ("yp", "<u2")])

_UNTIMED = 1 << 31
_LARGEST_COORDINATE = (1 << 14) - 1
"""DAT's: what is larger lies off every sensor and stays off it when cut to this."""


class Packet(NamedTuple):
    """The events of one datagram."""

    t_us: int | None
    """Stamp of the first event; None where only the lower 32 bits are known."""

    records: bytes
    """DAT records, 8 bytes an event."""

    odd_bytes: int = 0
    """Bytes at the end that make no event."""

    is_untimed: bool = False
    """Whether the events carry no stamp and were given that of their arrival."""


class PacketFormat(NamedTuple):
    """One layout of datagrams."""

    decode: Callable[[bytes, int], Packet]
    """Read a datagram; the second argument is when it arrived, the stamp of events that have none, microseconds."""

    encode: Callable[[Events], bytes]
    """Write events, at most `max_events`."""

    max_events: int
    """Events in a datagram, as the tool that the layout comes from sends them."""


def _decode_spif(data: bytes, arrived_us: int) -> Packet:
    words = np.frombuffer(data, "<u4", len(data) // 4).astype(np.int64)
    if (words[::2] < _UNTIMED).all():
        whole = len(words) // 2
        return Packet(None, _records(words[1::2], words[: 2 * whole : 2]), len(data) - 8 * whole)
    events, stamps = _split_spif(words.tolist(), arrived_us)
    used = sum(4 if event >= _UNTIMED else 8 for event in events)
    is_untimed = bool(events) and events[0] >= _UNTIMED
    records = _records(np.array(stamps, np.int64), np.array(events, np.int64))
    return Packet(arrived_us if is_untimed else None, records, len(data) - used, is_untimed)


def _split_spif(words: list[int], arrived_us: int) -> tuple[list[int], list[int]]:
    """Return events and stamps of a datagram that holds untimed events.

    A stamp may have its upper bit set too: it is told from an event by its place alone, one word after the other.
    """
    events, stamps = [], []
    remaining = iter(words)
    for word in remaining:
        stamp = arrived_us if word >= _UNTIMED else next(remaining, None)
        if stamp is not None:
            events.append(word)
            stamps.append(stamp)
    return events, stamps


def _records(t: NDArray[np.int64], words: NDArray[np.int64]) -> bytes:
    return _pack(t, (words >> 16) & 0x7FFF, words & 0x7FFF, (words >> 15) & 1)


def _encode_spif(events: Events) -> bytes:
    words = np.empty((len(events), 2), "<u4")
    words[:, 0] = events.x.astype(np.uint32) << 16 | events.p.astype(np.uint32) << 15 | events.y
    words[:, 1] = events.t & 0xFFFFFFFF
    return words.tobytes()


def _decode_faery13(data: bytes, _arrived_us: int) -> Packet:
    events = np.frombuffer(data, _FAERY13, len(data) // _FAERY13.itemsize)
    t_us = int(events["t"][0]) if len(events) else None
    if t_us is not None and t_us >= LATEST_US:
        return Packet(None, b"", len(data))
    records = _pack(events["t"], events["x"], events["y"], events["p"] != 0)
    return Packet(t_us, records, len(data) % _FAERY13.itemsize)


def _encode_faery13(events: Events) -> bytes:
    packet = np.empty(len(events), _FAERY13)
    for name in ("t", "x", "y", "p"):
        packet[name] = getattr(events, name)
    return packet.tobytes()


def _decode_faery8(data: bytes, _arrived_us: int) -> Packet:
    events = np.frombuffer(data, _FAERY8, len(data) // _FAERY8.itemsize)
    return Packet(
        None, _pack(events["t"], events["x"], events["yp"] >> 1, events["yp"] & 1), len(data) % _FAERY8.itemsize
    )


def _encode_faery8(events: Events) -> bytes:
    packet = np.empty(len(events), _FAERY8)
    packet["t"] = events.t & 0xFFFFFFFF
    packet["x"] = events.x
    packet["yp"] = events.y << 1 | events.p
    return packet.tobytes()


def _pack(
    t: NDArray[np.integer], x: NDArray[np.integer], y: NDArray[np.integer], p: NDArray[np.integer | np.bool_]
) -> bytes:
    return pack_dat(t, np.minimum(x, _LARGEST_COORDINATE), np.minimum(y, _LARGEST_COORDINATE), p).tobytes()


PACKET_FORMATS = {
    "spif": PacketFormat(_decode_spif, _encode_spif, max_events=64),
    "faery13": PacketFormat(_decode_faery13, _encode_faery13, max_events=100),
    "faery8": PacketFormat(_decode_faery8, _encode_faery8, max_events=100),
}
"""Every readable layout by name."""
