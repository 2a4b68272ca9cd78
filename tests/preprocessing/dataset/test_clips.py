"""Clips as batches: the tensors of their windows, their labels, and the same from every source and worker."""

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import InputError, OptionError
from eventdet.events import Events
from eventdet.formats import open_recording
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.preprocessing import ConvertOptions, Representation, convert
from eventdet.preprocessing.dataset.augment import Augmentation
from eventdet.preprocessing.dataset.batch import ClipBatch, SparseFrames
from eventdet.preprocessing.dataset.clips import ClipDataset, ClipOptions, clip_loader
from eventdet.preprocessing.dataset.sampling import ClipSampler, StreamSampler
from eventdet.preprocessing.dataset.sources import (
    ClipRef,
    ClipSource,
    EventSource,
    FrameSource,
    event_sources,
    frame_sources,
)

from .recordings import REPRESENTATION, SIZE, START_US, WINDOW_US, convert_recordings, write_recordings

PIXELS = fit_pixels(SIZE, SIZE)
LABEL_US = [START_US + 30_000, START_US + 30_000, START_US + 47_000]
LABELS = Boxes.from_xyxy([[1, 2, 5, 8], [8, 0, 12, 6], [0, 0, 4, 4]], t=LABEL_US, class_id=[0, 1, 0])


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[Path, list[Events]]:
    """Two recordings of 100 and 55 ms; only the first has labels."""
    return tmp_path, write_recordings(tmp_path / "dat", [100_000, 55_000], [LABELS, Boxes.empty()])


def _events_of(folder: Path) -> list[EventSource]:
    return event_sources(folder / "dat", REPRESENTATION, window_us=WINDOW_US)


def _tensor(events: Events, t0_us: int, window_us: int = WINDOW_US) -> NDArray[np.uint8]:
    tensor: NDArray[np.uint8] = REPRESENTATION(events, t0_us, t0_us + window_us, PIXELS)
    return tensor


def _dense(batch: ClipBatch) -> NDArray[np.uint8]:
    assert isinstance(batch.frames, torch.Tensor)
    dense: NDArray[np.uint8] = batch.frames.numpy()
    return dense


def test_grid_clips_hold_the_tensors_of_their_windows_bins_as_channels(
    recordings: tuple[Path, list[Events]],
) -> None:
    folder, events = recordings
    dataset = ClipDataset(_events_of(folder), ClipOptions(num_windows=3, align="grid"))
    # Ten windows and six: four clips and two.
    assert [(ref.source, ref.t0_us - START_US) for ref in dataset.clips] == [
        (0, 0), (0, 30_000), (0, 60_000), (0, 90_000), (1, 0), (1, 30_000),
    ]  # fmt: skip
    batch = dataset.batch([1, 4])
    assert _dense(batch).shape == (3, 2, 2 * 2, *SIZE)
    for place, (source, t0_us) in enumerate([(0, START_US + 30_000), (1, START_US)]):
        for step in range(3):
            expected = _tensor(events[source], t0_us + step * WINDOW_US).reshape(4, *SIZE)
            np.testing.assert_array_equal(_dense(batch)[step, place], expected)


