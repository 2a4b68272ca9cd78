"""Rows read straight from shards: the Zarr API's values, and damage found."""

import gc
import json
import multiprocessing
import pickle
import resource
import shutil
import struct
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr
from google_crc32c import value as crc32c
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ZstdCodec

from eventdet.errors import FormatError, OptionError
from eventdet.preprocessing.shard_reader import ShardReader, open_rows

PACKINGS: dict[str, list[Any]] = {
    "blosc and crc32c": [BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), Crc32cCodec()],
    "blosc": [BloscCodec(cname="zstd", clevel=1, shuffle="noshuffle")],
    "zstd with checksum": [ZstdCodec(level=1, checksum=True)],
    "zstd": [ZstdCodec(level=1)],
    "zstd and crc32c": [ZstdCodec(level=1), Crc32cCodec()],
}
CHECKED = ["blosc and crc32c", "zstd with checksum", "zstd and crc32c"]
DTYPES = ["bool", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64"]


def _store(
    path: Path, values: NDArray[Any], packing: str, *, chunk: int = 4, shard: int | None = 8, **options: Any
) -> None:
    array = zarr.create_array(
        path,
        shape=values.shape,
        dtype=values.dtype,
        chunks=(chunk, *values.shape[1:]),
        shards=None if shard is None else (shard, *values.shape[1:]),
        compressors=PACKINGS[packing],
        fill_value=0,
        config={"write_empty_chunks": True},
        **options,
    )
    array[...] = values


def _random(shape: tuple[int, ...], dtype: str = "uint32", *, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 250, shape).astype(dtype)


def _first_shard(path: Path) -> Path:
    return next(child for child in sorted((path / "c").rglob("*")) if child.is_file())


@settings(max_examples=30)
@given(st.data())
def test_any_range_of_any_array_equals_what_the_zarr_api_reads(data: st.DataObject) -> None:
    chunk = data.draw(st.integers(1, 7), "chunk")
    chunks_per_shard = data.draw(st.none() | st.integers(1, 5), "chunks_per_shard")
    row = tuple(data.draw(st.lists(st.integers(1, 4), max_size=3), "row"))
    values = _random((data.draw(st.integers(1, 60), "rows"), *row), data.draw(st.sampled_from(DTYPES), "dtype"))
    shard = None if chunks_per_shard is None else chunk * chunks_per_shard
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        _store(path, values, data.draw(st.sampled_from(sorted(PACKINGS)), "packing"), chunk=chunk, shard=shard)
        reader, array = open_rows(path), zarr.open_array(path, mode="r")
        assert isinstance(reader, ShardReader)
        assert (reader.shape, reader.dtype) == (array.shape, array.dtype)
        for _ in range(4):
            start = data.draw(st.integers(0, len(values)), "start")
            stop = data.draw(st.integers(start, len(values)), "stop")
            np.testing.assert_array_equal(reader.read(start, stop), np.asarray(array[start:stop]), strict=True)


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_rows_equal_what_tensorstore_reads(packing: str, tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore", reason="tensorstore is not installed")
    _store(tmp_path / "a", _random((37, 3)), packing)
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(tmp_path / "a")}}
    array = tensorstore.open(spec).result()
    np.testing.assert_array_equal(open_rows(tmp_path / "a").read(5, 31), array[5:31].read().result(), strict=True)


@pytest.mark.parametrize(
    "options",
    [
        {"compressors": [GzipCodec(level=1)]},
        {"compressors": None},
        {"chunks": (4, 1), "shards": (8, 3)},
        {"chunk_key_encoding": {"name": "default", "separator": "."}},
        {"serializer": zarr.codecs.BytesCodec(endian="big")},
    ],
    ids=["gzip", "unpacked", "columns are cut", "dotted keys", "big endian"],
)
def test_array_of_another_layout_is_read_through_the_zarr_api(options: dict[str, Any], tmp_path: Path) -> None:
    values = _random((20, 3))
    usual: dict[str, Any] = {"chunks": (4, 3), "shards": (8, 3), "compressors": [ZstdCodec()]}
    array = zarr.create_array(tmp_path / "a", shape=(20, 3), dtype="uint32", **usual | options)
    array[...] = values
    reader = open_rows(tmp_path / "a")
    assert not isinstance(reader, ShardReader)
    np.testing.assert_array_equal(reader.read(3, 18), values[3:18], strict=True)
    with pytest.raises(OptionError, match=r"rows must lie in 0\.\.20, got 3 to 21"):
        reader.read(3, 21)


