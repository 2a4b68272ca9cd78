"""Import of RVT's folders: what was exported comes back, and what is broken is told."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import EventdetError, FormatError, InputError, OptionError
from eventdet.preprocessing import ConvertOptions, Representation, StoredRecording, convert, open_stored_recording
from eventdet.preprocessing.interchange import RvtOptions, export_rvt, import_rvt
from eventdet.preprocessing.verify import verify_store

from .stores import HISTOGRAM, RvtSequence, make_labels, make_recording, make_store

OPTIONS = RvtOptions(representation=HISTOGRAM)
FOLDER = "histogram_dt=50_nbins=3"


def _assert_equal_boxes(got: Boxes, expected: Boxes) -> None:
    for name in ("xyxy", "t", "class_id", "score", "track_id"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))


def _assert_equal_windows(got: StoredRecording, expected: StoredRecording) -> None:
    """Compare each window of one with the window of the same span in the other."""
    windows = {expected.frames().window(index): index for index in range(len(expected.frames()))}
    for index, tensor in enumerate(got.frames()):
        np.testing.assert_array_equal(tensor, expected.frames()[windows[got.frames().window(index)]])


def _imported(tmp_path: Path, options: RvtOptions = OPTIONS) -> StoredRecording:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", options)
    import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    return open_stored_recording(tmp_path / "back.zarr")


@pytest.mark.parametrize(
    "representation",
    [
        HISTOGRAM,
        Representation("voxel", 4),
        Representation("rvt_histogram", 10),
        Representation("rvt_mixed_density", 3, cutoff=7),
        Representation("tore", 1, depth=2),
    ],
    ids=lambda representation: representation.name,
)
def test_store_to_rvt_to_store_gives_equal_frames_and_labels(tmp_path: Path, representation: Representation) -> None:
    frames_only = ConvertOptions(representation=representation, window_us=50_000, write_events=False)
    store = make_store(tmp_path, frames_only)
    export_rvt(store, tmp_path / "rvt", RvtOptions(representation=representation))
    import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    got, expected = (open_stored_recording(path) for path in (tmp_path / "back.zarr", store))
    assert got.frames().representation == representation
    assert len(got.frames()) == 14
    _assert_equal_windows(got, expected)
    _assert_equal_boxes(got.labels(), expected.labels())


def test_rvt_to_store_to_rvt_gives_equal_tensors_and_labels(tmp_path: Path) -> None:
    _imported(tmp_path)
    export_rvt(tmp_path / "back.zarr", tmp_path / "again", OPTIONS)
    first, again = (RvtSequence(tmp_path / name / "train" / "drive0", FOLDER) for name in ("rvt", "again"))
    np.testing.assert_array_equal(first.tensors(0, 99), again.tensors(0, 99))
    np.testing.assert_array_equal(first.ends_us, again.ends_us)
    np.testing.assert_array_equal(first.labels, again.labels)


def test_windows_without_a_common_stride_keep_their_stamps(tmp_path: Path) -> None:
    make_recording(tmp_path / "raw" / "train", labels=make_labels([250_000, 501_500, 750_000]))
    convert(tmp_path / "raw", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    export_rvt(tmp_path / "store.zarr", tmp_path / "rvt", OPTIONS)
    import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    frames = open_stored_recording(tmp_path / "back.zarr").frames()
    ends = RvtSequence(tmp_path / "rvt" / "train" / "drive", FOLDER).ends_us
    assert [frames.window(index)[1] for index in range(len(frames))] == ends.tolist()
    export_rvt(tmp_path / "back.zarr", tmp_path / "again", OPTIONS)
    first, again = (RvtSequence(tmp_path / name / "train" / "drive", FOLDER) for name in ("rvt", "again"))
    np.testing.assert_array_equal(first.tensors(0, 99), again.tensors(0, 99))


def test_a_label_that_strays_from_its_window_keeps_its_stamp(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    ends = tmp_path / "rvt" / "train" / "drive0" / "event_representations_v2" / FOLDER / "timestamps_us.npy"
    np.save(ends, np.load(ends) + 700)
    import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    recording = open_stored_recording(tmp_path / "back.zarr")
    assert np.unique(recording.labels().t).tolist() == [250_000, 500_000, 750_000]
    assert recording.frames().window(3) == (200_700, 250_700)


def test_the_import_says_where_it_comes_from_and_is_a_sound_store(tmp_path: Path) -> None:
    recording = _imported(tmp_path)
    assert recording.path == tmp_path / "back.zarr" / "train" / "drive0.zarr"
    assert not recording.has_events
    assert recording.attributes["source_format"] == "rvt"
    assert recording.synthetic is False
    report = verify_store(tmp_path / "back.zarr", deep=True)
    assert (report.num_recordings, report.findings, report.notes) == (1, (), ())


def test_without_a_note_the_folder_tells_what_the_tensors_are(tmp_path: Path) -> None:
    options = RvtOptions(representation=Representation("rvt_mixed_density", 3, cutoff=7))
    export_rvt(make_store(tmp_path), tmp_path / "rvt", options)
    (tmp_path / "rvt" / "train" / "drive0" / "eventdet.json").unlink()
    import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    recording = open_stored_recording(tmp_path / "back.zarr")
    assert recording.frames().representation == options.representation
    assert recording.synthetic is None


def test_downsampled_tensors_are_those_of_a_sensor_of_half_the_size(tmp_path: Path) -> None:
    recording = _imported(tmp_path, RvtOptions(representation=HISTOGRAM, downsample=True))
    assert recording.sensor_size == (20, 25)
    assert recording.frames()[0].shape == (3, 2, 20, 25)
    np.testing.assert_array_equal(recording.labels().xywh, make_labels().xywh / 2)


def test_a_second_import_writes_nothing(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path, splits=("train", "val")), tmp_path / "rvt", OPTIONS)
    first = import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    again = import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    assert (first.num_written, first.num_windows, first.num_boxes) == (2, 28, 12)
    assert (again.num_written, again.num_up_to_date, again.num_windows) == (0, 2, 28)


def test_of_several_kinds_of_tensors_one_is_chosen(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    tensors = tmp_path / "rvt" / "train" / "drive0" / "event_representations_v2"
    (tensors / "voxel_dt=50_nbins=5").mkdir()
    with pytest.raises(OptionError, match=r"several kinds of tensors, histogram_dt=50_nbins=3, voxel_dt=50_nbins=5"):
        import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    summary = import_rvt(tmp_path / "rvt", tmp_path / "back.zarr", representation=FOLDER)
    assert summary.num_written == 1


def test_no_recording_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recordings of RVT's layout"):
        import_rvt(tmp_path, tmp_path / "back.zarr")


def _other_name(tensors: Path) -> None:
    tensors.rename(tensors.with_name("stacked_histogram_ne=50000_nbins=3"))


def _other_bins(tensors: Path) -> None:
    tensors.rename(tensors.with_name("histogram_dt=50_nbins=4"))


def _cut(name: str) -> Callable[[Path], None]:
    return lambda tensors: os.truncate(tensors / name, (tensors / name).stat().st_size - 9)


def _number(name: str, place: int, value: int) -> Callable[[Path], None]:
    def change(tensors: Path) -> None:
        numbers = np.load(tensors / name)
        numbers[place] = value
        np.save(tensors / name, numbers)

    return change


def _floats(tensors: Path) -> None:
    np.save(tensors / "timestamps_us.npy", np.zeros(3))


def _other_data(tensors: Path) -> None:
    with h5py.File(tensors / "event_representations.h5", "w") as file:
        file["data"] = np.zeros((14, 6, 4, 5), np.float32)


def _no_data(tensors: Path) -> None:
    with h5py.File(tensors / "event_representations.h5", "w") as file:
        file.create_group("data")


def _flipped(tensors: Path) -> None:
    path = tensors / "event_representations.h5"
    with h5py.File(path) as file:
        chunk = file["data"].id.get_chunk_info(5)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (_other_name, "its name must be"),
        (_other_bins, "6 channels are not those of histogram with 4 bins"),
        (_cut("timestamps_us.npy"), r"timestamps_us\.npy: cut"),
        (_number("timestamps_us.npy", 13, 1 << 62), "must increase, below"),
        (_cut("event_representations.h5"), r"event_representations\.h5: broken"),
        (_number("timestamps_us.npy", 1, 0), "must increase"),
        (_number("timestamps_us.npy", 13, 800_000), "must name the window that ends"),
        (_number("objframe_idx_2_repr_idx.npy", 0, 14), "must name the window that ends"),
        (_number("objframe_idx_2_repr_idx.npy", 0, -1), "must name the window that ends"),
        (_floats, "must be a list of integers"),
        (_other_data, "data must be uint8"),
        (_no_data, r"event_representations\.h5: broken"),
        (_flipped, r"event_representations\.h5: broken"),
        (lambda tensors: (tensors / "objframe_idx_2_repr_idx.npy").unlink(), "cannot be read"),
        (lambda tensors: (tensors / "event_representations.h5").unlink(), "cannot be read"),
    ],
    ids=[
        "windows by count", "bins", "cut stamps", "late stamps", "cut tensors", "stamps", "label off", "beyond",
        "negative", "floats", "other tensors", "no tensors", "flipped", "no index", "no file",
    ],
)  # fmt: skip
def test_what_is_broken_is_told_and_nothing_is_stored(
    tmp_path: Path, spoil: Callable[[Path], None], match: str
) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    sequence = tmp_path / "rvt" / "train" / "drive0"
    (sequence / "eventdet.json").unlink()
    spoil(sequence / "event_representations_v2" / FOLDER)
    with pytest.raises(InputError, match=match):
        import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    assert not list(tmp_path.glob("back.zarr/**/*.zarr"))


def test_changed_bytes_end_in_an_error_of_eventdet_or_are_read(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    small = [path for path in tmp_path.glob("rvt/train/**/*") if path.suffix in {".npy", ".npz", ".json"}]
    rng = np.random.default_rng(5)
    for number in range(80):
        path = small[number % len(small)]
        content = path.read_bytes()
        changed = bytearray(content)
        for place in rng.integers(0, min(len(content), rng.choice([150, 3000])), rng.integers(1, 6)):
            changed[place] = rng.integers(256)
        path.write_bytes(changed)
        with suppress(EventdetError):
            import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
        path.write_bytes(content)


def test_of_several_a_broken_recording_is_told_and_the_others_are_imported(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path, splits=("train", "val")), tmp_path / "rvt", OPTIONS)
    (tmp_path / "rvt" / "val" / "drive1" / "labels_v2" / "labels.npz").write_bytes(b"")
    summary = import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
    assert (summary.num_written, [failure.path.name for failure in summary.failed]) == (1, ["drive1"])
    assert verify_store(tmp_path / "back.zarr").findings == ()


def test_a_claim_of_large_tensors_is_not_believed(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    path = RvtSequence(tmp_path / "rvt" / "train" / "drive0", FOLDER).file
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (14, 6, 10_000, 10_000), np.uint8, chunks=(1, 1, 10, 10))
    with pytest.raises(FormatError, match="a tensor must be below"):
        import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")


def test_every_error_of_an_import_is_one_of_eventdet(tmp_path: Path) -> None:
    (tmp_path / "rvt" / "train" / "a" / "event_representations_v2").mkdir(parents=True)
    with pytest.raises(EventdetError, match="no tensors"):
        import_rvt(tmp_path / "rvt", tmp_path / "back.zarr")
