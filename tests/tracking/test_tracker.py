from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.geometry import GEN1
from eventdet.tracking import Tracker, TrackerConfig, Tracks
from eventdet.tracking import tracker as tracker_module
from eventdet.tracking.assignment import assign
from eventdet.tracking.motion import Noise

STEP_US = 50_000
GAPS_US = st.lists(st.integers(5_000, 120_000), min_size=6, max_size=25)


def _box(left: float, top: float = 80, *, score: float = 0.9, class_id: int = 0) -> Boxes:
    return Boxes.from_xywh([[left, top, 60, 40]], score=score, class_id=class_id)


def _ids(tracks: Tracks) -> list[int]:
    return list(map(int, tracks.boxes.track_id))


def _followed(tracker: Tracker, *, steps: int = 6, speed: float = 100.0) -> int:
    """Let a tracker see a box that moves, and return the time of the last window."""
    for step in range(steps):
        tracker.update(_box(10 + speed * step * STEP_US / 1e6), step * STEP_US)
    return (steps - 1) * STEP_US


def test_a_track_is_told_from_its_second_detection_on_and_ages_from_the_first() -> None:
    tracker = Tracker()
    assert _ids(tracker.update(_box(10), 1_000)) == []
    tracks = tracker.update(_box(11), 31_000)
    assert _ids(tracks) == [1]
    assert tracks.age_us.tolist() == [30_000]
    assert tracks.boxes.t.tolist() == [31_000]
    assert tracks.is_predicted.tolist() == [False]


def test_a_tracker_has_its_kernel_before_the_first_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    solved = []
    monkeypatch.setattr(tracker_module, "assign", lambda gain: solved.append(assign(gain)))
    Tracker()
    # One pair: without any the kernel is not asked.
    ((rows, columns),) = solved
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_noise_of_one_window_never_becomes_a_track() -> None:
    tracker = Tracker()
    tracker.update(_box(10), 0)
    assert _ids(tracker.update(Boxes.empty(), STEP_US)) == []
    assert _ids(tracker.update(_box(10), 2 * STEP_US)) == []


def test_between_detections_a_track_goes_on_at_its_velocity() -> None:
    tracker = Tracker(TrackerConfig(noise=Noise(position=0.001)))
    t_us = _followed(tracker)
    tracks = tracker.update(Boxes.empty(), t_us + 100_000)
    # At 100 pixels a second, 350 ms after the first detection at column 10.
    assert tracks.boxes.xyxy[0].tolist() == pytest.approx([45, 80, 105, 120], abs=0.5)
    assert tracks.velocity[0].tolist() == pytest.approx([100, 0], abs=2)
    assert tracks.is_predicted.tolist() == [True]
    assert tracks.boxes.score.tolist() == pytest.approx([0.9])


def test_a_lost_track_is_told_for_a_while_and_found_again_later() -> None:
    tracker = Tracker()
    t_us = _followed(tracker, speed=20)
    assert _ids(tracker.update(Boxes.empty(), t_us + 100_000)) == [1]
    assert _ids(tracker.update(Boxes.empty(), t_us + 101_000)) == []
    assert _ids(tracker.update(_box(10 + 20 * 1.2), t_us + 950_000)) == [1]


def test_a_track_ends_when_it_was_not_seen_for_too_long() -> None:
    tracker = Tracker()
    t_us = _followed(tracker, speed=0) + 1_000_001
    assert _ids(tracker.update(_box(10), t_us)) == []
    assert _ids(tracker.update(_box(10), t_us + STEP_US)) == [2]


def test_a_low_score_goes_on_with_a_track_and_begins_none() -> None:
    tracker = Tracker()
    t_us = _followed(tracker, speed=0)
    tracks = tracker.update(Boxes.concatenate([_box(10, score=0.2), _box(150, score=0.2)]), t_us + STEP_US)
    assert _ids(tracks) == [1]
    assert tracks.is_predicted.tolist() == [False]
    assert tracks.boxes.score.tolist() == pytest.approx([0.2])
    assert len(tracker.update(_box(150, score=0.2), t_us + 2 * STEP_US)) == 1


def test_a_low_score_does_not_find_a_lost_track_again() -> None:
    tracker = Tracker()
    t_us = _followed(tracker, speed=0)
    tracker.update(Boxes.empty(), t_us + STEP_US)
    assert tracker.update(_box(10, score=0.2), t_us + 2 * STEP_US).is_predicted.tolist() == [True]


def test_scores_below_the_low_one_do_not_count() -> None:
    tracker = Tracker()
    t_us = _followed(tracker, speed=0)
    assert tracker.update(_box(10, score=0.09), t_us + STEP_US).is_predicted.tolist() == [True]


def test_boxes_of_another_class_are_other_objects() -> None:
    tracker = Tracker()
    t_us = _followed(tracker, speed=0)
    for step in (1, 2):
        tracks = tracker.update(_box(10, class_id=1), t_us + step * STEP_US)
    assert _ids(tracks) == [1, 2]
    assert tracks.boxes.class_id.tolist() == [0, 1]
    assert tracks.is_predicted.tolist() == [True, False]


def test_objects_that_pass_each_other_keep_their_ids_however_boxes_are_ordered() -> None:
    tracker = Tracker()
    for step in range(41):
        # Two rows 15 pixels apart, met in the middle at 150 pixels a second each; the second half comes in reverse.
        offset = 150 * step * STEP_US / 1e6
        pair = Boxes.concatenate([_box(10 + offset, 80), _box(310 - offset, 95)])
        tracks = tracker.update(pair[::-1] if step > 20 else pair, step * STEP_US)
    assert _ids(tracks) == [1, 2]
    assert tracks.velocity[:, 0].tolist() == pytest.approx([150, -150], abs=5)
    assert tracks.boxes.xyxy[:, 0].tolist() == pytest.approx([310, 10], abs=2)


