"""Export to RVT's folders: its reader gets the right tensor for each label, and nothing is ever half there."""

import errno
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import BusyError, FormatError, InputError, MissingExtraError, OptionError, OutputError
from eventdet.events import Events
from eventdet.formats import write_hdf5
from eventdet.geometry import fit_pixels
from eventdet.preprocessing import ConvertOptions, Representation, convert, open_stored_recording
from eventdet.preprocessing.interchange import RvtOptions, export_rvt, rvt_export
from eventdet.preprocessing.interchange._published import owned_folder
from tests.preprocessing.references import histogram_reference

from .stores import HISTOGRAM, SIZE, RvtSequence, interrupt_at, make_events, make_labels, make_recording, make_store

OPTIONS = RvtOptions(representation=HISTOGRAM)
FOLDER = "histogram_dt=50_nbins=3"


def _content(root: Path) -> dict[str, object]:
    """Return every array below a folder; archives and HDF5 files hold times of writing."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.suffix == ".h5":
            with h5py.File(path) as file:
                found[name] = file["data"][...].tobytes()
        elif path.suffix == ".npz":
            with np.load(path) as archive:
                found[name] = {key: archive[key].tobytes() for key in archive}
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def test_rvt_gets_for_each_label_the_tensor_of_the_window_that_ends_there(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    sequence = RvtSequence(tmp_path / "rvt" / "train" / "drive0", FOLDER)
    pixels = fit_pixels(SIZE, SIZE)
    assert sequence.label_times_us.tolist() == [250_000, 500_000, 750_000]
    for number, t_us in enumerate([250_000, 500_000, 750_000]):
        tensor, labels = sequence.frame(number)
        counts, _ = histogram_reference(make_events(), (t_us - 50_000, t_us), 3, pixels)
        # All bins of OFF, then all bins of ON.
        expected = np.concatenate([counts[:, 0], counts[:, 1]])
        np.testing.assert_array_equal(tensor, expected)
        assert labels["t"].tolist() == [t_us, t_us]
        assert labels["track_id"].tolist() == [2 * number, 2 * number + 1]


def _window_of_rvt(events: Events, end_us: int) -> NDArray[np.uint8]:
    """Return what RVT's preprocessing makes of 50 ms: both ends belong to it, events cut its ten bins."""
    start, stop = np.searchsorted(events.t, end_us - 50_000, "left"), np.searchsorted(events.t, end_us, "right")
    t = torch.from_numpy(events.t[start:stop])
    counts = np.zeros((2, 10, *SIZE), np.int64)
    if len(t):
        bins = ((t - t[0]) / max(t[-1] - t[0], torch.tensor(1)) * 10).floor().clamp(max=9).long().numpy()
        np.add.at(counts, (events.p[start:stop], bins, events.y[start:stop], events.x[start:stop]), 1)
    return np.clip(counts, 0, 10).astype(np.uint8).reshape(20, *SIZE)


