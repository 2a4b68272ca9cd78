"""Plans of batches: every clip comes, processes share recordings, classes are balanced."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import write_dat
from eventdet.preprocessing.dataset.clips import ClipDataset, ClipOptions
from eventdet.preprocessing.dataset.sampling import ClipSampler, StreamSampler, balanced_weights, share_recordings
from eventdet.preprocessing.dataset.sources import ClipRef, event_sources

from .recordings import REPRESENTATION, SIZE, START_US, WINDOW_US, write_recordings

DURATIONS_US = [70_000, 20_000, 50_000, 30_000, 10_000]
"""In windows of 10 ms: 7, 2, 5, 3 and 1."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ClipDataset:
    """Clips of one window; the first recording has cars in three windows and a pedestrian in one of them."""
    folder: Path = tmp_path_factory.mktemp("recordings")
    stamps = START_US + np.array([10_000, 20_000, 30_000, 30_000])
    labels = Boxes.from_xyxy([[0, 0, 4, 4]] * 4, t=stamps, class_id=[0, 0, 0, 1])
    write_recordings(folder, DURATIONS_US, [labels, *[Boxes.empty()] * 4])
    return ClipDataset(event_sources(folder, REPRESENTATION, window_us=WINDOW_US), ClipOptions(align="grid"))


def _clips(batches: list[list[ClipRef]]) -> Counter[tuple[int, int]]:
    return Counter((ref.source, ref.t0_us) for batch in batches for ref in batch)


def test_every_clip_comes_once_an_epoch_and_the_last_batch_is_filled_up(dataset: ClipDataset) -> None:
    sampler = ClipSampler(dataset, 4, seed=1)
    assert len(sampler) == 5
    batches = list(sampler)
    assert [len(batch) for batch in batches] == [4] * 5
    counted = _clips(batches)
    assert counted.keys() == {(ref.source, ref.t0_us) for ref in dataset.clips}
    assert sorted(counted.values()) == [1] * 16 + [2] * 2