def test_index_at_the_start_of_a_shard_is_found(tmp_path: Path) -> None:
    from zarr.codecs import ShardingCodec

    values = _random((30,))
    sharding = ShardingCodec(chunk_shape=(4,), codecs=[zarr.codecs.BytesCodec(), ZstdCodec()], index_location="start")
    array = zarr.create_array(
        tmp_path / "a", shape=(30,), dtype="uint32", chunks=(8,), serializer=sharding, compressors=None
    )
    array[...] = values
    reader = open_rows(tmp_path / "a")
    assert isinstance(reader, ShardReader)
    np.testing.assert_array_equal(reader.read(0, 30), values)


def test_rows_are_decoded_into_the_given_array(tmp_path: Path) -> None:
    values = _random((20, 2))
    _store(tmp_path / "a", values, "zstd")
    out = np.zeros((9, 2), np.uint32)
    assert open_rows(tmp_path / "a").read(3, 12, out) is out
    np.testing.assert_array_equal(out, values[3:12])


@pytest.mark.parametrize(
    "out",
    [np.zeros((9, 3), np.uint32), np.zeros((9, 2), np.int32), np.zeros((9, 4), np.uint32)[:, ::2]],
    ids=["shape", "dtype", "order"],
)
def test_out_that_does_not_fit_is_refused(out: NDArray[Any], tmp_path: Path) -> None:
    _store(tmp_path / "a", _random((20, 2)), "zstd")
    with pytest.raises(OptionError, match=r"out must be a writable C-ordered uint32 \(9, 2\) array"):
        open_rows(tmp_path / "a").read(3, 12, out)


@pytest.mark.parametrize("rows", [(-1, 3), (4, 3), (0, 21)])
def test_rows_outside_the_array_are_refused(rows: tuple[int, int], tmp_path: Path) -> None:
    _store(tmp_path / "a", _random((20,)), "zstd")
    with pytest.raises(OptionError, match=r"rows must lie in 0\.\.20"):
        open_rows(tmp_path / "a").read(*rows)


@pytest.mark.parametrize("packing", CHECKED)
def test_every_flipped_bit_of_a_shard_is_found_or_changes_no_value(packing: str, tmp_path: Path) -> None:
    values = _random((16, 8))
    _store(tmp_path / "a", values, packing)
    shard = _first_shard(tmp_path / "a")
    whole = shard.read_bytes()
    num_found = 0
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        shard.write_bytes(flipped)
        try:
            # zstd has an unused bit in its header, and two ways of writing some streams.
            np.testing.assert_array_equal(open_rows(tmp_path / "a").read(0, 8), values[:8])
        except FormatError:
            num_found += 1
    assert num_found >= 0.97 * 8 * len(whole)
    if "crc32c" in packing:
        assert num_found == 8 * len(whole)


@settings(max_examples=300)
@given(st.sampled_from(sorted(PACKINGS)), st.data())
def test_mutated_shard_is_a_format_error_or_other_values_and_never_a_crash(packing: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        shutil.copytree(_prepared(packing), path)
        shard = _first_shard(path)
        content = bytearray(shard.read_bytes())
        for _ in range(data.draw(st.integers(1, 6))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(content)))
        # Also with a true checksum of the index, so that what lies behind it is reached.
        body = content[: -4 - 32] if len(content) > 36 else content
        index = bytes(content[len(body) : -4])
        sealed = bytes(body) + index + struct.pack("<I", crc32c(index))
        shard.write_bytes(data.draw(st.sampled_from([bytes(content), bytes(content[:cut]), sealed])))
        try:
            rows = open_rows(path).read(0, 8)
        except FormatError:
            return
        assert rows.shape == (8, 8)
        assert rows.dtype == np.dtype("uint32")


_FOLDER = tempfile.TemporaryDirectory(prefix="eventdet-test-")


def _prepared(packing: str) -> Path:
    path = Path(_FOLDER.name) / packing
    if not path.exists():
        _store(path, _random((16, 8)), packing)
    return path


