"""Built-up streets: crossings are kept free, roads bend, and only cars and people are labelled."""

from itertools import pairwise

import numpy as np
import pytest

from eventdet.simulation import PRESETS, Renderer, Scene, make_scene
from eventdet.simulation import _columns as column
from eventdet.simulation._figure_kernels import motorbike
from eventdet.simulation._solid_shapes import HEAVY

TOWNS = [name for name, preset in PRESETS.items() if preset.built_up]


@pytest.fixture(scope="module", params=range(6))
def town(request: pytest.FixtureRequest) -> Scene:
    return make_scene(request.param, 20_000_000, preset="gen1")


def test_nothing_stands_on_a_crossing_road(town: Scene) -> None:
    objects = town.objects
    stands = (objects.speed_x == 0) & (objects.speed_z == 0) & (objects.rides == 0) & (objects.side != column.WIRE)
    stands &= objects.leg == 0
    for start, stop in town.crossings:
        inside = (objects.z + objects.depth > start) & (objects.z < stop) & stands
        assert set(objects.face[inside]) <= {column.POST}


def test_crossing_roads_are_so_far_apart_that_one_is_in_view(town: Scene) -> None:
    for (_, stop), (start, _) in zip(town.crossings, town.crossings[1:], strict=False):
        assert start - stop > 100.0


def test_every_car_is_a_solid_and_no_heavy_vehicle_is_labelled(town: Scene) -> None:
    objects = town.objects
    assert (objects.shape[objects.class_id == 0] >= 0).all()
    assert (objects.class_id[objects.shape >= HEAVY] == -1).all()


def test_oncoming_traffic_does_not_slow_down_with_the_camera() -> None:
    towns = [make_scene(seed, 20_000_000, preset="gen1") for seed in range(12)]
    slow = [town for town in towns if town.drive.speed_m_s < 5.0]
    speeds = [town.objects.speed_z[(town.objects.shape >= 0) & (town.objects.speed_z < 0)] for town in slow]
    assert sum(map(len, speeds)) > 3
    assert all((speed < -8.49).all() for speed in speeds)


@pytest.mark.parametrize("seed", range(6))
def test_the_camera_looks_along_the_road_wherever_it_is(seed: int) -> None:
    drive = make_scene(seed, 10_000_000, preset="gen1").drive
    for t_s in (0.0, 3.3, 9.9):
        near = drive.bend_m(np.array([0.0, 0.25, -0.25]), t_s)
        assert near[0] == 0.0
        assert np.abs(near[1:]).max() < 0.01


def test_a_plain_road_is_straight_and_a_town_road_bends() -> None:
    ahead = np.arange(100.0)
    assert not make_scene(1, 1_000_000).drive.bend_m(ahead, 0.5).any()
    bends = [np.abs(make_scene(k, 1_000_000, preset="gen1").drive.bend_m(ahead, 0.5)).max() for k in range(8)]
    assert max(bends) > 3.0


@pytest.mark.parametrize("preset", TOWNS)
def test_surfaces_of_a_town_are_inside_their_rules(preset: str) -> None:
    scene = make_scene(5, 4_000_000, preset=preset)
    for t_us in range(0, 4_000_000, 500_000):
        surfaces = scene.view(t_us).surfaces
        turned = surfaces[:, column.LATERAL] >= column.ANGLED_PLANE
        assert not (surfaces[:, column.LATERAL] == column.LATERAL_PLANE).any()
        length = np.hypot(surfaces[turned, column.TURN_X], surfaces[turned, column.TURN_Z])
        assert length == pytest.approx(1.0, abs=1e-9)
        assert (surfaces[:, column.STOP] > surfaces[:, column.START]).all()
        assert (surfaces[:, column.FACING] >= 0).all()


def test_lamps_riders_wires_and_bridges_have_no_label(town: Scene) -> None:
    objects = town.objects
    unlabelled = np.isin(objects.face, (column.RIDER, column.MOTORBIKE, column.LAMP, column.WIRE, column.BRIDGE))
    assert (objects.face == column.LAMP).any()
    assert (objects.class_id[unlabelled] == -1).all()


