"""Our recordings under tonic's own consumers, and samples of tonic's datasets as recordings."""

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.bridges import TonicDataset, recording_from_tonic
from eventdet.errors import InputError, OptionError
from eventdet.events import Events
from eventdet.formats import open_recording, write_boxes, write_dat, write_evt3, write_npy
from eventdet.geometry import GEN1, SensorSize, fit_pixels
from eventdet.preprocessing import event_histogram

EVENTS = Events.from_columns(
    t=[1_020, 1_900, 4_000, 4_001], x=[1, 303, 7, 8], y=[239, 0, 5, 6], p=[1, 0, 1, 0]
)  # fmt: skip
SMALL = SensorSize(30, 34)


def two_recordings(folder: Path) -> list[Path]:
    write_dat(folder / "a_td.dat", EVENTS, GEN1)
    write_boxes(folder / "a_bbox.npy", Boxes.from_xywh([[1, 2, 3, 4], [5, 6, 7, 8]], t=[1_999, 4_000], class_id=[0, 1]))
    write_evt3(folder / "b.raw", EVENTS[:2], GEN1)
    return [folder / "a_td.dat", folder / "b.raw"]


def test_sample_without_windows_is_a_recording_and_its_labels(tmp_path: Path) -> None:
    dataset = TonicDataset(two_recordings(tmp_path))
    events, boxes = dataset[0]
    assert len(dataset) == 2
    assert dataset.sensor_size == (304, 240, 2)
    assert dataset.ordering == events.dtype.names == ("x", "y", "t", "p")
    assert events.tolist() == [(1, 239, 1_020, 1), (303, 0, 1_900, 0), (7, 5, 4_000, 1), (8, 6, 4_001, 0)]
    assert boxes[["t", "x", "w", "class_id"]].tolist() == [(1_999, 1, 3, 0), (4_000, 5, 7, 1)]
    assert [len(part) for part in dataset[1]] == [2, 0]


def test_windows_hold_every_event_and_label_once_and_empty_ones_are_given(tmp_path: Path) -> None:
    dataset = TonicDataset(two_recordings(tmp_path), window_us=1_000)
    # The first recording spans the windows 1 to 4 ms, the second the one of 1 ms.
    assert [[len(part) for part in dataset[index]] for index in range(len(dataset))] == [
        [2, 1], [0, 0], [0, 0], [2, 1], [2, 0],
    ]  # fmt: skip
    assert dataset[-2][0]["t"].tolist() == [4_000, 4_001]


def test_sample_beyond_the_last_raises_so_that_iteration_ends(tmp_path: Path) -> None:
    dataset = TonicDataset(two_recordings(tmp_path), window_us=1_000)
    assert len(list(iter(dataset))) == len(dataset) == 5
    with pytest.raises(IndexError, match=r"\[-5, 5\), got -6"):
        dataset[-6]


def test_recording_without_events_is_one_empty_sample_or_no_window(tmp_path: Path) -> None:
    write_dat(tmp_path / "none.dat", Events.empty(), GEN1)
    assert len(TonicDataset([tmp_path / "none.dat"])[0][0]) == 0
    assert len(TonicDataset([tmp_path / "none.dat"], window_us=10)) == 0


def test_transforms_are_applied_in_the_order_of_tonic(tmp_path: Path) -> None:
    def both(count: int, target: str) -> tuple[int, str]:
        return count + 1, target + "!"

    dataset = TonicDataset(
        two_recordings(tmp_path), transform=len, target_transform=lambda boxes: f"{len(boxes)}", transforms=both
    )
    assert dataset[0] == (5, "2!")


