"""Some values of a blosc chunk of events, compiled by Numba.

The library unpacks a chunk whole, 8,192 events, of which a window may want a few; and it puts bits back in twice the
time that the rest takes. Here bytes and bits are put back for the wanted values alone, and LZ4 is decoded as far as
they need it, in the one form that the store's writer gives to events: values of four bytes, LZ4, shuffled by bytes or
by bits, one block in four streams. What has another form, or is damaged, is left to the library, which unpacks it or
says what is wrong.

Sources: README_CHUNK_FORMAT.rst of c-blosc 1.21, lz4_Block_format.md of lz4 1.10, and for the transposition of 8 x 8
bits Warren, "Hacker's Delight", 2nd edition, section 7-3.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from ._row_layout import FEWEST_WORDS

__all__ = ["unpack_bytes"]

_VALUE_BYTES = 4
_HEADER_BYTES = 16
_LENGTH_BYTES = 4

_VERSIONS = (2, 1)
"""Of the chunk's format and of its LZ4's."""

_BYTE_SHUFFLE, _BIT_SHUFFLE = 0x21, 0x24
"""Flags of the two forms: LZ4 in bits 5 to 7, the block in one stream for each byte of a value."""

_STEP = 32
"""Bytes that are copied at once, however few are wanted: up to 31 beyond them are written."""

_LONG_STEP = 64
"""Bytes of a step where just as many are copied as are wanted."""

_raw_memmove: Callable[..., Any] = cgutils.raw_memmove
"""Numba gives it no types."""


def _emit_copy(_context: object, target: Any, _to: object, source: Any, _at: object, _count: object) -> Any:
    """Tell Numba the type and the machine instructions of `_copy`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: tuple[Any, ...]) -> Any:
        target, to, source, at, count = arguments
        places = [
            builder.gep(context.make_array(kind)(context, builder, array).data, [index])
            for kind, array, index in ((signature.args[0], target, to), (signature.args[2], source, at))
        ]
        _raw_memmove(builder, *places, count, 1)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), generate


_copy = cast("Callable[[NDArray[np.uint8], int, NDArray[np.uint8], int, int], None]", intrinsic(_emit_copy))
"""Copy so many bytes, a number that is written in the kernel: a few loads, then as many stores. A loop may not become
that, since the compiler cannot know that the arrays do not overlap. Nothing is checked."""


@njit(cache=True, nogil=True)
def _read_number(source: NDArray[np.uint8], at: int, num_bytes: int) -> int:
    """Return the unsigned number of so many bytes, the lowest first."""
    number = 0
    for i in range(num_bytes):
        # Numba makes a floating-point number of one with a sign and one without.
        number |= int(np.int64(source[at + i])) << 8 * i
    return number


@njit(cache=True, nogil=True)
def _copy_stream(target: NDArray[np.uint8], to: int, source: NDArray[np.uint8], at: int, count: int) -> None:
    """Copy `count` bytes; long ones take a call of memcpy several times as long where they are not aligned."""
    done = 0
    while done + _LONG_STEP <= count:
        _copy(target, to + done, source, at + done, _LONG_STEP)
        done += _LONG_STEP
    while done + 8 <= count:
        _copy(target, to + done, source, at + done, 8)
        done += 8
    while done < count:
        _copy(target, to + done, source, at + done, 1)
        done += 1


@njit(cache=True, nogil=True)
def _repeat(target: NDArray[np.uint8], to: int, distance: int, count: int) -> None:
    """Write `count` bytes from `to` on, each equal to the one `distance` before it, and up to 31 bytes behind."""
    done = 0
    if distance == 1:
        # Runs, most of what stamps are: no byte has to wait for the one before it.
        value = target[to - 1]
        while done < count:
            for i in range(_STEP):
                # An index without a sign cannot count from the end: the steps become one store.
                target[np.uint64(to + done + i)] = value
            done += _STEP
    while done < count:
        # What is right of a step is as long as the distance; then twice that is there to be copied.
        _copy(target, to + done, target, to + done - distance, _STEP)
        done += min(distance, _STEP)
        if distance < _STEP:
            distance *= 2


@njit(cache=True, nogil=True)
def _extend(source: NDArray[np.uint8], at: int, end: int, count: int) -> tuple[int, int]:
    """Return the whole length that begins with `count`, and where it ends; no length when the stream ends in it."""
    while at < end:
        byte = _read_number(source, at, 1)
        at += 1
        count += byte
        if byte != 255:
            return count, at
    return -1, at


@njit(cache=True, nogil=True)
def _unpack_stream(
    source: NDArray[np.uint8], at: int, end: int, target: NDArray[np.uint8], start: int, wanted: int, stop: int
) -> bool:
    """Decode LZ4 from ``source[at:end]`` to ``target[start:stop]``, as far as `wanted`; return whether that was there.

    Up to 31 bytes behind `stop` are written too.
    """
    to = start
    while at < end:
        token = _read_number(source, at, 1)
        count, at = token >> 4, at + 1
        if count == 15:
            count, at = _extend(source, at, end, count)
        if not 0 <= count <= min(end - at, stop - to):
            return False
        if count <= _STEP <= end - at:
            _copy(target, to, source, at, _STEP)
        else:
            _copy_stream(target, to, source, at, count)
        at += count
        to += count
        if to >= wanted:
            return True
        if end - at < 2:
            return False
        distance = _read_number(source, at, 2)
        count, at = token & 15, at + 2
        if count == 15:
            count, at = _extend(source, at, end, count)
        if count < 0 or count + 4 > stop - to or not 0 < distance <= to - start:
            return False
        _repeat(target, to, distance, count + 4)
        to += count + 4
        if to >= wanted:
            return True
    return False


