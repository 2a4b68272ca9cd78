"""As much of FlatBuffers as AEDAT4 needs: tables of scalars, strings, and vectors, read with every offset checked.

The library would be one more dependency, needs generated code, and its Python reader trusts offsets.
"""

import struct
from dataclasses import dataclass

__all__ = ["BrokenBufferError", "Table", "sized_prefix"]

_PREFIX_BYTES = 4


class BrokenBufferError(ValueError):
    """An offset or length leads out of the buffer."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a buffer."""

    data: bytes | memoryview
    """The whole buffer, its size prefix included."""

    position: int
    """Byte offset of the table."""

    @classmethod
    def root(cls, data: bytes | memoryview, identifier: bytes) -> "Table":
        """Return the root table of a size-prefixed buffer.

        Raises
        ------
        BrokenBufferError
            When the buffer is too short or carries another identifier.
        """
        if bytes(data[8:12]) != identifier:
            raise BrokenBufferError(f"identifier must be {identifier!r}, got {bytes(data[8:12])!r}")
        return cls(data, _PREFIX_BYTES + _unpack(data, "<I", _PREFIX_BYTES))

    def scalar(self, number: int, layout: str, default: int) -> int:
        """Return field `number`, read by a struct format of one integer; `default` when the table leaves it out."""
        place = self._place(number)
        return _unpack(self.data, layout, place) if place else default

    def text(self, number: int) -> str:
        """Return the string in field `number`, an empty one when the table leaves it out."""
        start, count = self.vector(number, item_bytes=1)
        return bytes(self.data[start : start + count]).decode("utf-8", "replace")

    def vector(self, number: int, *, item_bytes: int) -> tuple[int, int]:
        """Return byte offset and number of the items in vector field `number`; (0, 0) when the table leaves it out.

        Raises
        ------
        BrokenBufferError
            When the items do not fit into the buffer.
        """
        place = self._place(number)
        if not place:
            return 0, 0
        start = place + _unpack(self.data, "<I", place)
        count = _unpack(self.data, "<I", start)
        if start + 4 + count * item_bytes > len(self.data):
            raise BrokenBufferError(f"vector of {count} items leads out of the buffer")
        return start + 4, count

    def _place(self, number: int) -> int:
        """Return the byte offset of field `number`, 0 when the table leaves it out."""
        layout = self.position - _unpack(self.data, "<i", self.position)
        entry = 4 + 2 * number
        if entry + 2 > _unpack(self.data, "<H", layout):
            return 0
        offset = _unpack(self.data, "<H", layout + entry)
        return self.position + offset if offset else 0


def sized_prefix(data: bytes) -> bytes:
    """Return the buffer at the start of `data`, as long as its size prefix says.

    Raises
    ------
    BrokenBufferError
        When there are fewer bytes.
    """
    num_bytes = _PREFIX_BYTES + _unpack(data, "<I", 0)
    if num_bytes > len(data):
        raise BrokenBufferError(f"{num_bytes} bytes were announced, {len(data)} are there")
    return data[:num_bytes]


def _unpack(data: bytes | memoryview, layout: str, position: int) -> int:
    # struct takes negative positions as counted from the end.
    if position < 0 or position + struct.calcsize(layout) > len(data):
        raise BrokenBufferError(f"offset {position} leads out of the buffer")
    (value,) = struct.unpack_from(layout, data, position)
    return int(value)
