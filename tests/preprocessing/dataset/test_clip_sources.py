"""What clips are cut from: stored tensors, stored events and files give the same, and what they lack is told."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from eventdet.boxes import Boxes
from eventdet.errors import InputError, OptionError
from eventdet.events import Events
from eventdet.formats import open_recording
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.preprocessing import ConvertOptions, Representation, convert
from eventdet.preprocessing.dataset.augment import Augmentation
from eventdet.preprocessing.dataset.clips import ClipDataset, ClipOptions
from eventdet.preprocessing.dataset.sampling import StreamSampler
from eventdet.preprocessing.dataset.sources import (
    ClipSource,
    event_sources,
    frame_sources,
)

from .recordings import (
    PIXELS,
    REPRESENTATION,
    SIZE,
    START_US,
    WINDOW_US,
    convert_recordings,
    dense,
    events_of,
    tensor_of,
    write_recordings,
)


@pytest.mark.parametrize("name", ["ternary", "tore", "voxel"])
def test_what_is_beyond_stored_tensors_is_as_without_events(tmp_path: Path, name: str) -> None:
    representation, target = Representation(name, bins=2), SensorSize(14, 20)
    first = Boxes.from_xyxy([[0, 0, 4, 4]], t=START_US + WINDOW_US)
    write_recordings(tmp_path / "dat", [50_000], [first])
    convert(tmp_path / "dat", tmp_path / "store", ConvertOptions(representation, window_us=WINDOW_US))
    options = ClipOptions(num_windows=3)
    for augmentation in (None, Augmentation(flip=1.0), Augmentation(translate=1.0)):
        stored, cut = (
            dense(ClipDataset(sources, options, augmentation)[0])
            for sources in (
                frame_sources(tmp_path / "store", target=target),
                event_sources(tmp_path / "dat", representation, window_us=WINDOW_US, target=target),
            )
        )
        np.testing.assert_array_equal(stored, cut)
    assert np.unique(stored[0]).size == 1


def test_stored_cells_that_are_not_pixels_are_refused(tmp_path: Path) -> None:
    write_recordings(tmp_path / "dat", [50_000])
    representation = Representation("averaged_time_surface", bins=1)
    convert(tmp_path / "dat", tmp_path / "store", ConvertOptions(representation, window_us=WINDOW_US))
    with pytest.raises(OptionError, match="cells of stored tensors are not pixels"):
        frame_sources(tmp_path / "store")


def test_stored_events_stored_tensors_and_files_give_the_same_batches(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    store = convert_recordings(folder / "dat", folder / "store")
    kinds: list[Sequence[ClipSource]] = [
        events_of(folder),
        event_sources(store, REPRESENTATION, window_us=WINDOW_US),
        frame_sources(store),
    ]
    for steps in ("windows", "bins"):
        options = ClipOptions(num_windows=3, align="grid", steps=steps)
        batches = [ClipDataset(kind, options).batch(list(range(6))) for kind in kinds]
        assert dense(batches[0]).any()
        for other in batches[1:]:
            np.testing.assert_array_equal(dense(other), dense(batches[0]))
            np.testing.assert_array_equal(other.rows, batches[0].rows)
            np.testing.assert_array_equal(other.labelled, batches[0].labelled)


def test_store_at_a_url_gives_the_same_batches(recordings: tuple[Path, list[Events]]) -> None:
    pytest.importorskip("upath", reason="the extra remote is not installed")
    folder, _ = recordings
    url = f"memory://{folder.name}/store"
    convert(folder / "dat", url, ConvertOptions(REPRESENTATION, window_us=WINDOW_US))
    expected = dense(ClipDataset(events_of(folder), ClipOptions(num_windows=2))[0])
    assert expected.any()
    for sources in (frame_sources(url), event_sources(url, REPRESENTATION, window_us=WINDOW_US)):
        # The first label stands where a stored window ends.
        batch = ClipDataset(sources, ClipOptions(num_windows=2))[0]
        np.testing.assert_array_equal(dense(batch), expected)


def test_stored_windows_by_count_make_no_clips(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    convert(folder / "dat", folder / "counted", ConvertOptions(REPRESENTATION, window_us=None, window_events=50))
    with pytest.raises(OptionError, match="stored windows end by count"):
        frame_sources(folder / "counted")


def test_label_clips_of_stored_tensors_end_with_the_window_of_the_label(
    recordings: tuple[Path, list[Events]],
) -> None:
    folder, events = recordings
    store = convert_recordings(folder / "dat", folder / "store", stride_us=5_000)
    dataset = ClipDataset(frame_sources(store), ClipOptions(num_windows=2))
    # With strides of 5 ms, the newest window that has ended by 47 ms is that of 35 to 45 ms.
    assert [ref.t0_us - START_US for ref in dataset.clips] == [15_000, 30_000]
    np.testing.assert_array_equal(dense(dataset[1])[1, 0], tensor_of(events[0], START_US + 35_000).reshape(4, *SIZE))
    assert dataset[1].rows[:, 0].tolist() == [1]


def test_stored_windows_that_end_at_labels_are_clips_of_one(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    store = folder / "store"
    convert(folder / "dat", store, ConvertOptions(REPRESENTATION, window_us=WINDOW_US, align="label-end"))
    sources = frame_sources(store)
    dataset = ClipDataset(sources, ClipOptions())
    assert [ref.t0_us - START_US for ref in dataset.clips] == [20_000, 37_000]
    batch = dataset.batch([0, 1])
    np.testing.assert_array_equal(dense(batch)[0, 1], tensor_of(events[0], START_US + 37_000).reshape(4, *SIZE))
    assert batch.rows[:, 1].tolist() == [0, 0, 1]
    for options in (ClipOptions(num_windows=2), ClipOptions(align="grid")):
        with pytest.raises(OptionError, match="stored windows that end at labels are clips of one window"):
            ClipDataset(sources, options)
    with pytest.raises(OptionError, match="there is no grid"):
        StreamSampler(dataset, 1)
    with pytest.raises(OptionError, match="no stored window begins at"):
        sources[0].fill(START_US, [np.empty((2, 2, *SIZE), np.uint8)])


def test_target_pads_tensors_of_both_kinds_and_keeps_boxes_in_place(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    store, target = convert_recordings(folder / "dat", folder / "store"), SensorSize(16, 32)
    plain = ClipDataset(frame_sources(store), ClipOptions(num_windows=3))[0]
    for sources in (
        frame_sources(store, target=target),
        event_sources(store, REPRESENTATION, window_us=WINDOW_US, target=target),
    ):
        batch = ClipDataset(sources, ClipOptions(num_windows=3))[0]
        np.testing.assert_array_equal(dense(batch)[..., : SIZE.height, : SIZE.width], dense(plain))
        assert dense(batch).sum() == dense(plain).sum()
        np.testing.assert_array_equal(batch.rows, plain.rows)


def test_scaled_events_bring_their_boxes_along(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    sources = event_sources(folder / "dat", REPRESENTATION, window_us=WINDOW_US, target=SensorSize(6, 8))
    batch = ClipDataset(sources, ClipOptions())[0]
    assert dense(batch).shape[-2:] == (6, 8)
    assert batch.rows[:, 3:].tolist() == [[0.5, 1, 2.5, 4], [4, 0, 6, 3]]


def test_float_tensors_keep_their_type(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    voxels = Representation("voxel", bins=3)
    sources = event_sources(folder / "dat", voxels, window_us=WINDOW_US)
    batch = ClipDataset(sources, ClipOptions(align="grid"))[0]
    assert isinstance(batch.frames, torch.Tensor)
    assert batch.frames.dtype == torch.float32
    expected = voxels(events[0], START_US, START_US + WINDOW_US, PIXELS)
    np.testing.assert_array_equal(batch.frames.numpy()[0, 0], expected)


def test_recording_that_is_converted_again_is_read_anew_by_the_next_dataset(tmp_path: Path) -> None:
    write_recordings(tmp_path / "dat", [50_000], [Boxes.empty()])
    store = convert_recordings(tmp_path / "dat", tmp_path / "store")
    options = ClipOptions(align="grid")
    first = dense(ClipDataset(frame_sources(store), options)[0])
    write_recordings(tmp_path / "dat", [50_000, 60_000])
    (tmp_path / "dat" / "1_td.dat").replace(tmp_path / "dat" / "0_td.dat")
    convert_recordings(tmp_path / "dat", tmp_path / "store")
    assert (dense(ClipDataset(frame_sources(store), options)[0]) != first).any()


def test_sources_with_other_windows_are_refused(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    other = event_sources(folder / "dat", REPRESENTATION, window_us=20_000)
    with pytest.raises(OptionError, match="sources must have the same window_us, got 10000 for"):
        ClipDataset([*events_of(folder), *other], ClipOptions())


def test_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stored recordings and no DAT files"):
        event_sources(tmp_path, REPRESENTATION, window_us=10)
    with pytest.raises(InputError, match="no stored recordings"):
        frame_sources(tmp_path)


def test_real_recording_is_cut_where_it_is(real_data: Path) -> None:
    histogram, target = Representation("histogram", bins=1), SensorSize(120, 160)
    file = real_data / "spinner_evt2_vga.raw"
    sources = event_sources(file, histogram, window_us=5_000, target=target)
    dataset = ClipDataset(sources, ClipOptions(num_windows=2, align="grid"))
    batch = dataset.batch([1, 2])
    recording = open_recording(file)
    assert batch.t0_us[0] == recording.t_first_us // 5_000 * 5_000 + 10_000
    pixels = fit_pixels(recording.sensor_size, target)
    for place, t0_us in enumerate(batch.t0_us.tolist()):
        window = (t0_us + 5_000, t0_us + 10_000)
        expected = histogram(recording.slice(*window), *window, pixels)
        assert expected.any()
        np.testing.assert_array_equal(dense(batch)[1, place], expected[0])


def test_window_that_was_not_stored_is_refused(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    (source, _) = frame_sources(convert_recordings(folder / "dat", folder / "store"))
    with pytest.raises(OptionError, match="no stored window begins at 1000001 us"):
        source.fill(START_US + 1, [np.empty((2, 2, *SIZE), np.uint8)])


def test_linked_folders_of_event_files_are_followed_each_once(tmp_path: Path) -> None:
    write_recordings(tmp_path / "elsewhere", [50_000])
    (tmp_path / "dat").mkdir()
    (tmp_path / "dat" / "train").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "dat")
    found = event_sources(tmp_path / "dat", REPRESENTATION, window_us=WINDOW_US)
    assert [source.path for source in found] == [tmp_path / "dat/train/0_td.dat"]
    (tmp_path / "dat" / "lost_td.dat").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"lost_td\.dat"):
        event_sources(tmp_path / "dat", REPRESENTATION, window_us=WINDOW_US)
