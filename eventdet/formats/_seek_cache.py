"""Seek indexes kept in the user's cache folder, so that a file is read through once and not once a process.

An index that is missing, damaged, of another file or of an older eventdet is built anew, and nobody is told: the
cache saves time and does nothing else. Whatever can be written into it by hand, no state gets from it into a kernel
that a decoder could not have.
"""

import hashlib
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

import numpy as np

from eventdet.caching import cache_folder
from eventdet.errors import OutputError

from ._atomic import atomic_writer
from ._payload import Payload
from ._seek import MOST_CHECKPOINTS, ROW_INTEGERS, Extent, SeekIndex
from ._state import CLOCK, LIMITS

__all__ = ["cached_index"]

_LAYOUT = b"eventdet seek index 2"
"""To be raised with the layout of the file, the meaning of a slot of the state, or what a decoder reads: an index from
before would tell another number of events than the file is read with."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_SMALLEST_CACHED = 1 << 22
"""Bytes of a file below which a pass takes some 10 ms: not worth a file in the cache."""

_BLOCK_BYTES = 1 << 16
_NUM_BLOCKS = 16
"""Blocks of a file that its fingerprint looks at, evenly spaced from its first to its last byte: 1 MB in sum."""


def cached_index(payload: Payload, *, build: Callable[[Payload], SeekIndex]) -> SeekIndex:
    """Return the index of a file from the cache, else `build` it and try to keep it there.

    The cache is the folder ``index`` in :func:`eventdet.caching.cache_folder`. An index belongs to a file of one path,
    size, time of change and fingerprint (its head, its tail and blocks between), read as one format on one sensor under
    one policy.

    Raises
    ------
    FormatError
        When the policy is strict and a record needs a repair; such a file is never in the cache.
    """
    cache = _cache_path(payload)
    identity = _identity(payload) if cache is not None else None
    if cache is None or identity is None:
        return build(payload)
    index = _load(cache, identity, payload.data_offset)
    if index is None:
        index = build(payload)
        # A file that somebody is still writing to has another identity by now.
        if _identity(payload) == identity:
            _save(cache, identity, index)
    return index


def _cache_path(payload: Payload) -> Path | None:
    """Return where the index of a file is kept, None when it is not worth it or there is no place."""
    folder = cache_folder()
    try:
        if folder is None or not payload.is_indexable or payload.path.stat().st_size < _SMALLEST_CACHED:
            return None
        name = hashlib.sha256(_reading(payload)).hexdigest()
    except (OSError, RuntimeError):  # A loop of links raises the latter.
        return None
    return folder / "index" / f"{name}.idx"


def _reading(payload: Payload) -> bytes:
    """Return what tells one file read in one way from all others."""
    facts = (
        str(payload.path.resolve()), payload.encoding.name, payload.sensor_size, payload.rules, payload.data_offset,
    )  # fmt: skip
    return repr(facts).encode()


def _identity(payload: Payload) -> bytes | None:
    """Return a digest of the file as it is now and of the way it is read, None when it cannot be read."""
    digest = hashlib.sha256(_LAYOUT + version("eventdet").encode() + _reading(payload))
    try:
        with payload.path.open("rb") as file:
            about = os.fstat(file.fileno())
            digest.update(repr((about.st_size, about.st_mtime_ns)).encode())
            _add_content(digest, file, about.st_size)
    except OSError:
        return None
    return digest.digest()


def _add_content(digest: "hashlib._Hash", file: BinaryIO, num_bytes: int) -> None:
    if num_bytes <= _NUM_BLOCKS * _BLOCK_BYTES:
        digest.update(file.read())
        return
    for number in range(_NUM_BLOCKS):
        file.seek(number * (num_bytes - _BLOCK_BYTES) // (_NUM_BLOCKS - 1))
        digest.update(file.read(_BLOCK_BYTES))


def _save(path: Path, identity: bytes, index: SeekIndex) -> None:
    body = identity + np.array(index.extent, "<i8").tobytes() + index.rows.astype("<i8").tobytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(path) as file:
            file.write(hashlib.sha256(body).digest() + body)
    except (OSError, OutputError):
        return


def _load(path: Path, identity: bytes, data_offset: int) -> SeekIndex | None:
    """Return the index in a file of the cache, None when it is not the one of this identity, whole and possible."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    head_bytes = len(identity) + 8 * len(Extent._fields)
    if (
        hashlib.sha256(body).digest() != digest
        or not body.startswith(identity)
        or len(body) < head_bytes
        or (len(body) - head_bytes) % (8 * ROW_INTEGERS)
    ):
        return None
    extent = Extent(*np.frombuffer(body, "<i8", len(Extent._fields), len(identity)).tolist())
    index = SeekIndex(np.frombuffer(body, "<i8", offset=head_bytes).reshape(-1, ROW_INTEGERS), extent)
    return index if _is_possible(index, data_offset) else None


def _is_possible(index: SeekIndex, data_offset: int) -> bool:
    """Return whether a pass through a file could have made the index: no kernel meets a state that it cannot take."""
    positions, states = index.rows[:, 0], index.rows[:, 1:]
    lowest, highest = np.array(LIMITS, np.int64).T
    return bool(
        len(positions) <= MOST_CHECKPOINTS
        and (positions >= data_offset).all()
        and (states >= lowest).all()
        and (states <= highest).all()
        and (positions[1:] >= positions[:-1]).all()
        and (states[1:, CLOCK] >= states[:-1, CLOCK]).all()
        and min(index.extent) >= 0
        and index.extent.t_last_us >= index.extent.t_first_us
    )
