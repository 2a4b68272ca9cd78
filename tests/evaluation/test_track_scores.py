import motmetrics
import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.boxes import Boxes, pairwise_iou
from eventdet.errors import OptionError
from eventdet.evaluation import HOTA_IOU_THRESHOLDS, TrackScores, count_tracks
from eventdet.geometry import GEN1
from eventdet.simulation import SimulationConfig
from eventdet.simulation.labels import ground_truth
from eventdet.tracking import Tracker


def _car(left: float, track_id: int = 1, class_id: int = 0) -> Boxes:
    return Boxes.from_xywh([[left, 50, 40, 30]], track_id=track_id, class_id=class_id)


def _row(*boxes: Boxes) -> Boxes:
    return Boxes.concatenate(boxes)


def plain_hota(detections: list[Boxes], labels: list[Boxes]) -> float:
    """State the definition again, one box and one pair after another, with SciPy's assignment."""
    linear_sum_assignment = pytest.importorskip("scipy.optimize").linear_sum_assignment

    def iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
        width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        shared = float(width) * float(height) if width > 0 and height > 0 else 0.0
        return shared / (float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])) - shared)

    frames: list[tuple[list[tuple[int, int]], list[tuple[int, int]], NDArray[np.float64]]] = []
    for found, true in zip(detections, labels, strict=True):
        tables = [[(int(box.class_id[i]), int(box.track_id[i])) for i in range(len(box))] for box in (true, found)]
        overlap = np.array(
            [
                [iou(true.xyxy[i], found.xyxy[j]) if a[0] == b[0] else 0.0 for j, b in enumerate(tables[1])]
                for i, a in enumerate(tables[0])
            ]
        ).reshape(len(true), len(found))
        frames.append((tables[0], tables[1], overlap))
    likely: dict[tuple[object, object], float] = {}
    for true_ids, found_ids, overlap in frames:
        for i, a in enumerate(true_ids):
            for j, b in enumerate(found_ids):
                if overlap[i, j] > 0:
                    share = overlap[i, j] / (overlap[i].sum() + overlap[:, j].sum() - overlap[i, j])
                    likely[a, b] = likely.get((a, b), 0.0) + share
    of_true = [a for true_ids, _, _ in frames for a in true_ids]
    of_found = [b for _, found_ids, _ in frames for b in found_ids]
    values = []
    for alpha in np.arange(1, 20) / 20:
        pairs = []
        for true_ids, found_ids, overlap in frames:
            gain = np.zeros(overlap.shape)
            for i, a in enumerate(true_ids):
                for j, b in enumerate(found_ids):
                    both = likely.get((a, b), 0.0)
                    gain[i, j] = overlap[i, j] * both / (of_true.count(a) + of_found.count(b) - both)
            for i, j in zip(*linear_sum_assignment(-gain), strict=True):
                if overlap[i, j] >= alpha - 1e-12:
                    pairs.append((true_ids[i], found_ids[j]))
        agreed = sum(
            pairs.count(pair) / (of_true.count(pair[0]) + of_found.count(pair[1]) - pairs.count(pair)) for pair in pairs
        )
        # DetA times AssA: the pairs cancel.
        values.append(np.sqrt(agreed / (len(of_true) + len(of_found) - len(pairs))))
    return float(np.mean(values))


def motmetrics_scores(detections: list[Boxes], labels: list[Boxes]) -> dict[str, float]:
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for found, true in zip(detections, labels, strict=True):
        # Its own distances need NumPy 1.
        overlap = pairwise_iou(true.xyxy.astype(np.float64), found.xyxy.astype(np.float64))
        may_match = (overlap >= 0.5) & (true.class_id[:, None] == found.class_id)
        distance = np.where(may_match, 1 - overlap, np.nan)
        # A track of another class is another track.
        accumulator.update(true.track_id * 10 + true.class_id, found.track_id * 10 + found.class_id, distance)
    summary = motmetrics.metrics.create().compute(accumulator, metrics=["idf1", "mota", "num_switches"])
    return {name: float(summary[name].iloc[0]) for name in ("idf1", "mota", "num_switches")}


def _tracked_street(seed: int, *, seconds: int = 12) -> tuple[list[Boxes], list[Boxes]]:
    """Return what the tracker makes of the simulator's boxes with noise, misses and false boxes, and the truth."""
    config = SimulationConfig(seed, seconds * 1_000_000, label_rate_hz=20)
    truth, rng, tracker = ground_truth(config), np.random.default_rng(seed), Tracker(sensor_size=GEN1)
    tracked, labels = [], []
    for t_us in np.unique(truth.t).tolist():
        now = truth.is_label & (truth.t == t_us)
        true = Boxes.from_xyxy(truth.visible[now], t=t_us, class_id=truth.class_id[now], track_id=truth.track_id[now])
        corners = true.xyxy + rng.normal(0, 1, true.xyxy.shape)
        score = rng.uniform(0.4, 1, len(true))
        false = np.hstack([rng.uniform(0, 200, (1, 2)), np.full((1, 2), 30)])[: rng.binomial(1, 0.2)]
        found = Boxes.from_xyxy(corners, class_id=true.class_id, score=score)[rng.uniform(size=len(true)) > 0.15]
        found = _row(found.clipped(GEN1), Boxes.from_xywh(false, score=0.7))
        tracked.append(tracker.update(found, t_us).boxes)
        labels.append(true)
    return tracked, labels