def test_motorbikes_are_parked_and_ridden_and_only_ridden_ones_have_lights() -> None:
    parked, oncoming, crossing, leading = 0, 0, 0, 0
    for seed in range(16):
        scene = make_scene(seed, 5_000_000, preset="night")
        objects, surfaces = scene.objects, scene.view(2_000_000).surfaces
        bikes, ridden = objects.face == column.MOTORBIKE, objects.height > column.RIDDEN_M
        still = (objects.speed_x == 0) & (objects.speed_z == 0) & (objects.rides == 0)
        assert (still[bikes] == ~ridden[bikes]).all()
        parked += int((bikes & still).sum())
        oncoming += int((bikes & (objects.speed_z < 0)).sum())
        crossing += int((bikes & (objects.speed_x != 0)).sum())
        leading += int((bikes & (objects.rides > 0)).sum())
        shown = surfaces[surfaces[:, column.MATERIAL] == column.MOTORBIKE]
        shown = shown[shown[:, column.LATERAL] != column.VEHICLE]
        lit = shown[:, column.HEIGHT] > column.RIDDEN_M
        assert (shown[lit, column.GLOW] == scene.light[column.HEADLAMPS]).all()
        assert not shown[~lit, column.GLOW].any()
    assert parked > oncoming > 0
    assert crossing > 0
    assert leading > 0