@pytest.fixture(scope="module", autouse=True)
def _remove_prepared() -> Iterator[None]:
    yield
    _FOLDER.cleanup()


def _with_index(shard: Path, entries: list[tuple[int, int]]) -> None:
    """Put another index, with its true checksum, at the end of a shard of two chunks."""
    body = shard.read_bytes()[: -4 - 16 * len(entries)]
    index = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    shard.write_bytes(body + index + struct.pack("<I", crc32c(index)))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ((2**64 - 1, 2**64 - 1), "rows 0 to 4: missing"),
        ((0, 2**62), "rows 0 to 4: bytes 0 to"),
        ((2**63, 2**63), "rows 0 to 4: bytes"),
        ((0, 0), "rows 0 to 4: "),
        ((0, 3), "rows 0 to 4: "),
    ],
    ids=["missing", "too long", "sum beyond 64 bits", "empty", "shorter than its checksum"],
)
@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_impossible_span_in_the_index_is_named(
    packing: str, entry: tuple[int, int], reason: str, tmp_path: Path
) -> None:
    _store(tmp_path / "a", _random((16, 8)), packing)
    shard = _first_shard(tmp_path / "a")
    _with_index(shard, [entry, (0, 10)])
    with pytest.raises(FormatError, match=reason):
        open_rows(tmp_path / "a").read(0, 4)


@pytest.mark.parametrize("packing", sorted(PACKINGS))
def test_chunk_that_unpacks_to_another_size_is_damage(packing: str, tmp_path: Path) -> None:
    # Three rows where the metadata say four: the bytes are sound, and the last row would be left as it was.
    _store(tmp_path / "a", _random((3, 8)), packing, chunk=3, shard=None)
    metadata = tmp_path / "a" / "zarr.json"
    content = json.loads(metadata.read_text())
    content["shape"][0] = content["chunk_grid"]["configuration"]["chunk_shape"][0] = 4
    metadata.write_text(json.dumps(content))
    with pytest.raises(FormatError, match="unpacks to 96 bytes, must be 128"):
        open_rows(tmp_path / "a").read(0, 4)


def test_shape_beyond_what_is_stored_is_damage_before_memory_is_taken(tmp_path: Path) -> None:
    _store(tmp_path / "a", _random((16,)), "zstd")
    metadata = tmp_path / "a" / "zarr.json"
    content = json.loads(metadata.read_text())
    content["shape"][0] = 1 << 40
    metadata.write_text(json.dumps(content))
    with pytest.raises(FormatError, match="missing"):
        open_rows(tmp_path / "a").read(8, 1 << 40)


def test_chunks_of_nothing_are_a_format_error(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a", data=np.zeros(16, np.uint8), chunks=(4,))
    metadata = tmp_path / "a" / "zarr.json"
    content = json.loads(metadata.read_text())
    content["chunk_grid"]["configuration"]["chunk_shape"] = [0]
    metadata.write_text(json.dumps(content))
    with pytest.raises(FormatError, match="damaged"):
        open_rows(tmp_path / "a").read(0, 4)


def test_missing_shard_is_damage(tmp_path: Path) -> None:
    _store(tmp_path / "a", _random((16,)), "zstd")
    (tmp_path / "a" / "c" / "1").unlink()
    reader = open_rows(tmp_path / "a")
    assert len(reader.read(0, 8)) == 8
    with pytest.raises(FormatError, match=r"c/1: damaged, missing"):
        reader.read(7, 9)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"shape": 3}', b"\xff", b"[" * 100_000, b'{"a":' * 100_000],
    ids=lambda content: repr(content[:12]),
)
def test_metadata_that_describe_no_array_are_a_format_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_bytes(content)
    with pytest.raises(FormatError, match="damaged"):
        open_rows(tmp_path)


def test_array_that_is_written_again_is_read_from_its_new_files(tmp_path: Path) -> None:
    first, second = _random((16,), seed=1), _random((16,), seed=2)
    _store(tmp_path / "a", first, "zstd")
    earlier = open_rows(tmp_path / "a")
    earlier.read(0, 16)
    _store(tmp_path / "b", second, "zstd")
    (tmp_path / "a").rename(tmp_path / "old")
    (tmp_path / "b").rename(tmp_path / "a")
    np.testing.assert_array_equal(open_rows(tmp_path / "a").read(0, 16), second)
    np.testing.assert_array_equal(earlier.read(0, 16), first)