def test_tensors_of_rvt_are_those_of_its_own_preprocessing(tmp_path: Path) -> None:
    events = make_events(num_events=20_000)
    make_recording(tmp_path, events=events)
    convert(tmp_path / "drive_td.dat", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    export_rvt(tmp_path / "store.zarr", tmp_path / "rvt")
    sequence = RvtSequence(tmp_path / "rvt" / "train" / "drive", "stacked_histogram_dt=50_nbins=10")
    ends = list(range(100_000, 750_001, 50_000))
    # The events at the ends make a difference, so that it shows when they are left out.
    assert all(np.any(events.t == end_us) for end_us in ends)
    assert sequence.ends_us.tolist() == ends
    for tensor, end_us in zip(sequence.tensors(0, 99), ends, strict=True):
        np.testing.assert_array_equal(tensor, _window_of_rvt(events, end_us))


@pytest.mark.parametrize(
    ("representation", "folder"),
    [
        (Representation("rvt_mixed_density", 4), "mixeddensity_stack_dt=50_nbins=4_cutoff=32"),
        (Representation("voxel", 4), "voxel_dt=50_nbins=4"),
        (Representation("histogram", 4), "histogram_dt=50_nbins=4"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_representations_are_named_after_their_kind(
    tmp_path: Path, representation: Representation, folder: str
) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", RvtOptions(representation=representation))
    sequence = RvtSequence(tmp_path / "rvt" / "train" / "drive0", folder)
    assert sequence.tensors(0, 1).dtype == representation.dtype
    assert sequence.tensors(0, 1).shape[-2:] == SIZE


def test_every_window_is_there_once_and_rvt_looks_20_times_a_second(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    sequence = RvtSequence(tmp_path / "rvt" / "train" / "drive0", FOLDER)
    assert sequence.ends_us.tolist() == list(range(100_000, 750_001, 50_000))
    pixels = fit_pixels(SIZE, SIZE)
    for tensor, end_us in zip(sequence.tensors(0, 99), sequence.ends_us.tolist(), strict=True):
        counts, _ = histogram_reference(make_events(), (end_us - 50_000, end_us), 3, pixels)
        np.testing.assert_array_equal(tensor, np.concatenate([counts[:, 0], counts[:, 1]]))


def test_the_file_has_the_type_chunks_and_compression_of_rvt(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    with h5py.File(RvtSequence(tmp_path / "rvt" / "train" / "drive0", FOLDER).file) as file:
        data = file["data"]
        assert (data.shape, data.dtype, data.chunks) == ((14, 6, 40, 50), np.uint8, (1, 6, 40, 50))
        assert not data.shuffle
        # Blosc: level 1, shuffled by bytes, zstd.
        assert data.id.get_create_plist().get_filter(0)[2][4:7] == (1, 1, 5)


def test_below_a_split_there_are_folders_of_recordings_alone(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path, splits=("train", "val", "test")), tmp_path / "rvt", OPTIONS)
    splits = [path for path in (tmp_path / "rvt").iterdir() if path.is_dir()]
    assert sorted(path.name for path in splits) == ["test", "train", "val"]
    for split in splits:
        assert all((entry / "labels_v2").is_dir() for entry in split.iterdir())


def test_the_export_says_that_it_is_synthetic(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    attributes = store / "train" / "drive0_td.zarr" / "zarr.json"
    attributes.write_text(attributes.read_text().replace('"synthetic": false', '"synthetic": true'))
    summary = export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert summary.num_synthetic == 1
    assert json.loads((tmp_path / "rvt" / "eventdet.json").read_text())["num_synthetic"] == 1
    assert json.loads((tmp_path / "rvt" / "train" / "drive0" / "eventdet.json").read_text())["synthetic"] is True


def test_labels_are_dropped_by_the_rules_of_rvt_and_counted(tmp_path: Path) -> None:
    # 45 = 9 * 50 // 10 is the widest that is trained with; the third is low, the last comes off the grid.
    xywh = [[2, 2, 25, 20], [1, 1, 46, 20], [2, 2, 25, 9], [2, 2, 25, 20]]
    labels = Boxes.from_xywh(xywh, t=[250_000, 250_000, 250_000, 300_000], track_id=[0, 1, 2, 3])
    for split in ("train", "val"):
        make_recording(tmp_path / "raw" / split, labels=labels)
    convert(tmp_path / "raw", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    summary = export_rvt(tmp_path / "store.zarr", tmp_path / "rvt", OPTIONS)
    assert summary.labels_dropped == {"small": 2, "wide": 1, "off grid": 2}
    kept = {
        split: RvtSequence(tmp_path / "rvt" / split / "drive", FOLDER).labels["track_id"].tolist()
        for split in ("train", "val")
    }
    assert kept == {"train": [0], "val": [0, 1]}


def test_a_recording_without_labels_is_skipped_and_an_earlier_export_of_it_goes(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    export_rvt(store, tmp_path / "rvt", OPTIONS)
    make_recording(tmp_path / "raw" / "train", "drive0", labels=Boxes.from_xywh([[0, 0, 9, 9]], t=250_000))
    convert(tmp_path / "raw", store, ConvertOptions(representation=HISTOGRAM, window_us=50_000))
    summary = export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert [failure.reason for failure in summary.skipped] == ["no label is left (small 1)"]
    assert (summary.num_written, summary.num_windows) == (0, 0)
    assert list((tmp_path / "rvt" / "train").iterdir()) == []


def test_frames_of_a_store_without_events_give_the_same_tensors(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "from_events", OPTIONS)
    shutil.rmtree(tmp_path / "store.zarr")
    frames_only = ConvertOptions(representation=HISTOGRAM, window_us=50_000, write_events=False)
    export_rvt(make_store(tmp_path, frames_only), tmp_path / "from_frames", OPTIONS)
    got, expected = (
        RvtSequence(tmp_path / name / "train" / "drive0", FOLDER).tensors(0, 99)
        for name in ("from_frames", "from_events")
    )
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (RvtOptions(representation=Representation("histogram", 4)), "not Representation"),
        (RvtOptions(representation=HISTOGRAM, window_us=40_000), r"none of its frames is the window \(60000, 100000\)"),
    ],
    ids=["bins", "window"],
)
def test_frames_that_are_not_there_cannot_be_exported(tmp_path: Path, options: RvtOptions, match: str) -> None:
    store = make_store(tmp_path, ConvertOptions(representation=HISTOGRAM, window_us=50_000, write_events=False))
    with pytest.raises(OptionError, match=match):
        export_rvt(store, tmp_path / "rvt", options)
    assert list((tmp_path / "rvt").iterdir()) == []


def test_windows_after_the_last_event_are_empty(tmp_path: Path) -> None:
    events = make_events(duration_us=300_000)
    make_recording(tmp_path / "raw", events=events, labels=make_labels([250_000, 750_000]))
    frames_only = ConvertOptions(representation=HISTOGRAM, window_us=50_000, write_events=False)
    convert(tmp_path / "raw", tmp_path / "store.zarr", frames_only)
    export_rvt(tmp_path / "store.zarr", tmp_path / "rvt", OPTIONS)
    sequence = RvtSequence(tmp_path / "rvt" / "train" / "drive", FOLDER)
    assert sequence.frame(0)[0].any()
    assert not sequence.frame(1)[0].any()


def test_downsampled_tensors_are_those_of_torchs_nearest_exact(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    export_rvt(store, tmp_path / "full", OPTIONS)
    export_rvt(store, tmp_path / "half", RvtOptions(representation=HISTOGRAM, downsample=True))
    full = RvtSequence(tmp_path / "full" / "train" / "drive0", FOLDER)
    half = RvtSequence(tmp_path / "half" / "train" / "drive0", FOLDER, downsampled=True)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(full.tensors(0, 99)), scale_factor=0.5, mode="nearest-exact"
    )
    np.testing.assert_array_equal(half.tensors(0, 99), expected.numpy())
    np.testing.assert_array_equal(half.labels, full.labels)


def test_a_store_at_a_url_is_exported_to_a_folder_alone(tmp_path: Path) -> None:
    url = f"memory://{tmp_path.name}/store.zarr"
    make_recording(tmp_path / "raw" / "train", "drive0")
    options = ConvertOptions(representation=HISTOGRAM, window_us=50_000)
    for store, output in ((url, "from_url"), (tmp_path / "store.zarr", "from_folder")):
        convert(tmp_path / "raw", store, options)
        export_rvt(store, tmp_path / output, OPTIONS)
    got, expected = (
        RvtSequence(tmp_path / name / "train" / "drive0", FOLDER).tensors(0, 99) for name in ("from_url", "from_folder")
    )
    np.testing.assert_array_equal(got, expected)
    with pytest.raises(OptionError, match="must be a folder of this machine"):
        export_rvt(tmp_path / "store.zarr", url, OPTIONS)


def test_a_second_run_writes_what_has_changed_alone(tmp_path: Path) -> None:
    store = make_store(tmp_path, splits=("train", "val"))
    first = export_rvt(store, tmp_path / "rvt", OPTIONS)
    again = export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert (first.num_written, again.num_written, again.num_up_to_date) == (2, 0, 2)
    assert (again.num_windows, again.num_boxes) == (first.num_windows, first.num_boxes) == (28, 12)
    other = export_rvt(store, tmp_path / "rvt", RvtOptions(representation=Representation("histogram", 2)))
    assert other.num_written == 2
    tensors = tmp_path / "rvt" / "train" / "drive0" / "event_representations_v2"
    assert [path.name for path in tensors.iterdir()] == ["histogram_dt=50_nbins=2"]


def test_an_export_that_is_stopped_leaves_nothing_half_and_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(tmp_path, splits=("train", "val"))
    export_rvt(store, tmp_path / "undisturbed", OPTIONS)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 20)
        with pytest.raises(KeyboardInterrupt):
            export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert sorted(path.name for path in (tmp_path / "rvt").iterdir()) == ["train"]
    summary = export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert (summary.num_written, summary.num_up_to_date) == (1, 1)
    got, expected = (_content(tmp_path / name) for name in ("rvt", "undisturbed"))
    got.pop("eventdet.json")
    expected.pop("eventdet.json")
    assert got == expected


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    leftover = tmp_path / "rvt" / ".tmp-train-drive0" / "labels_v2"
    leftover.mkdir(parents=True)
    (leftover / "half").write_bytes(b"half")
    export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert sorted(path.name for path in (tmp_path / "rvt").iterdir()) == ["eventdet.json", "train"]


def test_recordings_keep_apart_and_go_to_a_split(tmp_path: Path) -> None:
    make_recording(tmp_path / "raw", "a")
    make_recording(tmp_path / "raw" / "val" / "day", "b")
    convert(tmp_path / "raw", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    options = RvtOptions(representation=HISTOGRAM, split="test")
    export_rvt(tmp_path / "store.zarr", tmp_path / "rvt", options)
    places = sorted(str(path.parent.relative_to(tmp_path / "rvt")) for path in tmp_path.rglob("labels_v2"))
    assert places == ["test/a", "val/day_b"]


def test_event_files_of_rvt_give_what_the_recording_itself_gives(tmp_path: Path) -> None:
    make_recording(tmp_path / "dat" / "train")
    make_recording(tmp_path / "h5" / "train")
    (tmp_path / "h5" / "train" / "drive_td.dat").unlink()
    write_hdf5(tmp_path / "h5" / "train" / "drive_td.dat.h5", make_events(), SIZE)
    for name in ("dat", "h5"):
        convert(tmp_path / name, tmp_path / f"{name}.zarr", ConvertOptions(write_frames=False))
        export_rvt(tmp_path / f"{name}.zarr", tmp_path / f"{name}_rvt", OPTIONS)
    got, expected = (RvtSequence(tmp_path / f"{name}_rvt" / "train" / "drive", FOLDER) for name in ("h5", "dat"))
    np.testing.assert_array_equal(got.tensors(0, 99), expected.tensors(0, 99))
    np.testing.assert_array_equal(got.labels, expected.labels)


def test_two_recordings_of_one_place_are_refused(tmp_path: Path) -> None:
    make_recording(tmp_path / "raw", "a_b")
    make_recording(tmp_path / "raw" / "a", "b")
    convert(tmp_path / "raw", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    with pytest.raises(OptionError, match="would both be train/a_b"):
        export_rvt(tmp_path / "store.zarr", tmp_path / "rvt", OPTIONS)


def test_of_several_a_damaged_recording_is_told_and_the_others_are_exported(tmp_path: Path) -> None:
    store = make_store(tmp_path, splits=("train", "val"))
    for shard in (store / "train" / "drive0_td.zarr" / "events" / "t").rglob("c/*"):
        shard.write_bytes(b"")
    summary = export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert (summary.num_written, [failure.path.name for failure in summary.failed]) == (1, ["drive0_td.zarr"])
    assert not (tmp_path / "rvt" / "train" / "drive0").exists()
    with pytest.raises(FormatError, match="drive0_td"):
        export_rvt(store / "train", tmp_path / "alone", OPTIONS)


def test_an_output_of_another_process_is_left_alone(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with owned_folder(tmp_path / "out"), pytest.raises(BusyError, match="is held by process"):
        export_rvt(store, tmp_path / "out", OPTIONS)
    assert export_rvt(store, tmp_path / "out", OPTIONS).num_written


def test_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stored recordings"):
        export_rvt(tmp_path, tmp_path / "rvt")


def test_an_output_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    (tmp_path / "rvt").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        export_rvt(store, tmp_path / "rvt", OPTIONS)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rvt_export, "create_tensors", full)
        with pytest.raises(OutputError, match=r"drive0: cannot be written \(No space left on device\)"):
            export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert list((tmp_path / "rvt").iterdir()) == []
    assert export_rvt(store, tmp_path / "rvt", OPTIONS).num_written == 1


def test_without_blosc_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path)
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with pytest.raises(MissingExtraError, match="the extra 'hdf5'"):
        export_rvt(store, tmp_path / "rvt", OPTIONS)
    assert list((tmp_path / "rvt").iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        lambda: RvtOptions(window_us=50_500),
        lambda: RvtOptions(window_us=0),
        lambda: RvtOptions(label_period_us=0),
        lambda: RvtOptions(representation=Representation("averaged_time_surface", 1)),
        lambda: RvtOptions(labels="side20"),
        lambda: RvtOptions(split="training"),
    ],
    ids=["window", "no window", "no period", "axes", "labels", "split"],
)
def test_options_outside_their_rules_are_refused(options: Callable[[], RvtOptions]) -> None:
    with pytest.raises(OptionError):
        options()


def test_progress_rises_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    export_rvt(make_store(tmp_path, splits=("train", "val")), tmp_path / "rvt", OPTIONS, on_progress=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (1 / 28, 1.0)


def test_stored_labels_reach_rvt_unchanged(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    export_rvt(store, tmp_path / "rvt", OPTIONS)
    labels = RvtSequence(tmp_path / "rvt" / "train" / "drive0", FOLDER).labels
    stored = open_stored_recording(store).labels()
    xywh = np.stack([labels[name] for name in ("x", "y", "w", "h")], axis=1)
    np.testing.assert_array_equal(xywh, stored.xywh)
    np.testing.assert_array_equal(labels["class_id"], stored.class_id)
