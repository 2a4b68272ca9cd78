"""Shards: every sample once, with its labels, the same bytes whether or not the export was stopped."""

import gzip
import io
import json
import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import BusyError, InputError, OptionError
from eventdet.formats import write_dat
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.preprocessing import ConvertOptions, convert
from eventdet.preprocessing.interchange import ShardOptions, export_shards
from eventdet.preprocessing.interchange._published import owned_folder
from tests.preprocessing.references import histogram_reference

from .stores import HISTOGRAM, SIZE, interrupt_at, make_events, make_labels, make_recording, make_store

Arrays = dict[str, Any]


def _options(layout: str = "npz", samples: str = "labels", per_shard: int = 2, **more: Any) -> ShardOptions:
    return ShardOptions(
        layout=layout,
        representation=HISTOGRAM,
        window_us=50_000,
        samples=samples,
        samples_per_shard=per_shard,
        **more,
    )


def _read_npz(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def _expected(seed: int, t1_us: int) -> Any:
    return histogram_reference(make_events(seed=seed), (t1_us - 50_000, t1_us), 3, fit_pixels(SIZE, SIZE))[0]


def _files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("shard-*")}


def test_each_label_time_of_a_folder_is_a_sample(tmp_path: Path) -> None:
    for seed in (0, 1):
        make_recording(tmp_path / "raw" / "train", f"drive{seed}", events=make_events(seed=seed))
    make_recording(tmp_path / "raw" / "val", "drive2", events=make_events(seed=2), labels=make_labels([500_000]))
    convert(tmp_path / "raw", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    summary = export_shards(tmp_path / "store.zarr", tmp_path / "out", _options(per_shard=4))
    assert (summary.num_written, summary.num_windows, summary.num_boxes) == (3, 7, 14)
    shards = [_read_npz(tmp_path / "out" / name) for name in (
        "train/shard-000000.npz", "train/shard-000001.npz", "val/shard-000000.npz",
    )]  # fmt: skip
    assert [shard["t1_us"].tolist() for shard in shards] == [
        [250_000, 500_000, 750_000, 250_000], [500_000, 750_000], [500_000],
    ]  # fmt: skip
    assert shards[0]["recordings"].tolist() == ["train/drive0_td.zarr", "train/drive1_td.zarr"]
    assert shards[0]["recording"].tolist() == [0, 0, 0, 1]
    seeds = ([0, 0, 0, 1], [1, 1], [2])
    for shard, shard_seeds in zip(shards, seeds, strict=True):
        np.testing.assert_array_equal(shard["t0_us"], shard["t1_us"] - 50_000)
        for tensor, seed, t1_us in zip(shard["tensors"], shard_seeds, shard["t1_us"].tolist(), strict=True):
            np.testing.assert_array_equal(tensor, _expected(seed, t1_us))


def test_boxes_of_a_sample_are_those_at_its_end(tmp_path: Path) -> None:
    export_shards(make_store(tmp_path), tmp_path / "out", _options(per_shard=9))
    shard = _read_npz(tmp_path / "out" / "train" / "shard-000000.npz")
    assert shard["first_box"].tolist() == [0, 2, 4, 6]
    assert shard["boxes"]["t"].tolist() == [250_000] * 2 + [500_000] * 2 + [750_000] * 2
    assert shard["boxes"]["track_id"].tolist() == list(range(6))
    assert shard["boxes"]["w"].tolist() == [25] * 6


def test_samples_of_windows_hold_labels_after_their_start_up_to_their_end(tmp_path: Path) -> None:
    # Windows (0, 50], (50, 100], ..., (950, 1000] ms; the last label is later.
    labels = Boxes.from_xywh([[0, 0, 9, 9]] * 4, t=[1, 50_000, 50_001, 1_000_001], track_id=[0, 1, 2, 3])
    make_recording(tmp_path, labels=labels)
    convert(tmp_path / "drive_td.dat", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    summary = export_shards(tmp_path / "store.zarr", tmp_path / "out", _options(samples="windows", per_shard=99))
    assert (summary.num_windows, summary.num_boxes, summary.labels_dropped) == (20, 3, {"no window": 1})
    shard = _read_npz(tmp_path / "out" / "shard-000000.npz")
    assert shard["t1_us"].tolist() == list(range(50_000, 1_000_001, 50_000))
    assert shard["first_box"].tolist() == [0, 2] + [3] * 19
    assert shard["boxes"]["track_id"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(shard["tensors"][7], _expected(0, 400_000))


def test_labels_between_windows_that_leave_gaps_are_counted(tmp_path: Path) -> None:
    labels = Boxes.from_xywh([[0, 0, 9, 9]] * 3, t=[50_000, 50_001, 100_001])
    make_recording(tmp_path, labels=labels)
    convert(tmp_path / "drive_td.dat", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    options = _options(samples="windows", stride_us=100_000)
    summary = export_shards(tmp_path / "store.zarr", tmp_path / "out", options)
    assert (summary.num_windows, summary.num_boxes, summary.labels_dropped) == (10, 2, {"no window": 1})


def test_a_preset_drops_labels_and_counts_them(tmp_path: Path) -> None:
    make_recording(tmp_path, labels=Boxes.from_xywh([[2, 2, 25, 20], [2, 2, 9, 9]], t=[250_000, 500_000]))
    convert(tmp_path / "drive_td.dat", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    summary = export_shards(tmp_path / "store.zarr", tmp_path / "out", _options(labels="rvt"))
    assert (summary.num_windows, summary.labels_dropped) == (1, {"small": 1})


def test_members_of_a_tar_follow_webdatasets_names(tmp_path: Path) -> None:
    export_shards(make_store(tmp_path), tmp_path / "out", _options("webdataset"))
    assert sorted(_files(tmp_path / "out")) == ["train/shard-000000.tar", "train/shard-000001.tar"]
    with tarfile.open(tmp_path / "out" / "train" / "shard-000001.tar") as archive:
        contents = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert list(contents) == ["00000002.tensor.npy.gz", "00000002.boxes.npy", "00000002.json"]
    np.testing.assert_array_equal(
        np.load(io.BytesIO(gzip.decompress(contents["00000002.tensor.npy.gz"]))), _expected(0, 750_000)
    )
    assert np.load(io.BytesIO(contents["00000002.boxes.npy"]))["t"].tolist() == [750_000, 750_000]
    assert json.loads(contents["00000002.json"]) == {
        "recording": "train/drive0_td.zarr", "synthetic": False, "t0_us": 700_000, "t1_us": 750_000,
    }  # fmt: skip


def test_webdataset_reads_the_tar_files(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
        export_shards(make_store(tmp_path), tmp_path / "out", _options("webdataset"))
        shards = str(tmp_path / "out" / "train" / "shard-{000000..000001}.tar")
        samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
    assert [sample["json"]["t1_us"] for sample in samples] == [250_000, 500_000, 750_000]
    for sample in samples:
        np.testing.assert_array_equal(sample["tensor.npy.gz"], _expected(0, sample["json"]["t1_us"]))
        assert len(sample["boxes.npy"]) == 2


@pytest.mark.parametrize("layout", ["npz", "webdataset"])
def test_an_export_that_is_stopped_goes_on_and_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    store, options = make_store(tmp_path, splits=("train", "val")), _options(layout)
    export_shards(store, tmp_path / "undisturbed", options)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            export_shards(store, tmp_path / "out", options)
    assert len(_files(tmp_path / "out")) == 2
    assert not list((tmp_path / "out").rglob(".*"))
    summary = export_shards(store, tmp_path / "out", options)
    assert (summary.num_written, summary.num_up_to_date) == (2, 2)
    assert _files(tmp_path / "out") == _files(tmp_path / "undisturbed")


def test_recordings_of_several_sizes_share_no_folder(tmp_path: Path) -> None:
    make_recording(tmp_path / "raw" / "train", "a")
    write_dat(tmp_path / "raw" / "train" / "b_td.dat", make_events(), SensorSize(60, 70))
    convert(tmp_path / "raw", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    with pytest.raises(OptionError, match="tensors of several sizes, 50x40, 70x60"):
        export_shards(tmp_path / "store.zarr", tmp_path / "out", _options(samples="windows"))
    assert not (tmp_path / "out").exists()


def test_an_output_with_something_else_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    export_shards(store, tmp_path / "out", _options())
    with pytest.raises(OptionError, match="holds something else"):
        export_shards(store, tmp_path / "out", _options(per_shard=3))
    with pytest.raises(OptionError, match="holds something else"):
        export_shards(store, tmp_path, _options())


def test_the_export_says_what_is_synthetic(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    attributes = store / "train" / "drive0_td.zarr" / "zarr.json"
    attributes.write_text(attributes.read_text().replace('"synthetic": false', '"synthetic": true'))
    export_shards(store, tmp_path / "out", _options())
    assert json.loads((tmp_path / "out" / "eventdet.json").read_text())["num_synthetic"] == 1
    assert _read_npz(tmp_path / "out" / "train" / "shard-000000.npz")["synthetic"].tolist() == [True, True]


@pytest.mark.parametrize("samples", ["labels", "windows"])
def test_a_recording_without_samples_is_skipped(tmp_path: Path, samples: str) -> None:
    make_recording(tmp_path, events=make_events()[:0], labels=Boxes.empty())
    convert(tmp_path / "drive_td.dat", tmp_path / "store.zarr", ConvertOptions(write_frames=False))
    summary = export_shards(tmp_path / "store.zarr", tmp_path / "out", _options(samples=samples))
    assert (summary.num_written, [failure.reason for failure in summary.skipped]) == (0, ["it gives no sample"])
    assert not _files(tmp_path / "out")


def test_an_output_of_another_process_is_left_alone(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    with owned_folder(tmp_path / "out"), pytest.raises(BusyError, match="is held by process"):
        export_shards(store, tmp_path / "out", _options())
    assert export_shards(store, tmp_path / "out", _options()).num_written


def test_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stored recordings"):
        export_shards(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    "options",
    [
        lambda: ShardOptions(layout="csv"),
        lambda: ShardOptions(samples="frames"),
        lambda: ShardOptions(labels="mine"),
        lambda: ShardOptions(window_us=0),
        lambda: ShardOptions(stride_us=0),
        lambda: ShardOptions(samples_per_shard=0),
    ],
    ids=["layout", "samples", "labels", "window", "stride", "shard"],
)
def test_options_outside_their_rules_are_refused(options: Callable[[], ShardOptions]) -> None:
    with pytest.raises(OptionError):
        options()


def test_progress_rises_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    export_shards(make_store(tmp_path), tmp_path / "out", _options(), on_progress=told.append)
    assert told == [2 / 3, 1.0]