@pytest.mark.parametrize("tone", [0.5, 1.5], ids=["from its end", "from its side"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_motorbike_stands_on_its_wheels_and_carries_a_head_when_ridden(tone: float, flip: float) -> None:
    row = np.zeros(column.NUM_COLUMNS)
    row[column.LENGTH], row[column.TONE], row[column.FLIP], row[column.ALBEDO] = 2.2, tone, flip, 0.4

    def cover(x: float, v: float, height: float) -> float:
        row[column.HEIGHT] = height
        return float(motorbike(1.1 + (-x if flip else x), v, 100.0, row)[0])

    wheels = (0.0,) if tone < 1.0 else (-0.68, 0.68)
    assert [cover(x, 0.05, 1.2) for x in wheels] == [1.0] * len(wheels)
    head = 0.0 if tone < 1.0 else 0.15
    assert cover(head, 1.6, 1.75) == 1.0
    assert cover(head, 1.6, 1.2) == 0.0
    for x, v in ((-1.05, 0.9), (1.05, 0.9), (0.0, 1.8)):
        assert cover(x, v, 1.75) == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_street_lamps_stand_where_their_light_falls(seed: int) -> None:
    scene = make_scene(seed, 5_000_000, preset="night")
    spacing = scene.light[column.LAMP_SPACING]
    lamps = scene.objects.z[scene.objects.face == column.LAMP]
    # The light of the ground is brightest half a spacing after every whole one.
    assert lamps / spacing % 1.0 == pytest.approx(np.full(len(lamps), 0.5))


def test_street_lamps_flicker_a_hundred_times_a_second() -> None:
    scene = make_scene(2, 5_000_000, preset="night")
    strength = [scene.lamp_swing(t_us) for t_us in range(0, 20_000, 2_500)]
    assert strength[:4] == pytest.approx(strength[4:])
    assert max(strength) > min(strength)


def test_pictures_under_lamps_follow_their_flicker_and_meet_the_drawings() -> None:
    scene = make_scene(2, 30_000, preset="night")
    renderer = Renderer(scene)
    pictures = dict(Renderer(scene).pictures())
    times = list(pictures)
    assert times[0] == 0
    assert times[-1] >= 30_000
    assert max(b - a for a, b in pairwise(times)) <= 2_000
    drawn_us = 0
    while drawn_us < 30_000:
        np.testing.assert_array_equal(pictures[drawn_us], renderer.light(drawn_us))
        drawn_us += scene.step_us(drawn_us)
    # In between nothing but the lamps differs much from a drawing of that moment.
    for t_us in times:
        drawn = renderer.light(t_us)
        assert np.abs(pictures[t_us] - drawn).mean() < 0.02 * drawn.mean()


@pytest.mark.parametrize("preset", TOWNS)
def test_some_streets_have_a_tunnel_or_a_bridge_and_nothing_stands_in_it(preset: str) -> None:
    scenes = [make_scene(seed, 30_000_000, preset=preset) for seed in range(24)]
    covers = [scene.cover[1] - scene.cover[0] for scene in scenes]
    assert any(0.0 < length <= 10.0 for length in covers)
    assert any(35.0 <= length <= 70.0 for length in covers)
    for scene in (scene for scene in scenes if scene.cover[1] > scene.cover[0]):
        objects, (start, stop) = scene.objects, scene.cover
        stands = (objects.speed_x == 0) & (objects.speed_z == 0) & (objects.rides == 0) & (objects.leg == 0)
        inside = stands & (objects.z + objects.depth > start + 0.1) & (objects.z < stop - 0.1)
        assert set(objects.side[inside].tolist()) <= {column.WALL, column.NOTHING}
        assert set(objects.face[inside].tolist()) <= {column.BRIDGE, column.NOTHING}
        assert not [road for road in scene.crossings if road[1] > start > stop or start < road[0] < stop]


def test_a_tunnel_is_a_step_of_light() -> None:
    scene = next(
        scene
        for scene in (make_scene(seed, 20_000_000, preset="gen1") for seed in range(99))
        if scene.cover[1] - scene.cover[0] > 30.0 and scene.drive.place_m(20.0) > scene.cover[1]
    )
    renderer = Renderer(scene)
    places = {t_us: scene.drive.place_m(t_us / 1e6) for t_us in range(0, 20_000_000, 250_000)}
    middle = 0.5 * sum(scene.cover)
    within = min(places, key=lambda t_us: abs(places[t_us] - middle))
    before = min(places, key=lambda t_us: abs(places[t_us] - scene.cover[0] + 15.0))
    ground = slice(160, 240)
    assert renderer.light(within)[ground].mean() < 0.4 * renderer.light(before)[ground].mean()


def test_traffic_lights_show_every_lamp_in_turn() -> None:
    scene = next(
        scene
        for scene in (make_scene(seed, 20_000_000, preset="gen1") for seed in range(20))
        if (scene.objects.face == column.SIGNALS).any()
    )
    chosen = scene.objects.face == column.SIGNALS
    assert (scene.objects.class_id[chosen] == -1).all()
    shown = set()
    for t_us in range(0, 16_000_000, 200_000):
        surfaces = scene.view(t_us).surfaces
        shown |= set(surfaces[surfaces[:, column.MATERIAL] == column.SIGNALS, column.SWING].tolist())
    assert shown <= {0.0, 1.0, 2.0}


@pytest.mark.parametrize("seed", range(8))
def test_nobody_walks_or_drives_through_the_camera(seed: int) -> None:
    scene = make_scene(seed, 12_000_000, preset="gen1")
    objects = scene.objects
    moving = ((objects.speed_x != 0) | (objects.speed_z != 0)) & (objects.rides == 0)
    for t_s in np.arange(0.0, 12.0, 0.1).tolist():
        poses = np.array(scene.drive.poses(t_s, 0.0))[objects.leg.astype(int)]
        dx = objects.x + objects.speed_x * t_s - poses[:, 0]
        dz = objects.z + objects.speed_z * t_s + 0.5 * objects.depth - poses[:, 1]
        assert not (moving & (np.hypot(dx, dz) < 1.0)).any()


@pytest.mark.parametrize("seed", [2, 8])
def test_a_crossing_road_is_left_when_nothing_of_it_is_in_the_picture(seed: int) -> None:
    scene = make_scene(seed, 6_000_000, preset="gen1")
    starts = [scene.view(t_us).camera[column.CROSS_START] for t_us in range(0, 6_000_000, 20_000)]
    left_us = 20_000 * next(k for k in range(1, len(starts)) if starts[k] != starts[k - 1])
    renderer = Renderer(scene)
    logs = [np.log(renderer.light(t_us) + 1e-6) for t_us in (left_us - 40_000, left_us - 20_000, left_us)]
    before, then = (float((np.abs(b - a) > 0.2).mean()) for a, b in pairwise(logs))
    assert then < 1.2 * before