def test_number_of_open_files_is_bounded(tmp_path: Path) -> None:
    values = _random((600,))
    _store(tmp_path / "a", values, "zstd", chunk=2, shard=4)
    reader = open_rows(tmp_path / "a")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    num_open = len([*Path("/proc/self/fd").iterdir()])
    # 150 shards in one read.
    resource.setrlimit(resource.RLIMIT_NOFILE, (num_open + 80, hard))
    try:
        np.testing.assert_array_equal(reader.read(0, 600), values)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    gc.collect()
    opened = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert 0 < sum(tmp_path in path.parents for path in opened) <= 64


def test_threads_read_right_rows_while_files_are_closed_and_opened_again(tmp_path: Path) -> None:
    values = _random((800,))
    _store(tmp_path / "a", values, "zstd and crc32c", chunk=2, shard=4)
    reader = open_rows(tmp_path / "a")

    def read(seed: int) -> bool:
        starts = np.random.default_rng(seed).integers(0, 790, 300).tolist()
        return all(np.array_equal(reader.read(start, start + 9), values[start : start + 9]) for start in starts)

    # 200 shards and 64 open files: every thread closes files that others read from.
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))


@pytest.mark.parametrize("shuffle", ["shuffle", "bitshuffle"])
@settings(max_examples=10)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=1, max_size=20))
def test_any_range_of_a_column_of_events_equals_its_values(
    tmp_path_factory: pytest.TempPathFactory, shuffle: Literal["shuffle", "bitshuffle"], ranges: list[tuple[int, int]]
) -> None:
    values = np.sort(_random((3000,))) * np.uint32(77)
    path = tmp_path_factory.mktemp("column")
    packing = [BloscCodec(cname="lz4", clevel=5, shuffle=shuffle), Crc32cCodec()]
    zarr.create_array(path, data=values, chunks=(512,), shards=(2048,), compressors=packing)
    reader = open_rows(path)
    for edges in ranges:
        start, stop = sorted(edges)
        np.testing.assert_array_equal(reader.read(start, stop), values[start:stop])
    np.testing.assert_array_equal(zarr.open_array(path, mode="r")[:], values)


def test_chunk_read_in_part_is_kept_for_the_next_read_and_left_behind_by_pickle(tmp_path: Path) -> None:
    values = _random((16,))
    _store(tmp_path / "a", values, "zstd and crc32c")
    reader = open_rows(tmp_path / "a")
    reader.read(0, 2)
    shard = _first_shard(tmp_path / "a")
    with shard.open("r+b") as file:
        file.write(bytes(8))
    np.testing.assert_array_equal(reader.read(1, 3), values[1:3])
    with pytest.raises(FormatError, match="rows 0 to 4: wrong checksum"):
        pickle.loads(pickle.dumps(reader)).read(1, 3)
    reader.read(5, 6)
    with pytest.raises(FormatError, match="rows 0 to 4: wrong checksum"):
        reader.read(1, 3)


def test_pickled_reader_reads_the_same(tmp_path: Path) -> None:
    values = _random((16,))
    _store(tmp_path / "a", values, "zstd")
    reader = open_rows(tmp_path / "a")
    reader.read(0, 16)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader)).read(0, 16), values)


def _read_in_child(reader: ShardReader, connection: Any) -> None:
    for _ in range(20):
        connection.send(reader.read(0, 16).tolist())


# Python warns of forking beside threads, which other tests may have left.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_child_and_parent_read_at_once_from_the_same_open_file(tmp_path: Path) -> None:
    values = _random((16,))
    _store(tmp_path / "a", values, "blosc and crc32c")
    reader = open_rows(tmp_path / "a")
    reader.read(0, 16)
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_read_in_child, args=(reader, sending))
    child.start()
    for _ in range(20):
        np.testing.assert_array_equal(reader.read(0, 16), values)
        assert receiving.recv() == values.tolist()
    child.join(30)
    assert child.exitcode == 0
