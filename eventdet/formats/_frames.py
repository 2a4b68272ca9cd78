"""LZ4 and Zstandard frames, unpacked piece by piece: what a frame claims to hold is never trusted."""

from collections.abc import Callable, Iterator

from eventdet.errors import MissingExtraError

__all__ = ["LARGEST_FRAME", "BrokenFrameError", "lz4_compress", "unpack_lz4", "unpack_zstd"]

LARGEST_FRAME = 1 << 28
"""Bytes that one frame may unpack to: 16 million events, a thousand times what recorders put into a packet."""

_PIECE = 1 << 18
_LARGEST_WINDOW = 1 << 27


class BrokenFrameError(ValueError):
    """A frame is cut, corrupt or too large."""


def unpack_lz4(data: bytes | memoryview) -> bytes:
    """Return what one LZ4 frame holds.

    Raises
    ------
    BrokenFrameError
        When it is cut or corrupt, or holds more than `LARGEST_FRAME` bytes.
    MissingExtraError
        When the extra ``aedat`` is not installed.
    """
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ImportError as error:
        raise _missing() from error

    def pieces() -> Iterator[bytes]:
        unpacker = LZ4FrameDecompressor()
        given = bytes(data)
        while not unpacker.eof:
            piece = unpacker.decompress(given, max_length=_PIECE)
            if not piece and unpacker.needs_input and not unpacker.eof:
                raise BrokenFrameError("LZ4 frame is cut")
            given = b""
            yield piece

    return _join(pieces, RuntimeError)


def unpack_zstd(data: bytes | memoryview) -> bytes:
    """Return what one Zstandard frame holds; raises as `unpack_lz4` does."""
    try:
        from zstandard import ZstdDecompressor, ZstdError
    except ImportError as error:
        raise _missing() from error

    def pieces() -> Iterator[bytes]:
        reader = ZstdDecompressor(max_window_size=_LARGEST_WINDOW).stream_reader(bytes(data))
        while piece := reader.read(_PIECE):
            yield piece

    return _join(pieces, ZstdError)


def lz4_compress(data: bytes) -> bytes:
    """Return one LZ4 frame that holds `data`.

    Raises
    ------
    MissingExtraError
        When the extra ``aedat`` is not installed.
    """
    try:
        from lz4.frame import compress
    except ImportError as error:
        raise _missing() from error
    return bytes(compress(data))


def _join(pieces: Callable[[], Iterator[bytes]], failure: type[Exception]) -> bytes:
    joined = bytearray()
    try:
        for piece in pieces():
            joined += piece
            if len(joined) > LARGEST_FRAME:
                raise BrokenFrameError(f"frame holds more than {LARGEST_FRAME} bytes")
    except failure as error:
        raise BrokenFrameError(str(error)) from error
    return bytes(joined)


def _missing() -> MissingExtraError:
    return MissingExtraError("reading and writing packed AEDAT4", extra="aedat")
