"""What the store packs with, without the Zarr API: the limit of reading from it and of writing to it."""

from collections.abc import Iterator

import numpy as np
from google_crc32c import value as crc32c
from numcodecs import zstd
from numcodecs.blosc import Blosc
from numpy.typing import NDArray

__all__ = ["CHUNK_EVENTS", "pack_events", "pack_tensor"]

CHUNK_EVENTS = 1 << 13

_CODECS = [Blosc("lz4", clevel=5, shuffle=shuffle) for shuffle in (Blosc.SHUFFLE, Blosc.BITSHUFFLE)]
"""Of stamps, and of words."""


def pack_events(stamps: NDArray[np.uint32], words: NDArray[np.uint32]) -> Iterator[bytes]:
    """Yield the packed chunks of both columns, a chunk of stamps before its words."""
    for start in range(0, len(words), CHUNK_EVENTS):
        for codec, column in zip(_CODECS, (stamps, words), strict=True):
            packed = codec.encode(column[start : start + CHUNK_EVENTS])
            crc32c(packed)
            yield packed


def pack_tensor(tensor: NDArray[np.generic]) -> bytes:
    """Return a packed tensor."""
    packed: bytes = zstd.compress(tensor, 1, False)
    crc32c(packed)
    return packed