@settings(max_examples=40)
@given(GAPS_US, st.data())
def test_an_identity_is_kept_through_irregular_windows_and_gaps(gaps_us: list[int], data: st.DataObject) -> None:
    tracker, t_us, seen = Tracker(), 0, set[int]()
    for number, gap_us in enumerate(gaps_us):
        t_us += gap_us
        # 60 pixels a second: nowhere near the 60 pixels of the box in the longest gap.
        is_missed = number > 3 and data.draw(st.booleans())
        tracks = tracker.update(Boxes.empty() if is_missed else _box(10 + 60 * t_us / 1e6), t_us)
        seen |= set(_ids(tracks))
    assert seen == {1}


@settings(max_examples=25)
@given(GAPS_US, st.sampled_from([2, 4, 8]))
def test_time_that_runs_k_times_as_fast_gives_the_same_tracks_k_times_as_fast(gaps_us: list[int], k: int) -> None:
    noise = Noise()
    slow = Tracker(TrackerConfig(keep_us=k * 1_000_000, predict_us=k * 100_000))
    fast = Tracker(TrackerConfig(noise=Noise(noise.position, k * noise.velocity, k**1.5 * noise.acceleration)))
    jitter = np.random.default_rng(0).normal(0, 2, (len(gaps_us), 4)).astype(np.float32)
    t_us = 0
    for gap_us, off in zip(gaps_us, jitter, strict=True):
        t_us += gap_us
        box = replace(_box(10), xyxy=_box(10 + 60 * t_us / 1e6).xyxy + off)
        of_slow, of_fast = slow.update(box, k * t_us), fast.update(box, t_us)
        assert _ids(of_slow) == _ids(of_fast)
        np.testing.assert_allclose(of_slow.boxes.xyxy, of_fast.boxes.xyxy, rtol=1e-5)
        np.testing.assert_allclose(k * of_slow.velocity, of_fast.velocity, rtol=1e-4, atol=1e-3)
        assert (k * of_fast.age_us).tolist() == of_slow.age_us.tolist()


def test_windows_without_boxes_between_change_nothing() -> None:
    sparse, dense = Tracker(), Tracker()
    t_us = _followed(sparse)
    assert _followed(dense) == t_us
    for extra_us in (10_000, 35_000, 60_000, 99_000):
        dense.update(Boxes.empty(), t_us + extra_us)
    ends = [tracker.update(_box(45), t_us + 100_000) for tracker in (sparse, dense)]
    np.testing.assert_allclose(ends[0].boxes.xyxy, ends[1].boxes.xyxy, rtol=1e-6)
    np.testing.assert_allclose(ends[0].velocity, ends[1].velocity, rtol=1e-6)


def test_boxes_are_cut_to_the_sensor_and_tracks_that_leave_it_end() -> None:
    tracker = Tracker(sensor_size=GEN1)
    for step in range(6):
        # 400 pixels a second; at 250 ms columns 280 to 340 of 304.
        tracks = tracker.update(_box(180 + 20 * step), step * STEP_US)
    assert tracks.boxes.xyxy[0, 2] == GEN1.width
    assert len(tracker.update(Boxes.empty(), 350_000)) == 0
    tracker.update(_box(280), 400_000)
    assert _ids(tracker.update(_box(280), 450_000)) == [2]


def test_reset_forgets_tracks_and_allows_an_earlier_time_under_new_ids() -> None:
    tracker = Tracker()
    _followed(tracker)
    with pytest.raises(OptionError, match="t_us must be >= 250000, got 0"):
        tracker.update(_box(10), 0)
    tracker.reset()
    tracker.update(_box(10), 0)
    assert _ids(tracker.update(_box(10), STEP_US)) == [2]


def test_tracks_stay_bounded_under_a_flood_of_boxes() -> None:
    tracker = Tracker(TrackerConfig(max_tracks=20, sure_after=1, keep_us=10_000_000))
    for step in range(30):
        corners = np.random.default_rng(step).uniform(0, 5000, (100, 2))
        flood = Boxes.from_xywh(np.hstack([corners, np.full((100, 2), 20)]))
        assert len(tracker.update(flood, step * STEP_US)) <= 20


def test_a_call_that_is_refused_leaves_the_tracker_as_it_was() -> None:
    tracker = Tracker()
    t_us = _followed(tracker)
    for wrong in ([[10, 10, 10, 40]], [[10, 10, np.nan, 40]]):
        with pytest.raises(OptionError, match="in box 0"):
            tracker.update(Boxes.from_xyxy(wrong), t_us + STEP_US)
    assert _ids(tracker.update(_box(40), t_us + STEP_US)) == [1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"high_iou": 1.0}, r"high_iou must be in \[0, 1\), got 1.0"),
        ({"low_score": 0.7}, "low_score, high_score and new_score"),
        ({"predict_us": 2_000_000}, "predict_us must be in 0..keep_us = 1000000, got 2000000"),
        ({"sure_after": 0}, "sure_after must be >= 1, got 0"),
        ({"noise": Noise(velocity=0)}, "noise.velocity must be > 0, got 0"),
    ],
    ids=["overlap", "scores", "times", "counts", "noise"],
)
def test_a_value_outside_its_rule_is_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        TrackerConfig(**values)  # type: ignore[arg-type]