def test_more_recordings_than_are_kept_open_are_all_read(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.dat" for number in range(7)]
    for number, path in enumerate(paths):
        write_dat(path, EVENTS[: number % 4 + 1], GEN1)
    dataset = TonicDataset(paths)
    assert [len(dataset[index][0]) for index in (6, 0, 3, 5, 1, 2, 4, 6)] == [3, 1, 4, 2, 2, 3, 1, 3]


def test_files_can_be_opened_in_another_way(tmp_path: Path) -> None:
    write_npy(tmp_path / "a.npy", EVENTS, GEN1)
    with pytest.raises(InputError, match="sensor size"):
        TonicDataset([tmp_path / "a.npy"])
    dataset = TonicDataset([tmp_path / "a.npy"], open_file=partial(open_recording, sensor_size=GEN1))
    assert len(dataset[0][0]) == 4


def test_dataset_is_pickled_without_what_it_has_read(tmp_path: Path) -> None:
    dataset = TonicDataset(two_recordings(tmp_path), window_us=1_000)
    dataset[0]
    data = pickle.dumps(dataset)
    assert len(data) < 2_000
    np.testing.assert_array_equal(pickle.loads(data)[3][0], dataset[3][0])


@pytest.mark.parametrize(
    ("paths", "window_us", "message"), [([], None, "got none"), (["a.dat"], 0, "window_us must be > 0")]
)
def test_dataset_of_nothing_raises(paths: list[str], window_us: int | None, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        TonicDataset(paths, window_us=window_us)


def test_recordings_of_two_sensors_raise(tmp_path: Path) -> None:
    paths = two_recordings(tmp_path)
    write_dat(tmp_path / "c.dat", EVENTS[2:], SMALL)
    with pytest.raises(OptionError, match="one sensor"):
        TonicDataset([*paths, tmp_path / "c.dat"])


def test_loader_of_torch_makes_batches_of_frames_of_tonic(tmp_path: Path) -> None:
    transforms = pytest.importorskip("tonic.transforms")
    data = pytest.importorskip("torch.utils.data")
    dataset = TonicDataset(
        two_recordings(tmp_path),
        transform=transforms.ToFrame(sensor_size=(304, 240, 2), n_time_bins=1, include_incomplete=True),
        target_transform=len,
    )
    ((frames, targets),) = data.DataLoader(dataset, batch_size=2)
    assert frames.shape == (2, 1, 2, 240, 304)
    assert targets.tolist() == [2, 0]
    # tonic leaves out the last event of a recording, which closes its last bin.
    assert frames[0, 0, 1, 239, 1] == 1


@pytest.mark.parametrize("cache", ["MemoryCachedDataset", "DiskCachedDataset"])
def test_caches_of_tonic_give_the_samples_back(cache: str, tmp_path: Path) -> None:
    cached_dataset = pytest.importorskip("tonic.cached_dataset")
    dataset = TonicDataset(two_recordings(tmp_path)[:1])
    options: dict[str, Any] = {"cache_path": str(tmp_path / "cache")} if cache == "DiskCachedDataset" else {}
    cached = getattr(cached_dataset, cache)(dataset, **options)
    for _ in range(2):
        events, boxes = cached[0]
        np.testing.assert_array_equal(events, dataset[0][0])
        np.testing.assert_array_equal(boxes, dataset[0][1])


def nmnist_like() -> NDArray[np.void]:
    return np.array(
        [(3, 4, 10, True), (33, 29, 20, False), (40, 0, 25, True), (5, 6, 15, True)],
        [("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "?")],
    )


def test_sample_of_a_tonic_dataset_becomes_a_recording_with_counts() -> None:
    events = nmnist_like()
    before = events.copy()
    recording = recording_from_tonic((events, 7), (34, 30, 2), name="N-MNIST 0")
    assert recording.sensor_size == SMALL
    assert Events.concatenate(recording.chunks()).t.tolist() == [10, 20, 20]
    assert recording.report.repairs == {"backward_clamped": 1, "out_of_range_dropped": 1}
    np.testing.assert_array_equal(events, before)


def test_tensors_of_ours_are_made_of_a_tonic_sample() -> None:
    (window,) = recording_from_tonic(nmnist_like()[:2], (34, 30)).windows(1_000)
    pixels = fit_pixels(SMALL, SMALL, fit="none")
    tensor = event_histogram(window.events, (window.t0_us, window.t1_us), bins=1, pixel_map=pixels)
    # One event of each polarity: OFF at (33, 29), ON at (3, 4).
    assert (tensor.sum(), tensor[0, 0, 29, 33], tensor[0, 1, 4, 3]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("sample", "size", "message"),
    [
        (([1, 2], 0), (34, 30, 2), "begin with one, got list"),
        (np.zeros(1, [("t", "i8"), ("x", "i8"), ("p", "i8")]), (700, 1, 1), "fields t, x, y, p"),
        (nmnist_like(), (34,), "sensor_size must be"),
        (nmnist_like(), (0, 30, 2), "got .30, 0."),
    ],
    ids=["no array", "audio without y", "one side", "empty sensor"],
)
def test_sample_without_events_on_a_sensor_raises(sample: Any, size: tuple[int, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        recording_from_tonic(sample, size)
