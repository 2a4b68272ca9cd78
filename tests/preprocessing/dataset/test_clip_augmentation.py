"""Clips that are changed: the same from every source, boxes along, decided by seed, epoch and clip."""

from pathlib import Path

import numpy as np
import pytest

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.preprocessing import Representation
from eventdet.preprocessing.dataset.augment import Augmentation
from eventdet.preprocessing.dataset.clips import ClipDataset, ClipOptions
from eventdet.preprocessing.dataset.sources import (
    FrameSource,
    event_sources,
    frame_sources,
)

from .recordings import (
    REPRESENTATION,
    SIZE,
    WINDOW_US,
    convert_recordings,
    dense,
    events_of,
)


def test_augmented_clip_depends_on_seed_epoch_and_clip_alone(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    augmentation = Augmentation(flip=0.5, zoom=0.5, translate=0.3, polarity_flip=0.5, event_drop=0.5, time_jitter_us=99)
    options = ClipOptions(num_windows=3, align="grid")
    dataset = ClipDataset(events_of(folder), options, augmentation, seed=3)
    again = ClipDataset(events_of(folder), options, augmentation, seed=3)
    other = ClipDataset(events_of(folder), options, augmentation, seed=4)
    together = dense(dataset.batch([0, 1, 2]))
    np.testing.assert_array_equal(dense(again[2])[:, 0], together[:, 2])
    assert (dense(other.batch([0, 1, 2])) != together).any()
    next_epoch = [ref._replace(epoch=1) for ref in dataset.clips[:3]]
    assert (dense(dataset.batch(next_epoch)) != together).any()


def test_mirrored_clips_of_all_sources_are_equal_and_their_boxes_mirrored(
    recordings: tuple[Path, list[Events]],
) -> None:
    folder, _ = recordings
    store = convert_recordings(folder / "dat", folder / "store")
    options, mirrored = ClipOptions(num_windows=3), Augmentation(flip=1.0, polarity_flip=1.0)
    plain = ClipDataset(frame_sources(store), options)[0]
    for sources in (
        events_of(folder),
        frame_sources(store),
        event_sources(store, REPRESENTATION, window_us=WINDOW_US),
    ):
        batch = ClipDataset(sources, options, mirrored)[0]
        # Channels are bins times polarities: swapped within each bin.
        np.testing.assert_array_equal(dense(batch), dense(plain)[:, :, [1, 0, 3, 2], :, ::-1])
        width = SIZE.width
        expected = [[x2 and width - x2, y1, width - x1, y2] for x1, y1, x2, y2 in plain.rows[:, 3:].tolist()]
        assert batch.rows[:, 3:].tolist() == expected


def test_padding_stays_where_it_is_when_the_picture_is_mirrored(recordings: tuple[Path, list[Events]]) -> None:
    folder, _ = recordings
    store, target = convert_recordings(folder / "dat", folder / "store"), SensorSize(16, 32)
    options, mirrored = ClipOptions(num_windows=3), Augmentation(flip=1.0)
    plain = dense(ClipDataset(frame_sources(store), options, mirrored)[0])
    for sources in (
        frame_sources(store, target=target),
        event_sources(store, REPRESENTATION, window_us=WINDOW_US, target=target),
    ):
        batch = dense(ClipDataset(sources, options, mirrored)[0])
        np.testing.assert_array_equal(batch[..., : SIZE.height, : SIZE.width], plain)
        assert batch.sum() == plain.sum()


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
