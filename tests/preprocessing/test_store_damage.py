"""Stored recordings that are damaged: every flipped bit is found, and no column is taken at its word."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError
from eventdet.geometry import fit_pixels
from eventdet.preprocessing.representations import Representation
from eventdet.preprocessing.store import (
    StoredRecording,
    open_stored_recording,
)
from eventdet.preprocessing.store_writer import recording_writer

from .stores import SIZE, events_at, write_recording


@pytest.mark.parametrize("part", ["events/t/c/0", "events/word/c/0", "labels/x/c/0", "frames/histogram/c/0/0/0/0/0"])
def test_one_flipped_bit_is_found(tmp_path: Path, part: str) -> None:
    events = events_at(np.arange(0, 50_000, 7, dtype=np.int64))
    representation, pixels = Representation("histogram", 2), fit_pixels(SIZE, SIZE)
    with recording_writer(tmp_path / "r.zarr", SIZE) as writer:
        writer.add_events().append(events)
        writer.add_labels(Boxes.from_xywh(np.arange(40, dtype=np.float32).reshape(10, 4)))
        buffer = writer.add_frames(representation, pixels, start_us=0, window_us=50_000, stride_us=50_000)
        buffer.put(representation(events, 0, 50_000, pixels))
        writer.publish({"num_events": len(events), "t_first_us": 0, "t_last_us": 49_994})
    stored = bytearray((tmp_path / "r.zarr" / part).read_bytes())
    # In the middle of the first chunk: a shard ends with an index of 16 bytes for each of its 64 chunks and a crc.
    middle = (len(stored) - (64 * 16 + 4 if not part.startswith("labels") else 0)) // 2
    stored[middle] ^= 1
    (tmp_path / "r.zarr" / part).write_bytes(stored)
    recording = open_stored_recording(tmp_path / "r.zarr")
    with pytest.raises(FormatError, match="damaged"):
        _read_everything(recording)


def _read_everything(recording: StoredRecording) -> None:
    recording.events()
    recording.labels()
    list(recording.frames())


def _replace_column(recording: Path, name: str, values: NDArray[np.generic]) -> None:
    shutil.rmtree(recording / name)
    zarr.open_group(recording, mode="a").create_array(name, data=values)


def test_index_that_names_events_that_are_not_there_is_damage(tmp_path: Path) -> None:
    recording = write_recording(tmp_path / "r.zarr", events_at(np.arange(5000)))
    assert len(recording.events(0, 1000)) == 1000
    _replace_column(recording.path, "index/ms", np.array([0, 1000, 9000, 3000, 4000, 5000]))
    with pytest.raises(FormatError, match="index/ms names events 0 to 9000 of 5000"):
        open_stored_recording(recording.path).events(0, 2000)
    _replace_column(recording.path, "index/ms", np.array([0, 1000, 9000, 3000, 4000, 5000])[:0])
    with pytest.raises(FormatError, match=r"index/ms is of int64 \(0,\)"):
        open_stored_recording(recording.path).events(0, 2000)


def test_columns_of_different_lengths_are_damage(tmp_path: Path) -> None:
    recording = write_recording(tmp_path / "r.zarr", events_at(np.arange(5000)))
    _replace_column(recording.path, "events/word", np.zeros(4999, np.uint32))
    with pytest.raises(FormatError, match=r"events/t has shape \(5000,\), events/word \(4999,\)"):
        open_stored_recording(recording.path).events(0, 1000)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_columns_of_another_type_are_damage_before_a_kernel_sees_them(tmp_path: Path, dtype: str) -> None:
    recording = write_recording(tmp_path / "r.zarr", events_at(np.arange(50)))
    _replace_column(recording.path, "events/word", np.zeros(50, dtype))
    with pytest.raises(FormatError, match=f"events/word of {dtype}, must be uint32"):
        open_stored_recording(recording.path).events(0, 1000)


def test_columns_of_labels_of_different_lengths_are_damage(tmp_path: Path) -> None:
    labels = Boxes.from_xywh([[1, 2, 3, 4], [0, 0, 2, 2]], t=[3, 5])
    recording = write_recording(tmp_path / "r.zarr", events_at(np.arange(50)), labels=labels)
    assert len(recording.labels()) == 2
    _replace_column(recording.path, "labels/w", np.ones(1))
    with pytest.raises(FormatError, match="labels are of the shapes"):
        recording.labels()


@pytest.mark.parametrize("num_rows", [1 << 31, 1 << 40])
def test_labels_that_claim_more_rows_than_memory_holds_are_one_line(tmp_path: Path, num_rows: int) -> None:
    labels = Boxes.from_xywh([[1, 2, 3, 4], [0, 0, 2, 2]], t=[3, 5])
    recording = write_recording(tmp_path / "r.zarr", events_at(np.arange(50)), labels=labels)
    for name in ("t", "x"):
        metadata = recording.path / "labels" / name / "zarr.json"
        content = json.loads(metadata.read_text())
        content["shape"] = content["chunk_grid"]["configuration"]["chunk_shape"] = [num_rows]
        metadata.write_text(json.dumps(content))
    with pytest.raises(InputError, match="labels/t: "):
        recording.labels()


@pytest.mark.parametrize("num_events", [1 << 40, 1 << 63, (1 << 64) - 1])
def test_events_that_claim_more_than_are_there_are_one_line_and_spare_the_windows_that_are(
    tmp_path: Path, num_events: int
) -> None:
    events = events_at(np.arange(20_000))
    recording = write_recording(tmp_path / "r.zarr", events)
    for name in ("t", "word"):
        metadata = recording.path / "events" / name / "zarr.json"
        content = json.loads(metadata.read_text())
        content["shape"] = [num_events]
        metadata.write_text(json.dumps(content))
    claimed = open_stored_recording(recording.path)
    np.testing.assert_array_equal(claimed.events(3000, 4000).x, events.x[3000:4000])
    with pytest.raises(FormatError, match=r"damaged, .*missing"):
        list(claimed.chunks(first=20_480))
    # More than memory holds at once: the last row is looked for first.
    with pytest.raises(FormatError, match=r"damaged, .*missing"):
        next(claimed.chunks(num_events))
