"""Parts of blosc chunks: what the library packed, or what the bytes say when they are damaged."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit
from numba.core.dispatcher import Dispatcher
from numcodecs import blosc
from numcodecs.blosc import Blosc
from numpy.typing import NDArray

from eventdet.preprocessing import _blosc_kernels as kernels

SHUFFLES = pytest.mark.parametrize("shuffle", [Blosc.SHUFFLE, Blosc.BITSHUFFLE], ids=["bytes", "bits"])


def _pack(values: NDArray[np.generic], shuffle: int, *, compressor: str = "lz4", block: int = 0) -> bytes:
    blosc.use_threads = False
    return bytes(Blosc(compressor, clevel=5, shuffle=shuffle, blocksize=block).encode(values))


@st.composite
def columns(draw: st.DrawFn) -> NDArray[np.uint32]:
    """Values as events have them and as they do not: ramps, runs, patterns of every period, noise, few bits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        size, most = draw(st.integers(1, 600)), draw(st.sampled_from([1, 2, 300, 2**18, 2**32]))
        noise = rng.integers(0, most, size)
        period = draw(st.integers(1, 40))
        parts.append(
            draw(st.sampled_from([noise, np.sort(noise), noise[:1].repeat(size), np.resize(noise[:period], size)]))
        )
    values = np.concatenate(parts)
    return np.resize(values, draw(st.integers(16, 200)) * 8).astype(np.uint32)


def _unpack(packed: bytes, num_values: int, first: int, stop: int) -> NDArray[np.uint32] | None:
    """Return what the kernel gives, None when it refuses."""
    rows, begin = kernels.unpack_bytes(np.frombuffer(packed, np.uint8), num_values, first, stop)
    return rows[:, begin : begin + stop - first].T.copy().view("<u4").reshape(-1) if len(rows) else None


@SHUFFLES
@given(columns(), st.data())
def test_any_part_equals_the_values_that_were_packed(
    shuffle: int, values: NDArray[np.uint32], data: st.DataObject
) -> None:
    packed = _pack(values, shuffle)
    first = data.draw(st.integers(0, len(values)), "first")
    stop = data.draw(st.integers(first, len(values)), "stop")
    unpacked = _unpack(packed, len(values), first, stop)
    if packed[2] & 0x02:
        # The library leaves as they are what it cannot make smaller.
        assert unpacked is None
    else:
        assert unpacked is not None
        np.testing.assert_array_equal(unpacked, values[first:stop])


@SHUFFLES
def test_chunks_of_the_store_are_taken(shuffle: int) -> None:
    rng = np.random.default_rng(1)
    for values in (
        np.sort(rng.integers(0, 70_000, 8192)),
        rng.integers(0, 2**18, 8192) | rng.integers(0, 2, 8192) << 28,
    ):
        column = values.astype(np.uint32)
        unpacked = _unpack(_pack(column, shuffle), 8192, 0, 8192)
        assert unpacked is not None
        np.testing.assert_array_equal(unpacked, column)


OTHERS = {
    "too short": _pack(np.arange(64, dtype=np.uint32), Blosc.SHUFFLE),
    "no groups of 8": _pack(np.arange(1004, dtype=np.uint32), Blosc.BITSHUFFLE),
    "zstd": _pack(np.arange(4096, dtype=np.uint32), Blosc.SHUFFLE, compressor="zstd"),
    "blosclz": _pack(np.arange(4096, dtype=np.uint32), Blosc.SHUFFLE, compressor="blosclz"),
    "not shuffled": _pack(np.arange(4096, dtype=np.uint32), Blosc.NOSHUFFLE),
    "many blocks": _pack(np.arange(1 << 15, dtype=np.uint32), Blosc.SHUFFLE, block=1 << 14),
    "values of two bytes": _pack(np.arange(4096, dtype=np.uint16), Blosc.SHUFFLE),
    "left unpacked": _pack(np.random.default_rng(1).integers(0, 2**32, 4096, np.uint32), Blosc.SHUFFLE),
    "nothing": b"",
}


