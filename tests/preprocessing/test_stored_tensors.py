"""Stored tensors: they come back window by window, and damage shows as they are read."""

from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from eventdet.errors import FormatError
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.preprocessing.representations import Representation
from eventdet.preprocessing.store import open_stored_recording
from eventdet.preprocessing.store_writer import recording_writer

from .stores import flip_bit

SIZE = SensorSize(6, 8)


@pytest.mark.parametrize("num_windows", [0, 1, 64, 67])
def test_frames_come_back_window_by_window(tmp_path: Path, num_windows: int) -> None:
    representation = Representation("voxel", 2)
    tensors = np.random.default_rng(1).normal(size=(num_windows, 2, *SIZE)).astype(np.float32)
    with recording_writer(tmp_path / "r.zarr", SIZE) as writer:
        buffer = writer.add_frames(representation, fit_pixels(SIZE, SIZE), start_us=40, window_us=20, stride_us=10)
        for tensor in tensors:
            buffer.put(tensor)
        writer.publish({"num_events": 0, "t_first_us": 0, "t_last_us": 0})
    frames = open_stored_recording(tmp_path / "r.zarr").frames()
    assert (len(frames), frames.representation, frames.window(3)) == (num_windows, representation, (70, 90))
    array = zarr.open_array(tmp_path / "r.zarr/frames/voxel", mode="r")
    assert array.chunks == (1, 2, *SIZE)
    assert array.shards == (64, 2, *SIZE)
    np.testing.assert_array_equal(np.array([*frames]).reshape(tensors.shape), tensors)
    if num_windows:
        np.testing.assert_array_equal(frames[-1], tensors[-1])
    with pytest.raises(IndexError, match="window must be in"):
        frames[num_windows]


def test_windows_of_zeros_are_written_so_that_a_missing_chunk_is_damage(tmp_path: Path) -> None:
    with recording_writer(tmp_path / "r.zarr", SIZE) as writer:
        buffer = writer.add_frames(
            Representation("histogram", 1), fit_pixels(SIZE, SIZE), start_us=0, window_us=10, stride_us=10
        )
        buffer.put(np.zeros((1, 2, *SIZE), np.uint8))
        writer.publish({"num_events": 0, "t_first_us": 0, "t_last_us": 0})
    assert (tmp_path / "r.zarr/frames/histogram/c/0/0/0/0/0").is_file()


def _write_frames(target: Path, tensors: NDArray[np.uint8]) -> None:
    with recording_writer(target, SIZE) as writer:
        buffer = writer.add_frames(
            Representation("histogram", 2), fit_pixels(SIZE, SIZE), start_us=0, window_us=10, stride_us=10
        )
        for tensor in tensors:
            buffer.put(tensor)
        writer.publish({"num_events": 0, "t_first_us": 0, "t_last_us": 0})


def _assert_flips_are_found(recording: Path, tensors: NDArray[np.uint8]) -> None:
    """Flip 60 bits of the packed windows, one at a time, and read them without ``verify``."""
    (shard,) = (path for path in (recording / "frames/histogram/c").rglob("*") if path.is_file())
    whole = shard.read_bytes()
    num_packed = len(whole) - (64 * 16 + 4)
    for bit in np.random.default_rng(5).integers(0, 8 * num_packed, 60).tolist():
        flip_bit(shard, bit)
        with pytest.raises(FormatError, match="damaged, rows"):
            list(open_stored_recording(recording).frames())
        shard.write_bytes(whole)
    np.testing.assert_array_equal(np.array([*open_stored_recording(recording).frames()]), tensors)


def test_sixty_flipped_bits_of_stored_tensors_are_found_as_they_are_read(tmp_path: Path) -> None:
    tensors = np.random.default_rng(2).poisson(0.3, (7, 2, 2, *SIZE)).astype(np.uint8)
    _write_frames(tmp_path / "r.zarr", tensors)
    array = zarr.open_array(tmp_path / "r.zarr/frames/histogram", mode="r")
    assert array.compressors == (ZstdCodec(level=1, checksum=False), Crc32cCodec())
    _assert_flips_are_found(tmp_path / "r.zarr", tensors)


def test_tensors_of_earlier_stores_whose_checksum_is_that_of_zstd_are_read_and_flips_found(tmp_path: Path) -> None:
    tensors = np.random.default_rng(3).poisson(0.3, (7, 2, 2, *SIZE)).astype(np.uint8)
    _write_frames(tmp_path / "r.zarr", tensors)
    group = zarr.open_group(tmp_path / "r.zarr", mode="a")
    attributes = dict(group["frames/histogram"].attrs)
    array = group.create_array(
        "frames/histogram", shape=tensors.shape, dtype="u1", chunks=(1, 2, 2, *SIZE), shards=(64, 2, 2, *SIZE),
        compressors=[ZstdCodec(level=1, checksum=True)], attributes=attributes, overwrite=True,
    )  # fmt: skip
    array[:] = tensors
    _assert_flips_are_found(tmp_path / "r.zarr", tensors)
