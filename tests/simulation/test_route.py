"""Turns into side streets: the way of the camera, and what it sees of both streets."""

import dataclasses
import math

import numpy as np
import pytest

from eventdet.simulation import Renderer, Scene, make_scene
from eventdet.simulation import _columns as column
from eventdet.simulation.reproducible import Draws
from eventdet.simulation.route import Pose, Turn, draw_turn

TURNS = [Turn(20.0, 6.0, 1.0), Turn(35.0, 9.0, -1.0)]


@pytest.mark.parametrize("turn", TURNS, ids=["right", "left"])
def test_a_turn_leads_around_a_quarter_of_a_circle(turn: Turn) -> None:
    assert turn.pose(5.0) == Pose(0.0, 5.0, 1.0, 0.0)
    beyond = turn.pose(turn.stop_m + 7.0)
    assert beyond == pytest.approx((turn.side * (turn.radius_m + 7.0), turn.lane_m, 0.0, turn.side), abs=1e-12)
    for place_m in np.linspace(turn.start_m, turn.stop_m, 21).tolist():
        pose = turn.pose(place_m)
        assert math.hypot(pose.cosine, pose.sine) == pytest.approx(1.0)
        assert math.hypot(turn.side * pose.x - turn.radius_m, pose.z - turn.start_m) == pytest.approx(turn.radius_m)
        # The camera looks along the circle; the wave that stands for the sine is within 0.0011 of it.
        angle = turn.side * (place_m - turn.start_m) / turn.radius_m
        assert (pose.sine, pose.cosine) == pytest.approx((math.sin(angle), math.cos(angle)), abs=2e-3)


@pytest.mark.parametrize("turn", TURNS, ids=["right", "left"])
def test_the_new_street_is_the_old_one_turned(turn: Turn) -> None:
    after = turn.beside(turn.pose(turn.stop_m + 3.0))
    assert after == pytest.approx((0.0, turn.radius_m + 3.0, 1.0, 0.0), abs=1e-12)
    assert turn.way(turn.radius_m + 3.0) == pytest.approx(turn.stop_m + 3.0)
    before = turn.beside(turn.pose(0.0))
    assert before == pytest.approx((turn.side * turn.lane_m, 0.0, 0.0, -turn.side), abs=1e-12)


def test_a_fast_drive_and_one_without_crossing_go_straight_on() -> None:
    kerbs = (-6.0, 3.0)

    def drawn(crossings: list[tuple[float, float]], speeds: tuple[float, float]) -> list[Turn | None]:
        draws = (Draws(seed, "ways") for seed in range(40))
        return [draw_turn(crossings, kerbs=kerbs, travel_m=90.0, speeds=speeds, draw=draw) for draw in draws]

    assert not any(drawn([], (6.0, 0.5)))
    assert not any(drawn([(40.0, 49.0)], (14.0, 6.0)))
    turns = [turn for turn in drawn([(40.0, 49.0)], (6.0, 0.5)) if turn]
    assert {turn.side for turn in turns} == {1.0, -1.0}
    for turn in turns:
        # Into the own lane of the crossing road, and clear of the corner by half a car.
        assert turn.lane_m == (43.0 if turn.side > 0 else 46.0)
        corner = (3.0, 40.0) if turn.side > 0 else (-6.0, 40.0)
        distance = math.dist(corner, (turn.side * turn.radius_m, turn.start_m))
        assert turn.radius_m - distance > 0.9


@pytest.fixture(scope="module", params=[1.0, -1.0], ids=["right", "left"])
def turning(request: pytest.FixtureRequest) -> Scene:
    scenes = (make_scene(seed, 14_000_000, preset="gen1") for seed in range(200))
    return next(scene for scene in scenes if scene.drive.turn and scene.drive.turn.side == request.param)


def test_a_pole_of_the_side_street_keeps_its_place_in_the_world(turning: Scene) -> None:
    # Its place in the picture, by the camera's pose in the first street, without the frame of the second.
    turn, objects = turning.drive.turn, turning.objects
    assert turn is not None
    still = dataclasses.replace(turning.drive, lateral=turning.drive.lateral.times(0.0))
    scene = dataclasses.replace(turning, drive=still)
    found = 0
    for t_us in range(0, 14_000_000, 500_000):
        pose = still.poses(t_us / 1e6, 0.0)[0]
        surfaces = scene.view(t_us).surfaces
        lamps = surfaces[surfaces[:, column.MATERIAL] == column.LAMP]
        ours = (objects.face == column.LAMP) & (objects.leg == 1.0)
        x = turn.side * objects.z[ours] - pose.x
        z = turn.lane_m - turn.side * objects.x[ours] - pose.z
        ahead = x * pose.sine + z * pose.cosine
        aside = x * pose.cosine - z * pose.sine
        for depth, middle in zip(ahead.tolist(), aside.tolist(), strict=True):
            if 2.0 < depth < 100.0 and abs(middle) < 0.5 * depth:
                found += 1
                centres = 0.5 * (lamps[:, column.START] + lamps[:, column.STOP])
                assert np.hypot(lamps[:, column.PLANE] - depth, centres - middle).min() < 1e-6
    assert found > 5


def test_the_picture_turns_without_a_jump(turning: Scene) -> None:
    turn = turning.drive.turn
    assert turn is not None
    renderer, t_us = Renderer(turning), 0
    changes: list[float] = []
    while turning.drive.place_m(t_us / 1e6) < turn.start_m - 1.0:
        t_us += 50_000
    before = renderer.light(t_us)
    while turning.drive.place_m(t_us / 1e6) < turn.stop_m + 1.0 and len(changes) < 200:
        t_us += 20_000
        light = renderer.light(t_us)
        changes.append(float(np.abs(light - before).mean() / light.mean()))
        before = light
    assert len(changes) > 30
    assert max(changes) < 4.0 * np.median(changes)


def test_steps_get_shorter_while_the_camera_turns(turning: Scene) -> None:
    turn, drive = turning.drive.turn, turning.drive
    assert turn is not None
    straight = dataclasses.replace(turning, drive=dataclasses.replace(drive, turn=None))
    inside = [t_us for t_us in range(0, 14_000_000, 10_000) if turn.start_m < drive.place_m(t_us / 1e6) < turn.stop_m]
    assert inside
    assert all(turning.step_us(t_us) <= straight.step_us(t_us) for t_us in inside)
    assert any(turning.step_us(t_us) < straight.step_us(t_us) for t_us in inside)


def test_labels_exist_in_the_side_street() -> None:
    classes: set[int] = set()
    for seed in range(300):
        scene = make_scene(seed, 14_000_000, preset="gen1")
        turn = scene.drive.turn
        if turn is None or scene.drive.place_m(14.0) < turn.stop_m + 3.0:
            continue
        boxes = Renderer(scene).boxes(14_000_000)
        legs = scene.objects.leg[boxes.track_id - 1]
        classes |= set(boxes.class_id[legs == 1.0].tolist())
        if classes == {0, 1}:
            return
    pytest.fail(f"only classes {classes}")


def test_a_road_runs_straight_on_where_its_table_ends() -> None:
    from eventdet.simulation._ground_kernels import _bend

    table = np.array([0.0, 1.0, 3.0])
    assert [_bend(table, depth) for depth in (-4.0, 0.0, 0.5, 2.0, 2.5, 300.0)] == [0.0, 0.0, 0.5, 3.0, 4.0, 599.0]
