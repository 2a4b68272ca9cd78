"""The contenders of the store benchmark read the same windows, and every line comes out."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from eventdet.benchmarks import store as benchmark
from eventdet.benchmarks._codecs import pack_events
from eventdet.benchmarks._traffic import traffic
from eventdet.formats import write_dat
from eventdet.geometry import GEN1
from eventdet.preprocessing import ConvertOptions, convert, open_stored_recording
from eventdet.preprocessing.shard_reader import ShardReader, open_rows

pytest.importorskip("hdf5plugin")


def test_windows_of_columns_are_those_of_the_recording(tmp_path: Path) -> None:
    events = traffic(20_000, 200_000)
    write_dat(tmp_path / "a.dat", events, GEN1)
    convert(tmp_path / "a.dat", tmp_path / "store", ConvertOptions(write_frames=False))
    recording = open_stored_recording(tmp_path / "store")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        benchmark._write_events(file, events, {})
        columns = benchmark._EventColumns(file["events/t"], [file["events/y"]], file["ms_to_idx"][:], 0)
        for t0_us in (0, 777, 149_999):
            expected = recording.events(t0_us, t0_us + 50_000).y
            assert len(expected) > 1000
            np.testing.assert_array_equal(columns.window(t0_us), expected)


def test_limit_of_the_windows_unpacks_the_chunks_that_are_stored(tmp_path: Path) -> None:
    events = traffic(40_000, 400_000)
    write_dat(tmp_path / "a.dat", events, GEN1)
    convert(tmp_path / "a.dat", tmp_path / "store", ConvertOptions(write_frames=False))
    recording = open_stored_recording(tmp_path / "store")
    stamps, words = (benchmark._rows(recording, name) for name in ("t", "word"))
    packed = list(pack_events(stamps, words))
    for column, name in enumerate(("t", "word")):
        reader = open_rows(recording.path / "events" / name)
        assert isinstance(reader, ShardReader)
        # The last chunk is filled up in the store.
        assert [reader.packed(chunk).tobytes() for chunk in range(4)] == packed[column:8:2]


def test_rows_name_every_contender_with_a_positive_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "_NUM_EVENTS", 20_000)
    monkeypatch.setattr(benchmark, "_DURATION_US", 400_000)
    monkeypatch.setattr(benchmark, "_READS", 3)
    monkeypatch.setattr(benchmark, "_CLIP_WINDOWS", 2)
    rows = benchmark.benchmark_store(repeats=1)
    assert [row.name.partition(", ")[0] for row in rows[:5]] == ["50 ms of events"] * 5
    tensors = [label for label in ("5 bins, 250 ms", "10 bins, 50 ms") for _ in range(6)]
    clips = [label for label in ("5 bins, 250 ms, clips", "10 bins, 50 ms, clips") for _ in range(2)]
    assert [row.name.rpartition(", ")[0] for row in rows[5:]] == tensors + clips
    assert all(row.value > 0 and row.unit == "/CPU-s" for row in rows)
    assert [row.name.rpartition(", ")[2] for row in rows if row.ratio is None] == ["eventdet"] * 5