@pytest.mark.parametrize("seed", [3, 5])
def test_tracks_of_a_synthetic_street_score_as_motmetrics_and_the_definition_have_it(seed: int) -> None:
    tracked, labels = _tracked_street(seed)
    scores, reference = count_tracks(tracked, labels), motmetrics_scores(tracked, labels)
    assert sum(map(len, labels)) > 100
    assert scores.idf1 == pytest.approx(reference["idf1"], abs=1e-9)
    assert scores.mota == pytest.approx(reference["mota"], abs=1e-9)
    assert scores.num_switches == reference["num_switches"]
    assert scores.hota == pytest.approx(plain_hota(tracked, labels), abs=1e-9)
    # A tracker that loses what is missed now and then, or keeps false boxes, falls far below.
    assert scores.idf1 > 0.85
    assert scores.mota > 0.75
    assert scores.hota > 0.65


def test_random_tracks_score_as_motmetrics_and_the_definition_have_it() -> None:
    rng = np.random.default_rng(1)
    for _ in range(12):
        sides: tuple[list[Boxes], list[Boxes]] = ([], [])
        for _ in range(8):
            for side in sides:
                ids = rng.permutation(4)[: rng.integers(0, 5)]
                corners = np.stack([40.0 * ids + rng.uniform(-25, 25, len(ids)), np.full(len(ids), 9.0)], axis=1)
                side.append(Boxes.from_xywh(np.hstack([corners, np.full((len(ids), 2), 60)]), track_id=ids))
        scores, reference = count_tracks(*sides), motmetrics_scores(*sides)
        assert (scores.idf1, scores.mota) == pytest.approx((reference["idf1"], reference["mota"]))
        assert scores.hota == pytest.approx(plain_hota(*sides))


def test_perfect_tracks_score_one_whatever_their_ids() -> None:
    labels = [_row(_car(10 + t, 4), _car(120, 2)) for t in range(5)]
    found = [_row(_car(120, 9), _car(10 + t, 7)) for t in range(5)]
    scores = count_tracks(found, labels)
    assert (scores.hota, scores.idf1, scores.mota, scores.num_switches) == (1.0, 1.0, 1.0, 0)


def test_an_identity_that_is_lost_halfway_halves_association() -> None:
    scores = count_tracks([_car(10, 1)] * 2 + [_car(10, 2)] * 2, [_car(10)] * 4)
    # Each of 4 pairs: 2 pairs of the same tracks, of 4 labels and 2 boxes: 2 / (4 + 2 - 2).
    assert scores.association_accuracy == pytest.approx(0.5)
    assert scores.detection_accuracy == 1.0
    assert scores.hota == pytest.approx(np.sqrt(0.5))
    assert scores.idf1 == pytest.approx(2 * 2 / 8)
    assert scores.mota == pytest.approx(1 - 1 / 4)


def test_an_overlap_of_six_tenths_counts_up_to_there() -> None:
    wide = Boxes.from_xyxy([[0, 0, 10, 10]], track_id=1)
    flat = Boxes.from_xyxy([[0, 0, 10, 6]], track_id=1)
    # 12 of the 19 overlaps 0.05 ... 0.95 are 0.6 or less.
    assert count_tracks([flat], [wide]).hota == pytest.approx(12 / 19)
    assert len(HOTA_IOU_THRESHOLDS) == 19


def test_scores_of_recordings_add_up() -> None:
    good, blind = count_tracks([_car(10)] * 3, [_car(10)] * 3), count_tracks([Boxes.empty()], [_car(10)])
    both = good.plus(blind)
    assert both.mota == pytest.approx(3 / 4)
    assert both.hota == pytest.approx(np.sqrt(3 / 4))
    assert both.idf1 == pytest.approx(6 / 7)


def test_other_classes_never_match_and_boxes_without_a_track_are_left_out() -> None:
    assert count_tracks([_car(10, class_id=1)], [_car(10)]).hota == 0.0
    untracked = Boxes.from_xyxy([[0, 0, 9, 9]])
    assert count_tracks([_row(_car(10), untracked)], [_row(_car(10), untracked)]).mota == 1.0


def test_of_several_boxes_of_a_track_the_last_counts() -> None:
    assert count_tracks([_row(_car(200), _car(10))], [_car(10)]).num_found == 1
    assert count_tracks([_row(_car(200), _car(10))], [_car(10)]).mota == 1.0


def test_nothing_at_all_has_no_score() -> None:
    empty: TrackScores = count_tracks([Boxes.empty()], [Boxes.empty()])
    assert [empty.to_dict()[name] for name in ("HOTA", "DetA", "AssA", "IDF1", "MOTA")] == [None] * 5
    assert np.isnan(count_tracks([], []).hota)


def test_boxes_of_which_none_has_a_track_are_refused() -> None:
    untracked = [Boxes.from_xyxy([[0, 0, 9, 9]])]
    with pytest.raises(OptionError, match="detections must have track ids, got none"):
        count_tracks(untracked, [_car(10)])
    with pytest.raises(OptionError, match="labels must have track ids, got none"):
        count_tracks([_car(10)], untracked)