@pytest.mark.parametrize("packed", OTHERS.values(), ids=OTHERS)
def test_other_forms_are_left_to_the_library(packed: bytes) -> None:
    num_values = struct.unpack_from("<I", packed, 4)[0] // 4 if packed else 4096
    assert _unpack(packed, num_values, 0, num_values) is None


def _number(data: bytes, at: int) -> int:
    if at + 4 > len(data):
        raise ValueError("ends in a number")
    return int(struct.unpack_from("<I", data, at)[0])


def _length(data: bytes, at: int, nibble: int) -> tuple[int, int]:
    length = nibble
    while nibble == 15:
        length, at = length + data[at], at + 1
        if data[at - 1] != 255:
            break
    return length, at


def _unpack_stream(data: bytes, size: int) -> bytes:
    """Decode LZ4 byte by byte, as far as `size`."""
    out, at = bytearray(), 0
    while True:
        token = data[at]
        count, at = _length(data, at + 1, token >> 4)
        if count > min(len(data) - at, size - len(out)):
            raise ValueError("too many literals")
        out += data[at : at + count]
        at += count
        if len(out) == size:
            return bytes(out)
        distance = data[at] | data[at + 1] << 8
        count, at = _length(data, at + 2, token & 15)
        if not 0 < distance <= len(out) or count + 4 > size - len(out):
            raise ValueError("a match out of place")
        for _ in range(count + 4):
            out.append(out[-distance])
        if len(out) == size:
            return bytes(out)


def _plain(packed: bytes, num_values: int) -> NDArray[np.uint32]:
    """Return the values of a chunk of the store, or raise ValueError or IndexError."""
    sizes = [_number(packed, at) for at in (4, 8, 12)]
    if packed[:2] != b"\2\1" or packed[2] not in (0x21, 0x24) or packed[3] != 4:
        raise ValueError("another form")
    if sizes != [4 * num_values, 4 * num_values, len(packed)]:
        raise ValueError("another size")
    at, streams = _number(packed, 16), []
    for _ in range(4):
        length, at = _number(packed, at), at + 4
        if length > len(packed) - at:
            raise ValueError("ends in a stream")
        data, at = packed[at : at + length], at + length
        streams.append(data if length == num_values else _unpack_stream(data, num_values))
    if packed[2] == 0x21:
        return np.frombuffer(b"".join(streams), np.uint8).reshape(4, -1).T.copy().view(np.uint32).reshape(-1)
    planes = np.frombuffer(b"".join(streams), np.uint8).reshape(32, -1)
    bits = np.unpackbits(planes, axis=1, bitorder="little").astype(np.uint32)
    values: NDArray[np.uint32] = (bits << np.arange(32, dtype=np.uint32)[:, np.newaxis]).sum(axis=0, dtype=np.uint32)
    return values


@st.composite
def damaged_chunks(draw: st.DrawFn) -> tuple[bytes, int]:
    """A chunk with up to four changed bytes, perhaps cut, and how many values it had."""
    values = draw(columns())
    packed = bytearray(_pack(values, draw(st.sampled_from([Blosc.SHUFFLE, Blosc.BITSHUFFLE]))))
    for _ in range(draw(st.integers(0, 4))):
        # Most of them where lengths and tokens are.
        place = draw(st.integers(16, len(packed) - 1) | st.integers(0, min(60, len(packed) - 1)))
        packed[place] = draw(st.integers(0, 255))
    cut = draw(st.just(len(packed)) | st.integers(0, len(packed)))
    if cut >= 16 and draw(st.integers(0, 3)):
        packed[12:16] = struct.pack("<I", cut)
    return bytes(packed[:cut]), len(values)


