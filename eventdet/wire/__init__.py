"""What goes over a wire, without the wire: addresses, our framing, and the datagrams of other tools.

Everything here is a function of bytes. Sockets are opened in ``eventdet.sources`` and ``eventdet.publishing``, which
share these modules, so that what one sends the other reads.
"""

from .address import Address, parse_address, require_local
from .framing import (
    MAX_FRAME_BYTES,
    MAX_FRAME_EVENTS,
    WireFrame,
    WireHeader,
    WireParser,
    encode_frame,
    encode_header,
)
from .packets import PACKET_FORMATS, Packet, PacketFormat
from .report import LinkReport

__all__ = [
    "MAX_FRAME_BYTES",
    "MAX_FRAME_EVENTS",
    "PACKET_FORMATS",
    "Address",
    "LinkReport",
    "Packet",
    "PacketFormat",
    "WireFrame",
    "WireHeader",
    "WireParser",
    "encode_frame",
    "encode_header",
    "parse_address",
    "require_local",
]
