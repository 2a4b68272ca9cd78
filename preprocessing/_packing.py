"""How chunks are packed: said once, for the Zarr API, which writes it into the metadata, and for our own writer.

The choices were measured (lz4 with a shuffle halves events and decodes fastest; zstd 1 is smallest and fastest on
sparse tensors, which a shuffle only makes larger). blosc has no checksum of its own, and that of zstd is taken over the
unpacked bytes, which costs a seventh of the time to unpack a tensor. So crc32c follows either, over the packed bytes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from google_crc32c import value as crc32c
from numpy.typing import NDArray

if TYPE_CHECKING:
    from zarr.core.common import JSON

__all__ = ["CHECKSUM_BYTES", "STAMPS", "TENSORS", "WORDS", "Packing"]

CHECKSUM_BYTES = 4
"""Of crc32c, little-endian, behind what it is taken over."""


@dataclass(frozen=True, slots=True)
class Packing:
    """A compressor and its options, with crc32c behind."""

    compressor: Literal["zstd", "blosc"]
    """Name in Zarr's metadata and in numcodecs alike."""

    options: Mapping[str, Any]
    """As the metadata have them."""

    def codecs(self) -> "list[dict[str, JSON]]":
        """Return the chain of codecs as the Zarr API takes it."""
        return [{"name": self.compressor, "configuration": dict(self.options)}, {"name": "crc32c"}]

    def packer(self) -> Callable[[NDArray[Any]], bytes]:
        """Return what packs the values of a chunk, to the same bytes as the Zarr API."""
        from numcodecs import blosc, get_codec

        # As the Zarr API has it: the threads of the library do not live through a fork.
        blosc.use_threads = False
        shuffles = {"noshuffle": blosc.NOSHUFFLE, "shuffle": blosc.SHUFFLE, "bitshuffle": blosc.BITSHUFFLE}
        options = {name: shuffles.get(value, value) for name, value in self.options.items()}
        codec = get_codec({"id": self.compressor, **options})

        def pack(values: NDArray[Any]) -> bytes:
            packed: bytes = codec.encode(values)
            checksum: int = crc32c(packed)
            return packed + checksum.to_bytes(CHECKSUM_BYTES, "little")

        return pack


TENSORS = Packing("zstd", MappingProxyType({"level": 1, "checksum": False}))
"""Of tensors, labels and indices."""

_LZ4 = {"cname": "lz4", "clevel": 5, "blocksize": 0}

STAMPS = Packing("blosc", MappingProxyType({**_LZ4, "shuffle": "shuffle"}))
"""Stamps rise slowly: their upper bytes are runs already, and whole bytes are put back in half the time of bits."""

WORDS = Packing("blosc", MappingProxyType({**_LZ4, "shuffle": "bitshuffle"}))