def test_epochs_differ_and_steps_go_on_through_them(dataset: ClipDataset) -> None:
    sampler = ClipSampler(dataset, 4, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert [ref[:2] for batch in first for ref in batch] != [ref[:2] for batch in second for ref in batch]
    assert {ref.epoch for batch in second for ref in batch} == {1}
    assert [sampler.batch(step) for step in range(10)] == first + second


def test_without_shuffling_clips_come_in_order(dataset: ClipDataset) -> None:
    batches = list(ClipSampler(dataset, 6, shuffle=False))
    assert [ref for batch in batches for ref in batch] == dataset.clips


def test_processes_read_recordings_of_their_own_and_equally_many_batches(dataset: ClipDataset) -> None:
    samplers = [ClipSampler(dataset, 2, seed=1, rank=rank, world_size=3) for rank in range(3)]
    plans = [list(sampler) for sampler in samplers]
    assert len({len(plan) for plan in plans}) == 1
    sources = [{ref.source for batch in plan for ref in batch} for plan in plans]
    assert sorted(source for share in sources for source in share) == [0, 1, 2, 3, 4]


def test_weights_choose_the_clips(dataset: ClipDataset) -> None:
    weights = np.zeros(len(dataset))
    weights[3] = 2.0
    batches = list(ClipSampler(dataset, 4, weights=weights))
    assert set(_clips(batches)) == {(0, START_US + 30_000)}


def test_balanced_weights_draw_each_class_equally_often(dataset: ClipDataset) -> None:
    weights = balanced_weights(dataset, negatives=0.2)
    # Cars in three clips: 1/3 each; the pedestrian in one of them: 1 more. In sum 2, scaled to 0.8.
    np.testing.assert_allclose(weights[:3], [0.4 / 3, 0.4 / 3, 0.4 / 3 + 0.4])
    np.testing.assert_allclose(weights[3:], 0.2 / 15)


def test_lanes_hold_every_clip_of_every_recording_in_order(dataset: ClipDataset) -> None:
    batches = list(StreamSampler(dataset, 2, seed=3))
    clips = [ref for batch in batches for ref in batch if ref.source >= 0]
    assert len(clips) == len(set(clips)) == 18
    for lane in range(2):
        refs = [batch[lane] for batch in batches if batch[lane].source >= 0]
        for earlier, later in pairwise(refs):
            same = later.source == earlier.source
            assert later.is_first != same
            assert not same or later.t0_us == earlier.t0_us + WINDOW_US
        assert len({(ref.source, ref.drawn_at_us) for ref in refs}) == len({ref.source for ref in refs})


def test_free_lane_takes_the_next_recording(dataset: ClipDataset) -> None:
    batches = list(StreamSampler(dataset, 3, shuffle=False))
    # Lanes: 0 for 7 batches; 1 for 2, then 3 for 3; 2 for 5; the first free place after 5 batches goes to 4.
    assert [[ref.source for ref in batch] for batch in batches] == (
        [[0, 1, 2]] * 2 + [[0, 3, 2]] * 3 + [[0, 4, -1]] + [[0, -1, -1]]
    )


def test_streams_of_processes_are_disjoint_and_equally_long(dataset: ClipDataset) -> None:
    plans = [list(StreamSampler(dataset, 1, seed=1, rank=rank, world_size=2)) for rank in range(2)]
    assert len(plans[0]) == len(plans[1]) == len(StreamSampler(dataset, 1, seed=1, rank=1, world_size=2)) == 9
    sources = [{ref.source for batch in plan for ref in batch} - {-1} for plan in plans]
    assert not sources[0] & sources[1]
    assert sources[0] | sources[1] == {0, 1, 2, 3, 4}


def test_epochs_of_streams_differ_in_order_and_draw(dataset: ClipDataset) -> None:
    sampler = StreamSampler(dataset, 2, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    assert [ref.source for batch in sampler for ref in batch] != [ref.source for batch in first for ref in batch]
    assert {ref.epoch for batch in sampler for ref in batch if ref.source >= 0} == {1}


@given(st.lists(st.integers(0, 100), max_size=20), st.integers(1, 6))
def test_shares_are_disjoint_complete_and_even(lengths: list[int], world_size: int) -> None:
    shares = share_recordings(lengths, world_size)
    assert sorted(number for share in shares for number in share) == list(range(len(lengths)))
    sums = [sum(lengths[number] for number in share) for share in shares]
    assert max(sums) - min(sums) <= max(lengths, default=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "a batch must have >= 1 clips, got 0"),
        ({"rank": 2, "world_size": 2}, r"rank must be in 0\.\.1, got 2"),
        ({"world_size": 6}, "each of 6 processes needs a recording"),
        ({"weights": np.ones(3)}, "weights must be 18 numbers"),
        ({"weights": np.zeros(18)}, "weights must be 18 numbers"),
        ({"weights": np.eye(18)[0], "world_size": 2}, "each of 2 processes needs a clip with a weight"),
    ],
)
def test_plan_that_cannot_be_is_refused(options: dict[str, int], message: str, dataset: ClipDataset) -> None:
    given_options = {"batch_size": 2, **options}
    with pytest.raises(OptionError, match=message):
        ClipSampler(dataset, **given_options)  # type: ignore[arg-type]


def test_negatives_beyond_a_share_are_refused(dataset: ClipDataset) -> None:
    with pytest.raises(OptionError, match=r"negatives must be in 0\.\.1, got 2"):
        balanced_weights(dataset, negatives=2)


@pytest.mark.parametrize(
    ("duration_us", "align", "message", "hint"),
    [
        (50_000, "label", "no recording has a label that a clip could end at", 'use align="grid"'),
        (0, "grid", "no recording holds a window", ""),
    ],
)
def test_dataset_without_any_clip_is_told_as_such(
    tmp_path: Path, duration_us: int, align: str, message: str, hint: str
) -> None:
    if duration_us:
        write_recordings(tmp_path, [duration_us], [Boxes.empty()])
    else:
        write_dat(tmp_path / "0_td.dat", Events.empty(), SIZE)
    empty = ClipDataset(event_sources(tmp_path, REPRESENTATION, window_us=WINDOW_US), ClipOptions(align=align))
    for weights in (None, np.zeros(0)):
        with pytest.raises(OptionError, match=message) as caught:
            ClipSampler(empty, 2, weights=weights)
        assert caught.value.hint == hint
    if align == "grid":
        with pytest.raises(OptionError, match=message):
            StreamSampler(empty, 2)
    else:
        # Streams cover recordings, whatever their labels.
        assert len(StreamSampler(empty, 2)) == 5
