from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import eventdet
from eventdet.cli.main import run
from eventdet.errors import InputError
from eventdet.events import Events
from eventdet.formats import ReadPolicy, open_recording, write_dat
from eventdet.geometry import GEN1
from eventdet.preprocessing import ConvertOptions, StoredRecording, convert
from eventdet.sources.stored import open_file_or_store


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    generator = np.random.default_rng(2)
    t = np.sort(generator.integers(0, 300_000, 5000))
    x, y = generator.integers(0, 304, 5000), generator.integers(0, 240, 5000)
    write_dat(tmp_path / "a_td.dat", Events.from_columns(t=t, x=x, y=y, p=t % 2), GEN1, synthetic=True)
    return tmp_path / "a_td.dat"


def test_a_store_is_the_same_recording_as_its_file(recording: Path, tmp_path: Path) -> None:
    convert(recording, tmp_path / "a.zarr", ConvertOptions(write_frames=False))
    stored, file = open_file_or_store(tmp_path / "a.zarr"), open_file_or_store(recording)
    assert (stored.format, file.format) == ("store", "dat")
    assert (stored.sensor_size, stored.num_events, stored.synthetic) == (GEN1, 5000, True)
    for one, other in zip(stored.windows(50_000), file.windows(50_000), strict=True):
        assert one.t0_us == other.t0_us
        np.testing.assert_array_equal(one.events.to_structured(), other.events.to_structured())


def test_eventdet_open_takes_a_file_and_a_store(recording: Path, tmp_path: Path) -> None:
    convert(recording, tmp_path / "a.zarr", ConvertOptions(write_frames=False))
    for path in (recording, tmp_path / "a.zarr"):
        opened = eventdet.open(path)
        assert isinstance(opened, eventdet.Recording)
        assert len(opened.slice(100_000, 200_000)) == opened.report.num_events > 0


def test_a_store_obeys_the_policy(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", Events.from_columns(t=[5, 5], x=[1, 1], y=[1, 1], p=[1, 1]), GEN1)
    convert(tmp_path / "a_td.dat", tmp_path / "a.zarr", ConvertOptions(write_frames=False))
    stored = open_file_or_store(tmp_path / "a.zarr", policy=ReadPolicy(duplicates="drop"))
    assert (stored.num_events, len(stored.slice(0, 10)), stored.report.duplicates_dropped) == (1, 1, 1)


def test_a_part_of_a_store_is_read_from_a_place_near_it(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(recording, tmp_path / "a.zarr", ConvertOptions(write_frames=False))
    begun = []

    def chunks(stored: StoredRecording, *, first: int = 0) -> Iterator[Events]:
        begun.append(first)
        return read(stored, 500, first=first)

    read = StoredRecording.chunks
    monkeypatch.setattr(StoredRecording, "chunks", chunks)
    late = open_file_or_store(tmp_path / "a.zarr").slice(250_000, 280_000)
    expected = open_recording(recording).slice(250_000, 280_000)
    np.testing.assert_array_equal(late.to_structured(), expected.to_structured())
    # The pass for the index, then a batch that ends at a stamp before the part: 5000 events fill 300 ms evenly.
    assert begun == [0, 4000]


def test_a_store_without_events_or_a_plain_folder_raises(recording: Path, tmp_path: Path) -> None:
    convert(recording, tmp_path / "a.zarr", ConvertOptions(write_events=False))
    with pytest.raises(InputError, match="stored without events"):
        list(open_file_or_store(tmp_path / "a.zarr").chunks())
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected one stored recording, found 0"):
        open_file_or_store(tmp_path / "empty")


def test_a_store_is_cut_and_drawn_like_a_file(recording: Path, tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    assert run(["convert", str(recording), "-o", str(store), "--no-frames", "-q"]) == 0
    assert run(["cut", str(store), "-o", str(tmp_path / "part.raw"), "--start", "50ms", "--end", "100ms", "-q"]) == 0
    assert run(["visualize", str(store), "-o", str(tmp_path / "picture.png"), "-q"]) == 0
    first = int(open_recording(recording).t_first_us)
    expected = open_recording(recording).slice(first + 50_000, first + 100_000)
    got = open_recording(tmp_path / "part.raw").slice(0, 10**9)
    np.testing.assert_array_equal(got.to_structured(), expected.to_structured())
