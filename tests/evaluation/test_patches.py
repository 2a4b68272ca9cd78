from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import InputError, OptionError
from eventdet.evaluation import (
    PatchScore,
    PatchSummary,
    best_scores_at,
    centre_events,
    find_patches,
    roc_auc,
    with_noise,
)
from eventdet.events import Events
from eventdet.geometry import GEN1

SCORES = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.9, 1.0]), min_size=1, max_size=12)


@given(SCORES, SCORES)
def test_the_area_counts_pairs_as_a_double_loop_does(positive: list[float], negative: list[float]) -> None:
    pairs = [1.0 if high > low else 0.5 if high == low else 0.0 for high in positive for low in negative]
    assert roc_auc(positive, negative) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


@pytest.mark.parametrize(("positive", "negative"), [([], [0.1]), ([0.1], []), ([np.nan], [0.1]), ([[0.1]], [0.1])])
def test_the_area_needs_numbers_on_both_sides(positive: list[float], negative: list[float]) -> None:
    with pytest.raises(OptionError, match="must be one or more numbers in a row"):
        roc_auc(positive, negative)


@given(
    st.lists(st.tuples(st.integers(0, 303), st.integers(0, 239)), min_size=1, max_size=30),
    st.integers(0, 1 << 33),
)
def test_events_move_together_to_the_middle(pixels: list[tuple[int, int]], begin: int) -> None:
    x, y = np.array(pixels).T
    events = Events.from_columns(t=begin + 7 * np.arange(len(x)), x=x, y=y, p=np.arange(len(x)) % 2)
    moved, (left, top, right, bottom) = centre_events(events, GEN1)
    assert (moved.x.min(), moved.x.max() + 1, moved.y.min(), moved.y.max() + 1) == (left, right, top, bottom)
    # The margins on both sides are equal, or differ by the odd pixel.
    assert GEN1.width - right - left in (0, 1)
    assert GEN1.height - bottom - top in (0, 1)
    assert len(set(zip(moved.x - x, moved.y - y, strict=True))) == 1
    np.testing.assert_array_equal(moved.t, 7 * np.arange(len(x)))
    np.testing.assert_array_equal(moved.p, events.p)


def test_what_is_no_patch_is_refused() -> None:
    with pytest.raises(InputError, match="must have events, got none"):
        centre_events(Events.empty(), GEN1)
    wide = Events.from_columns(t=[0, 1], x=[5, 309], y=[0, 3], p=[0, 0])
    with pytest.raises(InputError, match="must fit the 304x240 sensor, got events on 305x4 pixels"):
        centre_events(wide, GEN1)


def test_only_boxes_of_the_class_that_share_area_count() -> None:
    boxes = Boxes.from_xyxy(
        [[0, 0, 10, 10], [20, 20, 30, 30], [9, 9, 12, 12], [12, 12, 14, 14]],
        score=[0.9, 0.8, 0.5, 0.7],
        class_id=[0, 0, 0, 1],
    )
    # The first two touch an edge of the place without area on it, the last is of another class.
    assert best_scores_at(boxes, (10, 10, 20, 20), class_id=0) == (0.5, 0.0)
    assert best_scores_at(boxes, (10, 10, 20, 20), class_id=1) == pytest.approx((0.7, 0.0))
    assert best_scores_at(boxes, (40, 40, 50, 50), class_id=0) == (0.0, 0.0)


def test_a_box_frames_a_patch_when_their_overlap_is_above_one_half() -> None:
    # Overlaps with the place of 1/2, of 51/100, and of 1: the first is not above one half.
    boxes = Boxes.from_xyxy([[0, 0, 50, 10], [0, 0, 51, 10], [0, 0, 100, 10]], score=[0.9, 0.6, 0.3])
    assert best_scores_at(boxes, (0, 0, 100, 10), class_id=0) == pytest.approx((0.9, 0.6))
    assert best_scores_at(boxes[:1], (0, 0, 100, 10), class_id=0)[1] == 0.0
    summary = PatchSummary(
        (
            PatchScore("a", "cars", 0.9, 0.6),
            PatchScore("b", "cars", 0.9, 0.3),
            PatchScore("c", "background", 0.5),
        )
    )
    assert summary.share_framed("cars", 0.6) == 0.5
    assert summary.share_framed("background", 0.6) == 0.0
    assert summary.share_framed("background", 0.0) == 0.0


def test_noise_lies_around_the_place_and_leaves_the_events_alone() -> None:
    events = Events.from_columns(t=[0, 40_000, 99_999], x=[100, 120, 139], y=[90, 95, 109], p=[0, 1, 1])
    place = (100, 90, 140, 110)
    noisy = with_noise(events, place, GEN1, rate_hz=5.0, seed=3)
    assert noisy.t.tolist() == sorted(noisy.t.tolist())
    inside = (noisy.x >= 100) & (noisy.x < 140) & (noisy.y >= 90) & (noisy.y < 110)
    for name in ("t", "x", "y", "p"):
        np.testing.assert_array_equal(getattr(noisy, name)[inside], getattr(events, name))
    # 5 a second on 240 * 304 - 40 * 20 pixels for 0.1 s; five deviations of a Poisson count are 950.
    assert abs(int(np.sum(~inside)) - 36_080) < 950
    assert noisy.t.max() < 100_000
    assert (noisy.x.max(), noisy.y.max()) == (303, 239)
    np.testing.assert_array_equal(noisy.t, with_noise(events, place, GEN1, rate_hz=5.0, seed=3).t)


def test_patches_are_found_at_two_levels(tmp_path: Path) -> None:
    names = ["cars/a.dat", "train/cars/b.dat", "test/background/c.dat", "x/y/cars/d.dat", "cars/e.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_patches(tmp_path)
    assert found["cars"] == [tmp_path / "cars/a.dat", tmp_path / "train/cars/b.dat"]
    assert found["background"] == [tmp_path / "test/background/c.dat"]
    (tmp_path / names[2]).unlink()
    with pytest.raises(InputError, match="no DAT file in background"):
        find_patches(tmp_path)


def test_the_summary_has_medians_and_counts_of_each_kind() -> None:
    given_scores = [("cars", 0.5), ("cars", 0.75), ("cars", 0.0), ("background", 0.0), ("background", 0.25)]
    summary = PatchSummary(tuple(PatchScore(f"{kind}/{score}.dat", kind, score) for kind, score in given_scores))
    record = summary.to_dict(0.25)
    assert record["auc"] == summary.auc == 4.5 / 6
    assert record["cars"] == {"patches": 3, "median_score": 0.5, "share_framed": 0.0}
    assert record["background"] == {"patches": 2, "median_score": 0.125, "share_framed": 0.0}
