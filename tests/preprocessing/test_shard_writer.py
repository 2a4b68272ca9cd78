"""Shards written straight: byte for byte those of the Zarr API."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.preprocessing._packing import STAMPS, TENSORS, WORDS, Packing
from eventdet.preprocessing.shard_writer import ShardWriter

from .stores import content_of

PACKINGS = {"tensors": TENSORS, "stamps": STAMPS, "words": WORDS}
DTYPES = ["bool", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64"]


def _create(
    store: Any, shape: tuple[int, ...], dtype: Any, packing: Packing, *, chunk: int, shard: int
) -> "zarr.Array[Any]":
    row = shape[1:]
    return zarr.create_array(
        store, shape=shape, dtype=dtype, chunks=(chunk, *row), shards=(shard, *row), compressors=packing.codecs(),
        fill_value=0, config={"write_empty_chunks": True},
    )  # fmt: skip


@settings(max_examples=40)
@given(st.data())
def test_files_are_those_of_the_zarr_api_however_the_rows_come(data: st.DataObject) -> None:
    chunk, chunks_per_shard = data.draw(st.integers(1, 5), "chunk"), data.draw(st.integers(1, 4), "chunks_per_shard")
    row = tuple(data.draw(st.lists(st.integers(1, 4), max_size=3), "row"))
    packing = PACKINGS[data.draw(st.sampled_from(sorted(PACKINGS)), "packing")]
    dtype = "uint32" if packing is not TENSORS else data.draw(st.sampled_from(DTYPES), "dtype")
    parts = data.draw(st.lists(st.integers(0, 9), max_size=6), "parts")
    values = np.random.default_rng(sum(parts)).integers(0, 3, (sum(parts), *row)).astype(dtype)
    sizes = {"chunk": chunk, "shard": chunk * chunks_per_shard}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours", Path(folder) / "theirs"
        array = _create(theirs, values.shape, dtype, packing, **sizes)
        if len(values):
            array[...] = values
        writer = ShardWriter(_create(ours, (0, *row), dtype, packing, **sizes), packing)
        for part in np.split(values, np.cumsum(parts)):
            writer.append(part)
        assert writer.num_rows == len(values)
        writer.finish()
        assert writer.num_rows == len(values)
        assert content_of(ours) == content_of(theirs)


def test_rows_are_copied_unless_they_are_packed_at_once(tmp_path: Path) -> None:
    writer = ShardWriter(_create(tmp_path / "a", (0, 2), "uint8", TENSORS, chunk=3, shard=6), TENSORS)
    row = np.array([1, 2], np.uint8)
    for _ in range(4):
        writer.put(row)
        row += 1
    writer.append(np.array([[9, 9, 9, 9], [8, 8, 8, 8]], np.uint8)[:, ::2])
    writer.finish()
    expected = [[1, 2], [2, 3], [3, 4], [4, 5], [9, 9], [8, 8]]
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a", mode="r")[...], expected)


def test_values_in_the_byte_order_of_another_machine_are_turned_round(tmp_path: Path) -> None:
    writer = ShardWriter(_create(tmp_path / "a", (0,), "uint32", WORDS, chunk=2, shard=4), WORDS)
    values: NDArray[Any] = np.array([1, 2, 3], ">u4")
    writer.append(values)
    writer.finish()
    assert np.asarray(zarr.open_array(tmp_path / "a", mode="r")[...]).tolist() == [1, 2, 3]


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 3), (3, 2, 1), (0, 3)], ids=str)
def test_rows_of_another_shape_are_refused_and_not_spread(shape: tuple[int, ...], tmp_path: Path) -> None:
    writer = ShardWriter(_create(tmp_path / "a", (0, 2), "uint8", TENSORS, chunk=3, shard=6), TENSORS)
    with pytest.raises(OptionError, match=r"rows must be of shape \(2,\)"):
        writer.append(np.zeros(shape, np.uint8))
    assert writer.num_rows == 0


@pytest.mark.parametrize("shards", [None, (4, 2)], ids=["no shards", "columns are cut"])
def test_array_of_another_layout_is_refused(shards: tuple[int, int] | None, tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a", shape=(0, 2), dtype="u1", chunks=(2, 1), shards=shards)
    with pytest.raises(OptionError, match="must be sharded along its first axis alone"):
        ShardWriter(array, TENSORS)


def test_array_that_lies_in_no_folder_is_refused() -> None:
    array = _create(zarr.storage.MemoryStore(), (0,), "uint8", TENSORS, chunk=2, shard=4)
    with pytest.raises(OptionError, match="must lie in a folder"):
        ShardWriter(array, TENSORS)