def test_windows_beyond_the_recording_are_empty(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    batch = ClipDataset(_events_of(folder), ClipOptions(num_windows=3, align="grid"))[3]
    np.testing.assert_array_equal(_dense(batch)[0, 0], _tensor(events[0], START_US + 90_000).reshape(4, *SIZE))
    assert not _dense(batch)[1:].any()


def test_steps_of_bins_are_the_bins_of_each_window_in_order(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    batch = ClipDataset(_events_of(folder), ClipOptions(num_windows=2, steps="bins", align="grid"))[1]
    assert _dense(batch).shape == (4, 1, 2, *SIZE)
    expected = [_tensor(events[0], START_US + start) for start in (20_000, 30_000)]
    np.testing.assert_array_equal(_dense(batch)[:, 0], np.concatenate(expected))


def test_label_clips_end_at_the_stamps_of_the_labels(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    dataset = ClipDataset(_events_of(folder), ClipOptions(num_windows=2))
    assert [ref.t0_us for ref in dataset.clips] == [START_US + 10_000, START_US + 27_000]
    batch = dataset.batch([0, 1])
    np.testing.assert_array_equal(_dense(batch)[1, 1], _tensor(events[0], START_US + 37_000).reshape(4, *SIZE))
    # Window 0 of the second clip ends at 37 ms, before the label at 47 ms by its whole stride.
    assert batch.rows.tolist() == [[1, 0, 0, 1, 2, 5, 8], [1, 0, 1, 8, 0, 12, 6], [1, 1, 0, 0, 0, 4, 4]]
    assert batch.labelled.tolist() == [[False, False], [True, True]]
    first, last = batch.targets
    assert first is None
    assert last is not None
    assert last.tolist() == [[0, 0, 1, 2, 5, 8], [0, 1, 8, 0, 12, 6], [1, 0, 0, 0, 4, 4]]


def test_first_clip_of_a_recording_is_padded_with_empty_windows(tmp_path: Path) -> None:
    early = Boxes.from_xyxy([[0, 0, 4, 4]], t=START_US + 5_000)
    (events,) = write_recordings(tmp_path / "dat", [50_000], [early])
    batch = ClipDataset(_events_of(tmp_path), ClipOptions(num_windows=3))[0]
    assert not _dense(batch)[:2].any()
    np.testing.assert_array_equal(
        _dense(batch)[2, 0], _tensor(events.between(0, START_US + 5_000), START_US - 5_000).reshape(4, *SIZE)
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
            _dense(ClipDataset(sources, options, augmentation)[0])
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


def test_label_belongs_to_the_newest_window_that_has_ended_by_it(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    dataset = ClipDataset(_events_of(folder), ClipOptions(num_windows=5, align="grid"))
    # Window 2 ends at 30 ms, window 3 before 47 ms.
    assert sorted(set(dataset[0].rows[:, 0].tolist())) == [2, 3]
    assert dataset[1].rows.shape == (0, 7)
    bins = ClipDataset(_events_of(folder), ClipOptions(num_windows=5, align="grid", steps="bins"))
    assert sorted(set(bins[0].rows[:, 0].tolist())) == [5, 7]
    assert np.flatnonzero(bins[0].labelled).tolist() == [5, 7]


def test_window_without_labels_is_empty_only_where_that_is_known(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    ignoring = ClipDataset(_events_of(folder), ClipOptions(num_windows=5, align="grid"))[1]
    assert not ignoring.labelled.any()
    assert ignoring.targets == [None] * 5
    known = ClipDataset(_events_of(folder), ClipOptions(num_windows=5, align="grid", unlabelled="empty"))[1]
    assert known.labelled.all()
    assert [rows is not None and rows.shape for rows in known.targets] == [(0, 6)] * 5


def test_stored_events_stored_tensors_and_files_give_the_same_batches(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    store = convert_recordings(folder / "dat", folder / "store")
    kinds: list[Sequence[ClipSource]] = [
        _events_of(folder),
        event_sources(store, REPRESENTATION, window_us=WINDOW_US),
        frame_sources(store),
    ]
    for steps in ("windows", "bins"):
        options = ClipOptions(num_windows=3, align="grid", steps=steps)
        batches = [ClipDataset(kind, options).batch(list(range(6))) for kind in kinds]
        assert _dense(batches[0]).any()
        for other in batches[1:]:
            np.testing.assert_array_equal(_dense(other), _dense(batches[0]))
            np.testing.assert_array_equal(other.rows, batches[0].rows)
            np.testing.assert_array_equal(other.labelled, batches[0].labelled)


def test_store_at_a_url_gives_the_same_batches(recordings: tuple[Path, list[Events]]) -> None:
    pytest.importorskip("upath", reason="the extra remote is not installed")
    folder, _ = recordings
    url = f"memory://{folder.name}/store"
    convert(folder / "dat", url, ConvertOptions(REPRESENTATION, window_us=WINDOW_US))
    expected = _dense(ClipDataset(_events_of(folder), ClipOptions(num_windows=2))[0])
    assert expected.any()
    for sources in (frame_sources(url), event_sources(url, REPRESENTATION, window_us=WINDOW_US)):
        # The first label stands where a stored window ends.
        batch = ClipDataset(sources, ClipOptions(num_windows=2))[0]
        np.testing.assert_array_equal(_dense(batch), expected)


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
    np.testing.assert_array_equal(_dense(dataset[1])[1, 0], _tensor(events[0], START_US + 35_000).reshape(4, *SIZE))
    assert dataset[1].rows[:, 0].tolist() == [1]


def test_stored_windows_that_end_at_labels_are_clips_of_one(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    store = folder / "store"
    convert(folder / "dat", store, ConvertOptions(REPRESENTATION, window_us=WINDOW_US, align="label-end"))
    sources = frame_sources(store)
    dataset = ClipDataset(sources, ClipOptions())
    assert [ref.t0_us - START_US for ref in dataset.clips] == [20_000, 37_000]
    batch = dataset.batch([0, 1])
    np.testing.assert_array_equal(_dense(batch)[0, 1], _tensor(events[0], START_US + 37_000).reshape(4, *SIZE))
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
        np.testing.assert_array_equal(_dense(batch)[..., : SIZE.height, : SIZE.width], _dense(plain))
        assert _dense(batch).sum() == _dense(plain).sum()
        np.testing.assert_array_equal(batch.rows, plain.rows)


def test_scaled_events_bring_their_boxes_along(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    sources = event_sources(folder / "dat", REPRESENTATION, window_us=WINDOW_US, target=SensorSize(6, 8))
    batch = ClipDataset(sources, ClipOptions())[0]
    assert _dense(batch).shape[-2:] == (6, 8)
    assert batch.rows[:, 3:].tolist() == [[0.5, 1, 2.5, 4], [4, 0, 6, 3]]


def test_sparse_batch_scatters_to_the_dense_one(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    dense = ClipDataset(_events_of(folder), ClipOptions(num_windows=3, align="grid"))
    sparse = ClipDataset(_events_of(folder), ClipOptions(num_windows=3, align="grid", sparse=True))
    batch = sparse.batch([0, 5])
    assert isinstance(batch.frames, SparseFrames)
    moved = batch.to("cpu")
    np.testing.assert_array_equal(_dense(moved), _dense(dense.batch([0, 5])))
    assert len(batch.frames.places) == np.count_nonzero(_dense(moved))


def test_augmented_clip_depends_on_seed_epoch_and_clip_alone(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    augmentation = Augmentation(flip=0.5, zoom=0.5, translate=0.3, polarity_flip=0.5, event_drop=0.5, time_jitter_us=99)
    options = ClipOptions(num_windows=3, align="grid")
    dataset = ClipDataset(_events_of(folder), options, augmentation, seed=3)
    again = ClipDataset(_events_of(folder), options, augmentation, seed=3)
    other = ClipDataset(_events_of(folder), options, augmentation, seed=4)
    together = _dense(dataset.batch([0, 1, 2]))
    np.testing.assert_array_equal(_dense(again[2])[:, 0], together[:, 2])
    assert (_dense(other.batch([0, 1, 2])) != together).any()
    next_epoch = [ref._replace(epoch=1) for ref in dataset.clips[:3]]
    assert (_dense(dataset.batch(next_epoch)) != together).any()


def test_mirrored_clips_of_all_sources_are_equal_and_their_boxes_mirrored(
    recordings: tuple[Path, list[Events]],
) -> None:
    folder, _ = recordings
    store = convert_recordings(folder / "dat", folder / "store")
    options, mirrored = ClipOptions(num_windows=3), Augmentation(flip=1.0, polarity_flip=1.0)
    plain = ClipDataset(frame_sources(store), options)[0]
    for sources in (
        _events_of(folder),
        frame_sources(store),
        event_sources(store, REPRESENTATION, window_us=WINDOW_US),
    ):
        batch = ClipDataset(sources, options, mirrored)[0]
        # Channels are bins times polarities: swapped within each bin.
        np.testing.assert_array_equal(_dense(batch), _dense(plain)[:, :, [1, 0, 3, 2], :, ::-1])
        width = SIZE.width
        expected = [[x2 and width - x2, y1, width - x1, y2] for x1, y1, x2, y2 in plain.rows[:, 3:].tolist()]
        assert batch.rows[:, 3:].tolist() == expected


def test_padding_stays_where_it_is_when_the_picture_is_mirrored(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    store, target = convert_recordings(folder / "dat", folder / "store"), SensorSize(16, 32)
    options, mirrored = ClipOptions(num_windows=3), Augmentation(flip=1.0)
    plain = _dense(ClipDataset(frame_sources(store), options, mirrored)[0])
    for sources in (
        frame_sources(store, target=target),
        event_sources(store, REPRESENTATION, window_us=WINDOW_US, target=target),
    ):
        batch = _dense(ClipDataset(sources, options, mirrored)[0])
        np.testing.assert_array_equal(batch[..., : SIZE.height, : SIZE.width], plain)
        assert batch.sum() == plain.sum()


def test_filling_clip_is_empty_and_known_to_be(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    batch = ClipDataset(_events_of(folder), ClipOptions(num_windows=2)).batch([ClipRef(-1, 0), 0])
    assert not _dense(batch)[:, 0].any()
    assert batch.labelled[:, 0].all()
    assert batch.source.tolist() == [-1, 0]
    assert _dense(batch)[:, 1].any()


def test_float_tensors_keep_their_type(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    voxels = Representation("voxel", bins=3)
    sources = event_sources(folder / "dat", voxels, window_us=WINDOW_US)
    batch = ClipDataset(sources, ClipOptions(align="grid"))[0]
    assert isinstance(batch.frames, torch.Tensor)
    assert batch.frames.dtype == torch.float32
    expected = voxels(events[0], START_US, START_US + WINDOW_US, PIXELS)
    np.testing.assert_array_equal(batch.frames.numpy()[0, 0], expected)


def test_workers_hand_out_the_batches_of_the_main_process_in_its_order(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    store = convert_recordings(folder / "dat", folder / "store")
    sources = event_sources(store, REPRESENTATION, window_us=WINDOW_US)
    options = ClipOptions(num_windows=2, align="grid", sparse=True)
    dataset = ClipDataset(sources, options, Augmentation(flip=0.5, event_drop=0.5), seed=1)
    sampler = ClipSampler(dataset, 3, seed=2)
    here = list(clip_loader(dataset, sampler))
    there = list(clip_loader(dataset, sampler, num_workers=2))
    assert len(here) == len(there) == 3
    for one, two in zip(here, there, strict=True):
        np.testing.assert_array_equal(_dense(one.to("cpu")), _dense(two.to("cpu")))
        np.testing.assert_array_equal(one.rows, two.rows)
        np.testing.assert_array_equal(one.t0_us, two.t0_us)


def test_lanes_go_on_where_they_were_and_say_where_a_recording_begins(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    dataset = ClipDataset(_events_of(folder), ClipOptions(num_windows=2, align="grid"), Augmentation(flip=0.5), seed=5)
    batches = list(clip_loader(dataset, StreamSampler(dataset, 2, shuffle=False)))
    assert [batch.is_first.tolist() for batch in batches] == [[True, True]] + [[False, False]] * 4
    assert [batch.source.tolist() for batch in batches] == [[0, 1]] * 3 + [[0, -1]] * 2
    lane = np.concatenate([_dense(batch)[:, 0] for batch in batches])
    whole = np.stack([_tensor(events[0], START_US + step * WINDOW_US).reshape(4, *SIZE) for step in range(10)])
    # One draw for the whole of a recording.
    assert np.array_equal(lane, whole) or np.array_equal(lane, whole[..., ::-1])


def test_pickled_dataset_gives_the_same_batches(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    dataset = ClipDataset(frame_sources(convert_recordings(folder / "dat", folder / "store")), ClipOptions())
    before = _dense(dataset[0])
    np.testing.assert_array_equal(_dense(pickle.loads(pickle.dumps(dataset))[0]), before)


def test_recording_that_is_converted_again_is_read_anew_by_the_next_dataset(tmp_path: Path) -> None:
    write_recordings(tmp_path / "dat", [50_000], [Boxes.empty()])
    store = convert_recordings(tmp_path / "dat", tmp_path / "store")
    options = ClipOptions(align="grid")
    first = _dense(ClipDataset(frame_sources(store), options)[0])
    write_recordings(tmp_path / "dat", [50_000, 60_000])
    (tmp_path / "dat" / "1_td.dat").replace(tmp_path / "dat" / "0_td.dat")
    convert_recordings(tmp_path / "dat", tmp_path / "store")
    assert (_dense(ClipDataset(frame_sources(store), options)[0]) != first).any()


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (Augmentation(event_drop=0.1), "event_drop and time_jitter_us need events"),
        (Augmentation(time_jitter_us=5), "event_drop and time_jitter_us need events"),
    ],
)
def test_change_of_single_events_needs_events(
    augmentation: Augmentation, message: str, recordings: tuple[Path, list[Events]]
) -> None:
    folder, _ = recordings
    sources = frame_sources(convert_recordings(folder / "dat", folder / "store"))
    with pytest.raises(OptionError, match=message):
        ClipDataset(sources, ClipOptions(), augmentation)


def test_polarity_flip_of_stored_tensors_needs_a_polarity_axis() -> None:
    source = FrameSource(Path("a.zarr"), "voxel", Representation("voxel", bins=2), 10, 10, SIZE, SIZE)
    with pytest.raises(OptionError, match="polarity_flip needs events or a polarity axis"):
        ClipDataset([source], ClipOptions(), Augmentation(polarity_flip=0.5))


def test_sources_with_other_windows_are_refused(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    other = event_sources(folder / "dat", REPRESENTATION, window_us=20_000)
    with pytest.raises(OptionError, match="sources must have the same window_us, got 10000 for"):
        ClipDataset([*_events_of(folder), *other], ClipOptions())


def test_no_sources_are_refused() -> None:
    with pytest.raises(OptionError, match="at least one recording"):
        ClipDataset([], ClipOptions())


@pytest.mark.parametrize(
    "options", [{"num_windows": 0}, {"steps": "frames"}, {"align": "end"}, {"unlabelled": "negative"}]
)
def test_option_outside_its_rule_is_refused(options: dict[str, str | int]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        ClipOptions(**options)  # type: ignore[arg-type]


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
        np.testing.assert_array_equal(_dense(batch)[1, place], expected[0])


def test_window_that_was_not_stored_is_refused(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    (source, _) = frame_sources(convert_recordings(folder / "dat", folder / "store"))
    with pytest.raises(OptionError, match="no stored window begins at 1000001 us"):
        source.fill(START_US + 1, [np.empty((2, 2, *SIZE), np.uint8)])


def test_import_of_preprocessing_does_not_load_torch() -> None:
    code = "import sys, eventdet.preprocessing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
