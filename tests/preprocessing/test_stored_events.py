"""Windows and batches of stored events: NumPy's, whatever the layout of the columns is."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.geometry import GEN1
from eventdet.preprocessing._layout import pack_words
from eventdet.preprocessing._stored_events import StoredEvents

from .stores import events_at

BASE_US = -(10**12)
CRC = Crc32cCodec()
STAMPS = [BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"), CRC]
WORDS = [BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), CRC]

# Codecs and chunks of stamps and of words, and chunks of a shard.
LAYOUTS: dict[str, tuple[list[Any], list[Any], int, int, int | None]] = {
    "the store's": (STAMPS, WORDS, 8192, 8192, 128),
    "bits and bytes": (WORDS, STAMPS, 8192, 8192, 128),
    "small chunks": (STAMPS, WORDS, 128, 128, 8),
    "no shards": (STAMPS, WORDS, 4096, 4096, None),
    "no checksums": (STAMPS[:1], WORDS[:1], 8192, 8192, 4),
    "unequal chunks": (STAMPS, WORDS, 8192, 4096, 4),
    "chunks of no groups of 8": (STAMPS, WORDS, 1004, 1004, 4),
    "tiny chunks": (STAMPS, WORDS, 7, 7, 3000),
    "many blocks": (STAMPS, WORDS, 1 << 17, 1 << 17, 1),
    "not shuffled": ([BloscCodec(cname="lz4", shuffle="noshuffle")], WORDS, 8192, 8192, 4),
    "left unpacked": ([BloscCodec(cname="lz4", clevel=0, shuffle="shuffle")], WORDS, 8192, 8192, 4),
    "zstd in blosc": (STAMPS, [BloscCodec(cname="zstd", shuffle="bitshuffle")], 8192, 8192, 4),
    "zstd": ([ZstdCodec(level=1), CRC], [ZstdCodec(level=1), CRC], 8192, 8192, 4),
}

IN_PART = {"the store's", "bits and bytes", "small chunks", "no shards", "no checksums", "many blocks", "left unpacked"}
"""Layouts whose chunks go to the kernels, which leave the last two to the library."""


def _events(num_events: int) -> Events:
    """Return events with pauses, bursts and many of one stamp."""
    rng = np.random.default_rng(num_events)
    gaps = rng.choice(np.array([0, 1, 20, 9000]), num_events, p=[0.4, 0.4, 0.19, 0.01])
    return events_at(BASE_US + np.cumsum(gaps), size=GEN1)


def _store(path: Path, events: Events, layout: str = "the store's") -> StoredEvents:
    stamps, words, *chunks, per_shard = LAYOUTS[layout]
    group = zarr.create_group(path)
    columns: tuple[NDArray[np.uint32], ...] = (events.t - BASE_US).astype(np.uint32), pack_words(events)
    for name, values, packing, chunk in zip(("t", "word"), columns, (stamps, words), chunks, strict=True):
        array = group.create_array(
            f"events/{name}",
            shape=values.shape,
            dtype=values.dtype,
            chunks=(chunk,),
            shards=None if per_shard is None else (chunk * per_shard,),
            compressors=packing,
            config={"write_empty_chunks": True},
        )
        array[:] = values
    last_us = int(columns[0][-1]) if len(events) else 0
    index = np.searchsorted(columns[0], np.arange(last_us // 1000 + 2) * 1000)
    group.create_array("index/ms", data=index, config={"write_empty_chunks": True})
    return StoredEvents(path, BASE_US)


def _assert_equal(got: Events, expected: Events) -> None:
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_windows_and_batches_of_any_layout_are_those_of_the_events(tmp_path: Path, layout: str) -> None:
    events = _events(20_000)
    stored = _store(tmp_path / "a", events, layout)
    assert (stored._chunks is None) == (layout not in IN_PART)
    rng = np.random.default_rng(1)
    last_us = int(events.t[-1])
    for start, length in zip(rng.integers(BASE_US - 2000, last_us, 60), rng.integers(0, 400_000, 60), strict=True):
        _assert_equal(stored.between(int(start), int(start + length)), events.between(start, start + length))
    _assert_equal(stored.between(None, None), events)
    for num_events, first in ((5000, 0), (8192, 8191), (1, 19_990), (100_000, 3), (10, 20_000)):
        batches = list(stored.batches(num_events, first=first))
        assert all(len(batch) == num_events for batch in batches[:-1])
        _assert_equal(Events.concatenate(batches), events[first:])


@pytest.mark.parametrize("num_events", [0, 1, 8191, 8192, 8193, 16_384])
def test_windows_at_the_edges_of_chunks(tmp_path: Path, num_events: int) -> None:
    events = _events(num_events)
    stored = _store(tmp_path / "a", events)
    _assert_equal(stored.between(None, None), events)
    for place in range(0, num_events + 1, 4096):
        t_us = int(events.t[min(place, num_events - 1)]) if num_events else BASE_US
        for edges in ((t_us, t_us), (t_us, t_us + 1), (t_us - 1, t_us), (t_us - 50_000, t_us + 50_000), (t_us, None)):
            end_us = 2**62 if edges[1] is None else edges[1]
            _assert_equal(stored.between(*edges), events.between(edges[0], end_us))


def test_threads_read_one_recording(tmp_path: Path) -> None:
    events = _events(60_000)
    stored = _store(tmp_path / "a", events)

    def read(seed: int) -> bool:
        starts = np.random.default_rng(seed).integers(BASE_US, int(events.t[-1]), 200).tolist()
        return all(
            np.array_equal(stored.between(start, start + 3000).x, events.between(start, start + 3000).x)
            for start in starts
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(8)))


def test_last_chunk_is_kept_for_the_next_window_and_left_behind_by_pickle(tmp_path: Path) -> None:
    events = _events(8192)
    stored = _store(tmp_path / "a", events)
    middle_us = int(events.t[4000])
    first = stored.between(middle_us, middle_us + 1000)
    with (tmp_path / "a/events/word/c/0").open("r+b") as file:
        file.write(bytes(64))
    _assert_equal(stored.between(middle_us, middle_us + 1000), first)
    with pytest.raises(FormatError, match="rows 0 to 8192: wrong checksum"):
        pickle.loads(pickle.dumps(stored)).between(middle_us, middle_us + 1000)


def test_damage_in_one_chunk_spares_the_windows_of_others(tmp_path: Path) -> None:
    events = _events(20_000)
    stored = _store(tmp_path / "a", events, "no checksums")
    with (tmp_path / "a/events/t/c/0").open("r+b") as file:
        # A version of blosc that there is not.
        file.write(b"\x7f")
    edge_us = int(events.t[9000])
    _assert_equal(stored.between(edge_us, None), events.between(edge_us, 2**62))
    with pytest.raises(FormatError, match="events/t: damaged, rows 0 to 8192"):
        stored.between(None, edge_us)


@pytest.mark.parametrize("options", [{"num_events": 0, "first": 0}, {"num_events": 10, "first": -5}], ids=str)
def test_batches_that_cannot_be_are_refused_before_any_is_read(tmp_path: Path, options: dict[str, int]) -> None:
    stored = _store(tmp_path / "a", _events(100))
    with pytest.raises(OptionError, match="num_events must be >= 1 and first >= 0, got"):
        stored.batches(**options)


@pytest.mark.parametrize(
    "index",
    [np.zeros((2, 2), np.int64), np.array([0.0, np.nan]), np.array(3), np.zeros(0, np.int64)],
    ids=["table", "fractions", "number", "nothing"],
)
def test_index_of_another_shape_is_damage(tmp_path: Path, index: NDArray[Any]) -> None:
    stored = _store(tmp_path / "a", _events(100))
    zarr.open_group(tmp_path / "a", mode="a").create_array("index/ms", data=index, overwrite=True)
    with pytest.raises(FormatError, match="damaged, index/ms is of"):
        stored.between(None, None)