def _rest(length: int) -> bytes:
    """Return what of a length does not fit into its half of a token."""
    return b"" if length < 15 else b"\xff" * ((length - 15) // 255) + bytes([(length - 15) % 255])


def _sequence(literals: bytes, distance: int, length: int) -> bytes:
    """Return literals and a match behind them; without a length, literals alone, as a stream ends."""
    match = max(length - 4, 0)
    head = bytes([min(len(literals), 15) << 4 | min(match, 15)]) + _rest(len(literals)) + literals
    return head if not length else head + struct.pack("<H", distance) + _rest(match)


def _stream(rng: np.random.Generator, num_bytes: int) -> bytes:
    """Return any sequences that make so many bytes."""
    stream, size = b"", 0
    while size < num_bytes:
        literals = rng.bytes(min(int(rng.integers(not size, 40)), num_bytes - size))
        size += len(literals)
        left = num_bytes - size
        length = left if left < 4 or rng.integers(2) else int(rng.integers(4, left + 1))
        farthest = min((1, 40, size)[rng.integers(3)], size)
        if left < 4:
            return stream + _sequence(literals + bytes(left), 0, 0)
        stream += _sequence(literals, int(rng.integers(1, farthest + 1)), length)
        size += length
    return stream


@st.composite
def written_chunks(draw: st.DrawFn) -> tuple[bytes, int]:
    """A chunk of any sequences, the last ones cut in some, or one that leads too far, and how many values it has."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    num_values = draw(st.sampled_from([128, 136, 1024]))
    streams = [_stream(rng, num_values) for _ in range(4)]
    fault = draw(st.sampled_from(["none", "cut", "far"]))
    if fault == "cut":
        streams[3] = streams[3][: -draw(st.integers(1, 5))]
    elif fault == "far":
        literals = rng.bytes(int(rng.integers(1, num_values - 4)))
        length = num_values - len(literals) + (0, int(rng.integers(1, 100)))[rng.integers(2)]
        streams[3] = _sequence(literals, (0, 1, 900)[rng.integers(3)], length)
    body = struct.pack("<I", 20) + b"".join(struct.pack("<I", len(stream)) + stream for stream in streams)
    sizes = struct.pack("<3I", 4 * num_values, 4 * num_values, 16 + len(body))
    return bytes([2, 1, draw(st.sampled_from([0x21, 0x24])), 4]) + sizes + body, num_values


@given(damaged_chunks() | written_chunks(), st.data())
def test_damaged_bytes_are_refused_or_mean_what_they_say(chunk: tuple[bytes, int], data: st.DataObject) -> None:
    packed, num_values = chunk
    unpacked = _unpack(packed, num_values, 0, num_values)
    try:
        expected = _plain(packed, num_values)
    except (ValueError, IndexError):
        assert unpacked is None
        return
    assert unpacked is not None
    np.testing.assert_array_equal(unpacked, expected)
    first = data.draw(st.integers(0, num_values), "first")
    stop = data.draw(st.integers(first, num_values), "stop")
    part = _unpack(packed, num_values, first, stop)
    assert part is not None
    np.testing.assert_array_equal(part, expected[first:stop])


@njit(boundscheck=True)
def _checked_copy(target: NDArray[np.uint8], to: int, source: NDArray[np.uint8], at: int, count: int) -> None:
    if min(to, at) < 0 or to + count > len(target) or at + count > len(source):
        raise IndexError("copies beyond an array")
    moved = source[at : at + count].copy()
    for i in range(count):
        target[to + i] = moved[i]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put kernels that check every index and every copy in the place of the others."""
    monkeypatch.setattr(kernels, "_copy", _checked_copy)
    names = [
        name for name, value in vars(kernels).items() if isinstance(value, Dispatcher) and value is not _checked_copy
    ]
    for name in names:
        monkeypatch.setattr(kernels, name, njit(boundscheck=True)(getattr(kernels, name).py_func))


@pytest.mark.usefixtures("checked")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged_chunks() | written_chunks(), st.data())
def test_no_byte_makes_a_kernel_leave_its_arrays(chunk: tuple[bytes, int], data: st.DataObject) -> None:
    packed, num_values = chunk
    first = data.draw(st.integers(0, num_values), "first")
    stop = data.draw(st.integers(first, num_values), "stop")
    _unpack(packed, num_values, first, stop)