@njit(cache=True, nogil=True)
def _transpose_bits(planes: NDArray[np.uint8], out: NDArray[np.uint64]) -> None:
    """Put eight rows of bits together, shape (8, n): row k has bit k of the bytes, byte i that of the 8 of `out[i]`."""
    p0, p1, p2, p3 = planes[0], planes[1], planes[2], planes[3]
    p4, p5, p6, p7 = planes[4], planes[5], planes[6], planes[7]
    b = np.uint64(8)
    for i in range(len(out)):
        low = np.uint64(p0[i]) | np.uint64(p1[i]) << b | np.uint64(p2[i]) << 2 * b | np.uint64(p3[i]) << 3 * b
        high = np.uint64(p4[i]) | np.uint64(p5[i]) << b | np.uint64(p6[i]) << 2 * b | np.uint64(p7[i]) << 3 * b
        bits = low | high << 4 * b
        # Blocks of 1, 2 and 4 bits change places with those across the diagonal.
        moved = (bits ^ (bits >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
        bits ^= moved ^ (moved << np.uint64(7))
        moved = (bits ^ (bits >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
        bits ^= moved ^ (moved << np.uint64(14))
        moved = (bits ^ (bits >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
        out[i] = bits ^ moved ^ (moved << np.uint64(28))


@njit(cache=True, nogil=True)
def _join_bits(streams: NDArray[np.uint8], begin: int, end: int) -> NDArray[np.uint8]:
    """Return the bytes of the values ``8 * begin`` to ``8 * end``, shape (4, n), from all planes, shape (4, m)."""
    groups = np.empty((_VALUE_BYTES, end - begin), np.uint64)
    planes = streams.reshape(_VALUE_BYTES, 8, streams.shape[1] // 8)
    for i in range(_VALUE_BYTES):
        _transpose_bits(planes[i, :, begin:end], groups[i])
    return groups.view(np.uint8)


@njit(cache=True, nogil=True)
def _is_known(packed: NDArray[np.uint8], num_values: int) -> bool:
    """Return whether the header of a chunk tells the form that is decoded here."""
    if len(packed) < _HEADER_BYTES + _LENGTH_BYTES or num_values < FEWEST_WORDS or num_values % 8:
        return False
    is_form = (packed[0], packed[1]) == _VERSIONS and (packed[2] == _BYTE_SHUFFLE or packed[2] == _BIT_SHUFFLE)
    size = num_values * _VALUE_BYTES
    is_one_block = _read_number(packed, 4, 4) == _read_number(packed, 8, 4) == size
    return is_form and packed[3] == _VALUE_BYTES and is_one_block and _read_number(packed, 12, 4) == len(packed)


@njit(cache=True, nogil=True)
def unpack_bytes(packed: NDArray[np.uint8], num_values: int, first: int, stop: int) -> tuple[NDArray[np.uint8], int]:
    """Return the bytes of the values from number `first` to `stop` of a chunk of `num_values`, and where they begin.

    Parameters
    ----------
    packed : ndarray of uint8
        The chunk, whatever it holds.
    num_values : int
        Values of it.
    first, stop : int
        ``0 <= first <= stop <= num_values``.

    Returns
    -------
    rows : ndarray of uint8, shape (4, n)
        The lowest byte of values, then the next; without rows when the chunk is not of the form that is decoded here,
        or damaged.
    begin : int
        Column of the first value. A slice of rows would no longer be known to lie without gaps, and loops over it would
        not become vector code.
    """
    nothing = np.empty((0, 0), np.uint8), 0
    if not _is_known(packed, num_values):
        return nothing
    size = num_values * _VALUE_BYTES
    room = np.empty(size + _STEP, np.uint8)
    is_by_bits = packed[2] == _BIT_SHUFFLE
    # A row of bits holds one of every value, so all rows are wanted.
    wanted = num_values if is_by_bits else stop
    at = _read_number(packed, _HEADER_BYTES, 4)
    for start in range(0, size, num_values):
        if at > len(packed) - _LENGTH_BYTES:
            return nothing
        length = _read_number(packed, at, 4)
        at += _LENGTH_BYTES
        if length > len(packed) - at:
            return nothing
        if length == num_values:
            _copy_stream(room, start, packed, at, wanted)
        elif not _unpack_stream(packed, at, at + length, room, start, start + wanted, start + num_values):
            return nothing
        at += length
    streams = room[:size].reshape(_VALUE_BYTES, num_values)
    if is_by_bits:
        return _join_bits(streams, first // 8, -(-stop // 8)), first % 8
    return streams, first
