"""Clips as batches: the tensors of their windows, their labels, and the same from every worker."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.preprocessing.dataset.augment import Augmentation
from eventdet.preprocessing.dataset.batch import SparseFrames
from eventdet.preprocessing.dataset.clips import ClipDataset, ClipOptions, clip_loader
from eventdet.preprocessing.dataset.sampling import ClipSampler, StreamSampler
from eventdet.preprocessing.dataset.sources import (
    ClipRef,
    event_sources,
    frame_sources,
)

from .recordings import (
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


def test_grid_clips_hold_the_tensors_of_their_windows_bins_as_channels(
    recordings: tuple[Path, list[Events]],
) -> None:
    folder, events = recordings
    dataset = ClipDataset(events_of(folder), ClipOptions(num_windows=3, align="grid"))
    # Ten windows and six: four clips and two.
    assert [(ref.source, ref.t0_us - START_US) for ref in dataset.clips] == [
        (0, 0), (0, 30_000), (0, 60_000), (0, 90_000), (1, 0), (1, 30_000),
    ]  # fmt: skip
    batch = dataset.batch([1, 4])
    assert dense(batch).shape == (3, 2, 2 * 2, *SIZE)
    for place, (source, t0_us) in enumerate([(0, START_US + 30_000), (1, START_US)]):
        for step in range(3):
            expected = tensor_of(events[source], t0_us + step * WINDOW_US).reshape(4, *SIZE)
            np.testing.assert_array_equal(dense(batch)[step, place], expected)


def test_windows_beyond_the_recording_are_empty(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    batch = ClipDataset(events_of(folder), ClipOptions(num_windows=3, align="grid"))[3]
    np.testing.assert_array_equal(dense(batch)[0, 0], tensor_of(events[0], START_US + 90_000).reshape(4, *SIZE))
    assert not dense(batch)[1:].any()


def test_steps_of_bins_are_the_bins_of_each_window_in_order(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    batch = ClipDataset(events_of(folder), ClipOptions(num_windows=2, steps="bins", align="grid"))[1]
    assert dense(batch).shape == (4, 1, 2, *SIZE)
    expected = [tensor_of(events[0], START_US + start) for start in (20_000, 30_000)]
    np.testing.assert_array_equal(dense(batch)[:, 0], np.concatenate(expected))


def test_label_clips_end_at_the_stamps_of_the_labels(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    dataset = ClipDataset(events_of(folder), ClipOptions(num_windows=2))
    assert [ref.t0_us for ref in dataset.clips] == [START_US + 10_000, START_US + 27_000]
    batch = dataset.batch([0, 1])
    np.testing.assert_array_equal(dense(batch)[1, 1], tensor_of(events[0], START_US + 37_000).reshape(4, *SIZE))
    # Window 0 of the second clip ends at 37 ms, before the label at 47 ms by its whole stride.
    assert batch.rows.tolist() == [[1, 0, 0, 1, 2, 5, 8], [1, 0, 1, 8, 0, 12, 6], [1, 1, 0, 0, 0, 4, 4]]
    assert batch.labelled.tolist() == [[False, False], [True, True]]
    assert [dataset.stamps_of(ref).tolist() for ref in dataset.clips] == [[START_US + 30_000], [START_US + 47_000]]


def test_first_clip_of_a_recording_is_padded_with_empty_windows(tmp_path: Path) -> None:
    early = Boxes.from_xyxy([[0, 0, 4, 4]], t=START_US + 5_000)
    (events,) = write_recordings(tmp_path / "dat", [50_000], [early])
    batch = ClipDataset(events_of(tmp_path), ClipOptions(num_windows=3))[0]
    assert not dense(batch)[:2].any()
    np.testing.assert_array_equal(
        dense(batch)[2, 0], tensor_of(events.between(0, START_US + 5_000), START_US - 5_000).reshape(4, *SIZE)
    )


def test_label_belongs_to_the_newest_window_that_has_ended_by_it(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    dataset = ClipDataset(events_of(folder), ClipOptions(num_windows=5, align="grid"))
    # Window 2 ends at 30 ms, window 3 before 47 ms.
    assert sorted(set(dataset[0].rows[:, 0].tolist())) == [2, 3]
    assert dataset[1].rows.shape == (0, 7)
    bins = ClipDataset(events_of(folder), ClipOptions(num_windows=5, align="grid", steps="bins"))
    assert sorted(set(bins[0].rows[:, 0].tolist())) == [5, 7]
    assert np.flatnonzero(bins[0].labelled).tolist() == [5, 7]


def test_window_without_labels_is_empty_only_where_that_is_known(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    ignoring = ClipDataset(events_of(folder), ClipOptions(num_windows=5, align="grid"))[1]
    assert not ignoring.labelled.any()
    known = ClipDataset(events_of(folder), ClipOptions(num_windows=5, align="grid", unlabelled="empty"))[1]
    assert known.labelled.all()
    assert known.rows.shape == (0, 7)


def test_sparse_batch_scatters_to_the_dense_one(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    whole = ClipDataset(events_of(folder), ClipOptions(num_windows=3, align="grid"))
    sparse = ClipDataset(events_of(folder), ClipOptions(num_windows=3, align="grid", sparse=True))
    batch = sparse.batch([0, 5])
    assert isinstance(batch.frames, SparseFrames)
    moved = batch.to("cpu")
    np.testing.assert_array_equal(dense(moved), dense(whole.batch([0, 5])))
    assert len(batch.frames.places) == np.count_nonzero(dense(moved))


def test_filling_clip_is_empty_and_known_to_be(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    batch = ClipDataset(events_of(folder), ClipOptions(num_windows=2)).batch([ClipRef(-1, 0), 0])
    assert not dense(batch)[:, 0].any()
    assert batch.labelled[:, 0].all()
    assert batch.source.tolist() == [-1, 0]
    assert dense(batch)[:, 1].any()


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
        np.testing.assert_array_equal(dense(one.to("cpu")), dense(two.to("cpu")))
        np.testing.assert_array_equal(one.rows, two.rows)
        np.testing.assert_array_equal(one.t0_us, two.t0_us)


def test_lanes_go_on_where_they_were_and_say_where_a_recording_begins(recordings: tuple[Path, list[Events]]) -> None:
    folder, events = recordings
    dataset = ClipDataset(events_of(folder), ClipOptions(num_windows=2, align="grid"), Augmentation(flip=0.5), seed=5)
    batches = list(clip_loader(dataset, StreamSampler(dataset, 2, shuffle=False)))
    assert [batch.is_first.tolist() for batch in batches] == [[True, True]] + [[False, False]] * 4
    assert [batch.source.tolist() for batch in batches] == [[0, 1]] * 3 + [[0, -1]] * 2
    lane = np.concatenate([dense(batch)[:, 0] for batch in batches])
    whole = np.stack([tensor_of(events[0], START_US + step * WINDOW_US).reshape(4, *SIZE) for step in range(10)])
    # One draw for the whole of a recording.
    assert np.array_equal(lane, whole) or np.array_equal(lane, whole[..., ::-1])


def test_pickled_dataset_gives_the_same_batches(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    dataset = ClipDataset(frame_sources(convert_recordings(folder / "dat", folder / "store")), ClipOptions())
    before = dense(dataset[0])
    np.testing.assert_array_equal(dense(pickle.loads(pickle.dumps(dataset))[0]), before)


def test_no_sources_are_refused() -> None:
    with pytest.raises(OptionError, match="at least one recording"):
        ClipDataset([], ClipOptions())


@pytest.mark.parametrize(
    "options", [{"num_windows": 0}, {"steps": "frames"}, {"align": "end"}, {"unlabelled": "negative"}]
)
def test_option_outside_its_rule_is_refused(options: dict[str, str | int]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        ClipOptions(**options)  # type: ignore[arg-type]


def test_import_of_preprocessing_does_not_load_torch() -> None:
    code = "import sys, eventdet.preprocessing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
