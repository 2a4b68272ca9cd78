"""Layout of an array as its metadata state it, and how its chunks are unpacked; no file in sight."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST_WORDS", "MISSING", "RowLayout", "parse_layout"]

MISSING = (1 << 64) - 1
"""Offset and length of a chunk that a shard does not hold."""

_DTYPES = {
    name: np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64",
    )
}  # fmt: skip

_LARGEST_CHUNK_BYTES = (1 << 31) - 1
"""Of blosc; no array of ours comes near it."""

FEWEST_WORDS, _MOST_WORDS = 128, 1 << 20
"""Of a chunk that is unpacked in part: of fewer blosc makes one stream, of more several blocks."""

_BLOSC_HEADER = struct.Struct("<4B3I")
"""Versions, flags, size of a value; then the bytes unpacked, of a block, and packed."""

Unpack = Callable[[memoryview, int, NDArray[np.uint8] | None], bytes | NDArray[np.uint8]]
"""Decodes a chunk of so many bytes and returns them, in an array when one is given; or raises ValueError or
RuntimeError. Without an array it takes a microsecond less, but what is wanted elsewhere has to be copied there."""


@dataclass(frozen=True, slots=True)
class RowLayout:
    """What the metadata of an array say, as far as it is needed to read it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk_rows: int
    chunks_per_shard: int
    index_at: str | None
    """``end`` or ``start`` of a shard; None for chunks in files of their own."""
    unpack: Unpack
    has_crc32c: bool
    is_lz4_words: bool
    """Whether it is a column whose chunks `_blosc_kernels` unpacks in part, as far as the metadata tell."""
    attributes: Mapping[str, Any]

    @property
    def chunk_bytes(self) -> int:
        """Bytes of an unpacked chunk."""
        return self.chunk_rows * prod(self.shape[1:]) * self.dtype.itemsize


def _unpack_zstd(data: memoryview, size: int, out: NDArray[np.uint8] | None) -> Any:
    # A frame of another size would leave a part of `out` as it was, without a word.
    _check_size(_zstd_content_size(data), size)
    return _codec("zstd").decompress(data, out)


@cache
def _codec(name: str) -> Any:
    """Return a module of numcodecs, which takes a while to import, and a microsecond to name in an import again."""
    return import_module(f"numcodecs.{name}")


def _zstd_content_size(frame: memoryview) -> int:
    """Return the size that the header of a zstd frame states (RFC 8878, section 3.1.1.1)."""
    descriptor = frame[4] if len(frame) > 4 else 0
    is_single_segment = bool(descriptor & 0x20)
    size_bytes = (int(is_single_segment), 2, 4, 8)[descriptor >> 6]
    first = 5 + (not is_single_segment) + (0, 1, 2, 4)[descriptor & 3]
    if not 0 < size_bytes <= len(frame) - first:
        raise ValueError("the zstd frame does not state its size")
    # Two bytes go on where one ends.
    return int.from_bytes(frame[first : first + size_bytes], "little") + (256 if size_bytes == 2 else 0)


def _unpack_blosc(data: memoryview, size: int, out: NDArray[np.uint8] | None) -> Any:
    blosc = _codec("blosc")
    # As the Zarr API has it: the threads of the library do not live through a fork.
    blosc.use_threads = False
    # The library reads as many bytes as this header claims, present or not.
    if len(data) < _BLOSC_HEADER.size:
        raise ValueError(f"{len(data)} bytes are too few for a blosc chunk")
    *_, unpacked, _, packed = _BLOSC_HEADER.unpack_from(data)
    _check_size(unpacked, size)
    if packed != len(data):
        raise ValueError(f"blosc chunk of {len(data)} bytes claims {packed}")
    return blosc.decompress(data, out)


def _check_size(stated: int, size: int) -> None:
    if stated != size:
        raise ValueError(f"unpacks to {stated} bytes, must be {size}")


_UNPACKERS: dict[str, Unpack] = {"zstd": _unpack_zstd, "blosc": _unpack_blosc}


def parse_layout(metadata: Mapping[str, Any]) -> RowLayout | None:
    """Return the layout of an array, None when it is not one of those read here."""
    try:
        shape, file_shape = tuple(metadata["shape"]), metadata["chunk_grid"]["configuration"]["chunk_shape"]
        dtype = _DTYPES[metadata["data_type"]]
        codecs, chunk_shape, index_at = metadata["codecs"], file_shape, None
        if [codec["name"] for codec in codecs] == ["sharding_indexed"]:
            sharding = codecs[0]["configuration"]
            codecs, chunk_shape = sharding["codecs"], sharding["chunk_shape"]
            index_at = sharding.get("index_location", "end")
            if [codec["name"] for codec in sharding["index_codecs"]] != ["bytes", "crc32c"]:
                return None
        as_bytes, packing, *checksum = codecs
        unpack = _UNPACKERS[packing["name"]]
        is_known = (
            metadata["zarr_format"] == 3
            and metadata["chunk_grid"]["name"] == "regular"
            and metadata["chunk_key_encoding"] == {"name": "default", "configuration": {"separator": "/"}}
            and not metadata.get("storage_transformers")
            and as_bytes["name"] == "bytes"
            and as_bytes.get("configuration", {}).get("endian", "little") == "little"
            and [codec["name"] for codec in checksum] in ([], ["crc32c"])
            and index_at in (None, "start", "end")
            and _cut_first_axis_alone(shape, file_shape, chunk_shape, dtype.itemsize)
        )
        attributes = metadata.get("attributes", {})
        is_known = is_known and isinstance(attributes, Mapping)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None
    if not is_known:
        return None
    per_shard = file_shape[0] // chunk_shape[0]
    is_lz4_words = len(shape) == 1 and dtype == np.uint32 and _is_lz4_words(packing, chunk_shape[0])
    return RowLayout(
        shape, dtype, chunk_shape[0], per_shard, index_at, unpack, bool(checksum), is_lz4_words, attributes
    )


def _is_lz4_words(packing: Mapping[str, Any], chunk_rows: int) -> bool:
    options = packing.get("configuration", {})
    return (
        packing["name"] == "blosc"
        and options.get("cname") == "lz4"
        and options.get("shuffle") in ("shuffle", "bitshuffle")
        and FEWEST_WORDS <= chunk_rows <= _MOST_WORDS
        and chunk_rows % 8 == 0
    )


def _cut_first_axis_alone(shape: tuple[int, ...], shard: list[int], chunk: list[int], itemsize: int) -> bool:
    """Return whether shards and chunks are whole rows, and of a size that can be."""
    numbers = [*shape, *shard, *chunk]
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and len(shape) == len(shard) == len(chunk) > 0
        and list(shape[1:]) == shard[1:] == chunk[1:]
        and chunk[0] > 0
        and shard[0] > 0
        and shard[0] % chunk[0] == 0
        and int(np.prod(chunk, dtype=object)) * itemsize <= _LARGEST_CHUNK_BYTES
    )
