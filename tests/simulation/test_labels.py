"""Label times, labels as of people, and what only a simulator knows."""

import dataclasses
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from eventdet import Boxes
from eventdet.cli.main import run
from eventdet.formats import read_boxes
from eventdet.simulation import GroundTruth, Renderer, SimulationConfig, ground_truth, make_scene, simulate
from eventdet.simulation.labels import label_at, label_times

CONFIG = SimulationConfig(3, 1_500_000)


@pytest.fixture(scope="module")
def truth() -> GroundTruth:
    return ground_truth(CONFIG)


@pytest.mark.parametrize(("rate_hz", "step_us"), [(1.0, 1_000_000), (2.0, 500_000), (4.0, 250_000), (20.0, 50_000)])
def test_labels_begin_at_half_a_second_and_keep_their_distance(rate_hz: float, step_us: int) -> None:
    config = dataclasses.replace(CONFIG, label_rate_hz=rate_hz)
    assert list(islice(label_times(config), 4)) == [500_000 + k * step_us for k in range(4)]


def test_the_truth_holds_the_labels_exactly(truth: GroundTruth) -> None:
    scene = make_scene(3, 1_500_000)
    boxes = Boxes.concatenate(Renderer(scene).boxes(t_us) for t_us in (500_000, 750_000, 1_000_000, 1_250_000))
    kept = truth.is_label
    assert kept.sum() == len(boxes) > 0
    np.testing.assert_array_equal(truth.visible[kept], boxes.xyxy)
    np.testing.assert_array_equal(truth.t[kept], boxes.t)
    np.testing.assert_array_equal(truth.track_id[kept], boxes.track_id)
    np.testing.assert_array_equal(truth.class_id[kept], boxes.class_id)


def test_an_amodal_box_holds_the_visible_one(truth: GroundTruth) -> None:
    seen = truth.visible_share > 0
    assert (truth.amodal[seen, :2] <= truth.visible[seen, :2]).all()
    assert (truth.amodal[seen, 2:] >= truth.visible[seen, 2:]).all()
    whole = truth.visible_share == 1.0
    assert whole.any()
    np.testing.assert_array_equal(truth.amodal[whole], truth.visible[whole])


def test_hidden_and_small_objects_are_in_the_truth_alone(truth: GroundTruth) -> None:
    hidden = truth.visible_share == 0
    assert (truth.visible[hidden] == 0).all()
    assert not truth.is_label[hidden].any()
    assert (~truth.is_label).any()
    assert (truth.amodal[:, 2:] > truth.amodal[:, :2]).all()
    assert ((truth.visible_share >= 0) & (truth.visible_share <= 1)).all()


def test_an_object_behind_another_is_hidden_and_keeps_its_amodal_box() -> None:
    scene = make_scene(3, 1_500_000)
    walker = int(np.flatnonzero(scene.objects.class_id == 1)[0])
    columns = {}
    for field in dataclasses.fields(scene.objects):
        columns[field.name] = np.repeat(getattr(scene.objects, field.name)[walker], 2)
    columns |= {"x": np.zeros(2), "z": np.array([8.0, 12.0]), "speed_x": np.zeros(2), "speed_z": np.zeros(2)}
    columns |= {"height": np.array([1.9, 1.6]), "gait_hz": np.zeros(2)}
    pair = dataclasses.replace(scene.objects, **columns)
    still = dataclasses.replace(scene.drive, speed_m_s=0.0)
    both = Renderer(dataclasses.replace(scene, objects=pair, drive=still)).truth(0)
    assert both.track_id.tolist() == [1, 2]
    assert both.visible_share[0] == 1.0
    assert both.visible_share[1] < 0.3
    # The one behind is 1.6 m at 12 m, the one before 1.9 m at 8 m.
    heights = both.amodal[:, 3] - both.amodal[:, 1]
    assert heights[1] / heights[0] == pytest.approx(1.6 / 1.9 * 8.0 / 12.0, rel=0.06)


def test_a_recording_before_its_first_label_has_no_truth() -> None:
    nothing = ground_truth(SimulationConfig(3, 400_000))
    assert len(nothing) == 0
    assert nothing.amodal.shape == (0, 4)


class _Crowd(Renderer):
    """A scene of 1000 boxes that stand still; it notes when it was looked at."""

    def __init__(self) -> None:
        super().__init__(make_scene(3, 1_500_000))
        self.looked_at: list[int] = []

    def boxes(self, t_us: int) -> Boxes:
        self.looked_at.append(t_us)
        return Boxes.from_xyxy(np.full((1000, 4), (100, 100, 140, 160)), t=t_us, class_id=0)


def test_labels_of_people_are_late_off_a_little_and_miss_some() -> None:
    config = dataclasses.replace(CONFIG, label_noise=True)
    crowd = _Crowd()
    drawn = label_at(crowd, 500_000, config)
    assert set(drawn.t.tolist()) == {500_000}
    # 40 of 1000 are missing; four standard deviations are 25.
    assert 935 < len(drawn) < 985
    off = drawn.xyxy - np.array([100, 100, 140, 160])
    assert np.abs(off).max() <= 2.0
    assert np.abs(off).mean() == pytest.approx(1.0, abs=0.05)
    assert abs(off.mean()) < 0.1
    for k in range(20):
        label_at(crowd, 500_000 + k, config)
    late = np.array(crowd.looked_at[1:]) - np.arange(20) - 500_000
    assert ((late <= 0) & (late > -20_000)).all()
    assert late.min() < -10_000


def test_labels_of_people_stay_in_the_picture_and_repeat() -> None:
    config = dataclasses.replace(CONFIG, label_noise=True)
    drawn, again = (simulate(config).boxes for _ in range(2))
    assert drawn.xyxy.min() >= 0
    assert drawn.xyxy[:, 2].max() <= 304
    assert np.array_equal(again.xyxy, drawn.xyxy)


def test_the_command_writes_the_truth_beside_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "one_td.dat"
    assert run(["simulate", "-o", str(path), "--seconds", "0.6", "--seed", "3", "--truth", "-q"]) == 0
    with np.load(tmp_path / "one_truth.npz", allow_pickle=False) as stored:
        assert set(stored.files) == {item.name for item in dataclasses.fields(GroundTruth)}
        labels = read_boxes(tmp_path / "one_bbox.npy")
        np.testing.assert_array_equal(stored["visible"][stored["is_label"]], labels.xyxy)
    assert {item.name for item in tmp_path.iterdir()} == {"one_td.dat", "one_bbox.npy", "one_truth.npz"}
