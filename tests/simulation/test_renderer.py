"""Pictures and labels against projective geometry done by hand."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet import SensorSize
from eventdet.simulation import Renderer, Scene, make_scene
from eventdet.simulation import _columns as column
from eventdet.simulation._ground_kernels import draw_background
from eventdet.simulation._render_kernels import draw_surfaces, measure_owners
from eventdet.simulation._shadow_kernels import Throwers, draw_contacts, sort_throwers
from eventdet.simulation._surfaces import footprints
from eventdet.simulation.traffic import Objects
from tests.simulation.canvas import make_canvas

SIZE = SensorSize(240, 304)


def camera(focal: float = 200.0, height: float = 1.5) -> NDArray[np.float64]:
    values = np.zeros(column.NUM_CAMERA)
    values[column.YAW_COS] = 1.0
    values[column.FOCAL], values[column.CAMERA_HEIGHT] = focal, height
    values[column.CENTER_X], values[column.CENTER_Y] = 152.0, 100.0
    values[column.CROSS_START] = values[column.CROSS_STOP] = 1e9
    return values


def daylight() -> NDArray[np.float64]:
    values = np.zeros(column.NUM_LIGHT)
    values[column.SKY_LIGHT], values[column.LAMP_SPACING] = 1.0, 30.0
    return values


def no_throwers() -> Throwers:
    return sort_throwers(np.zeros((0, column.NUM_COLUMNS)), np.zeros((0, 2, 4)), daylight())


def post(identity: int, *, depth: float, x: tuple[float, float], height: float) -> NDArray[np.float64]:
    row = np.zeros(column.NUM_COLUMNS)
    row[column.PLANE], row[column.HEIGHT], row[column.IDENTITY] = depth, height, identity
    row[column.START], row[column.STOP] = x
    row[column.ORIGIN], row[column.LENGTH] = x[0], x[1] - x[0]
    row[column.MATERIAL], row[column.ALBEDO] = column.POST, 0.5
    return row


def wall(identity: int, *, x: float, depth: tuple[float, float], height: float) -> NDArray[np.float64]:
    row = post(identity, depth=x, x=depth, height=height)
    row[column.LATERAL] = 1.0
    return row


def drawn(
    *rows: NDArray[np.float64], count_hidden: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
    canvas = make_canvas(objects=8)
    ground, tile = np.full(column.NUM_GROUND, 0.5), np.zeros((column.TILE_SIDE, column.TILE_SIDE), np.float32)
    draw_surfaces(
        np.array(rows),
        np.stack(footprints(np.array(rows)), axis=1),
        camera(),
        ground,
        daylight(),
        tile,
        no_throwers(),
        canvas,
        count_hidden,
    )
    return canvas.owner, canvas.reach, canvas.through


def extent(owner: NDArray[np.int32], identity: int) -> tuple[int, int, int, int]:
    y, x = np.nonzero(owner == identity)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def test_a_face_lies_where_the_pinhole_puts_it() -> None:
    owner, _, _ = drawn(post(1, depth=10.0, x=(-1.0, 2.0), height=2.0))
    # Columns 152 + 200 x / 10; rows 100 + 200 (1.5 - v) / 10 for v = 2 and v = 0.
    assert extent(owner, 1) == (132, 90, 192, 130)


def test_a_side_lies_where_the_pinhole_puts_it() -> None:
    owner, _, _ = drawn(wall(1, x=4.0, depth=(8.0, 20.0), height=3.0))
    # Columns 152 + 200 * 4 / z for z = 20 and 8; the near end reaches from 100 - 200 * 1.5 / 8 to 100 + 37.5.
    left, top, right, bottom = extent(owner, 1)
    assert (left, right) == (192, 252)
    assert (top, bottom) == pytest.approx((62.5, 137.5), abs=1.5)


def test_a_nearer_face_hides_a_farther_one_but_both_are_counted() -> None:
    near, far = post(1, depth=10.0, x=(-1.0, 1.0), height=2.0), post(2, depth=20.0, x=(-3.0, 3.0), height=3.0)
    owner, reach, _ = drawn(near, far, count_hidden=True)
    # Near: 40 x 40 pixels. Far: columns 122..182 and rows 85..115, of which 40 x 25 lie behind the near one.
    assert (owner == 1).sum() == 1600
    assert (owner == 2).sum() == 60 * 30 - 40 * 25
    assert reach[1:3].tolist() == [1600, 1800]


def test_an_edge_inside_a_pixel_covers_its_share() -> None:
    # The left edge lies at 152 - 200 * 1.02 / 10 = 131.6: the column 131 is covered by 0.4.
    _, _, through = drawn(post(1, depth=10.0, x=(-1.02, 1.0), height=2.0))
    assert through[100, 130:133].tolist() == pytest.approx([1.0, 0.6, 0.0], abs=1e-6)


def test_surfaces_outside_the_picture_touch_nothing() -> None:
    owner, reach, through = drawn(
        post(1, depth=5.0, x=(50.0, 51.0), height=2.0),
        wall(2, x=-0.1, depth=(0.6, 0.7), height=-5.0),
        count_hidden=True,
    )
    assert not owner.any()
    assert not reach.any()
    assert (through == 1.0).all()


def test_the_background_fills_only_what_is_open() -> None:
    canvas = make_canvas()
    canvas.through[:, :100] = 0.0
    ground, tile = np.full(column.NUM_GROUND, 0.5), np.zeros((column.TILE_SIDE, column.TILE_SIDE), np.float32)
    draw_background(
        camera(),
        np.zeros(column.BEND_LENGTH),
        ground,
        daylight(),
        tile,
        no_throwers(),
        canvas,
        np.zeros((0, 0), np.float32),
    )
    assert not canvas.image[:, :100].any()
    assert (canvas.image[:, 100:] > 0.0).all()


def test_measured_owners_agree_with_a_plain_count() -> None:
    owner = np.random.default_rng(0).integers(0, 6, (12, 17)).astype(np.int32)
    owner[owner == 4] = 0
    found, visible = np.zeros((6, 4), np.int64), np.zeros(6, np.int64)
    found[:, :2] = 99
    measure_owners(owner, found, visible)
    assert visible.tolist() == [0] + [int((owner == k).sum()) for k in range(1, 6)]
    for k in (1, 2, 3, 5):
        assert tuple(found[k]) == extent(owner, k)


def only(scene: Scene, chosen: NDArray[np.bool_]) -> Scene:
    columns = (getattr(scene.objects, field.name)[chosen] for field in dataclasses.fields(Objects))
    return dataclasses.replace(scene, objects=Objects(*columns))


@pytest.mark.parametrize("seed", range(6))
def test_boxes_of_a_street_obey_the_rules_of_gen1(seed: int) -> None:
    renderer = Renderer(make_scene(seed, 4_000_000))
    for t_us in range(500_000, 4_000_000, 500_000):
        boxes = renderer.boxes(t_us)
        sides = boxes.xywh[:, 2:]
        assert (boxes.xyxy >= 0).all()
        assert (boxes.xyxy <= [304, 240, 304, 240]).all()
        assert (sides >= 10).all()
        assert (np.hypot(*sides.T) >= 30).all()
        assert set(boxes.class_id.tolist()) <= {0, 1}
        assert len(set(boxes.track_id.tolist())) == len(boxes)
        assert (boxes.t == t_us).all()


def test_a_track_id_names_the_same_object_for_the_whole_scene() -> None:
    scene = make_scene(3, 3_000_000)
    renderer = Renderer(scene)
    for t_us in (500_000, 1_500_000, 2_500_000):
        boxes = renderer.boxes(t_us)
        assert (scene.objects.class_id[boxes.track_id - 1] == boxes.class_id).all()


def test_a_hidden_object_gets_no_box() -> None:
    scene = make_scene(0, 3_000_000)
    cars = np.flatnonzero(scene.objects.class_id == 0)[:1]
    alone = only(scene, np.isin(np.arange(len(scene.objects)), cars))
    placed = dataclasses.replace(
        alone.objects,
        rides=np.ones(1),
        x=np.zeros(1),
        z=np.full(1, 10.0),
        speed_x=np.zeros(1),
        speed_z=np.zeros(1),
        swing_m=np.zeros(1),
    )
    doubled = Objects(*(np.repeat(getattr(placed, field.name), 2) for field in dataclasses.fields(Objects)))
    # The same car once more 4 m behind the first: only its rim could be seen, and there is none.
    behind = dataclasses.replace(doubled, z=np.array([10.0, 14.0]), height=doubled.height * [1.0, 0.9])
    assert len(Renderer(dataclasses.replace(scene, objects=placed)).boxes(0)) == 1
    assert Renderer(dataclasses.replace(scene, objects=behind)).boxes(0).track_id.tolist() == [1]


def test_light_is_finite_positive_and_repeats() -> None:
    scene = make_scene(2, 1_000_000)
    first, second = Renderer(scene).light(123_456), Renderer(scene).light(123_456)
    assert first.dtype == np.float32
    assert first.shape == tuple(SIZE)
    assert np.isfinite(first).all()
    assert first.min() > 0
    assert np.array_equal(first, second)


def test_a_solid_seen_edge_on_is_never_darker_than_black() -> None:
    # Rays along a roof enter it far behind the vehicle; of 40 seeds this picture had twelve such pixels.
    light = Renderer(make_scene(10, 1_500_000, preset="gen1")).light(776_155)
    assert light.min() >= 0


def test_a_vehicle_darkens_the_ground_under_and_beside_it_only() -> None:
    # A box 4 m long and 2 m wide with its tail at 10 m: the ground 0.25 m to its right loses half of 0.8.
    row = np.zeros(column.NUM_COLUMNS)
    row[column.LATERAL], row[column.BASE_Z], row[column.TURN_Z] = column.VEHICLE, 10.0, 1.0
    row[column.LENGTH], row[column.START], row[column.STOP], row[column.HEIGHT] = 4.0, -1.0, 1.0, 1.5
    rows = row[None]
    through, dim = np.ones(tuple(SIZE), np.float32), np.zeros(tuple(SIZE), np.float32)
    draw_contacts(rows, np.stack(footprints(rows), axis=1), camera(), through, dim)
    # Row 125 looks at 200 * 1.5 / 25.5 = 11.76 m, where a metre is 17 pixels: the side lies at column 152 + 17.
    assert dim[125, 152] == pytest.approx(0.8)
    assert dim[125, int(152 + 17 * 1.25)] == pytest.approx(0.4, abs=0.05)
    assert not dim[125, int(152 + 17 * 1.6) :].any()
    assert not dim[:115].any()


def test_what_is_above_a_tunnel_is_hidden_from_below() -> None:
    def seen(cover: tuple[float, float]) -> NDArray[np.float32]:
        values = camera()
        values[column.COVER_START], values[column.COVER_STOP] = cover
        rows = np.array([post(1, depth=40.0, x=(-3.0, 3.0), height=9.0)])
        canvas, tile = make_canvas(objects=8), np.zeros((64, 64), np.float32)
        arguments = (np.full(column.NUM_GROUND, 0.5), daylight(), tile, no_throwers(), canvas, False)
        draw_surfaces(rows, np.stack(footprints(rows), axis=1), values, *arguments)
        return canvas.through

    # 4.8 m at a depth of 40 m lies on row 100 - 200 * 3.3 / 40 = 83.5, 9 m on row 62.5.
    assert (seen((0.0, 0.0))[65:106, 152] == 0.0).all()
    assert (seen((-10.0, 39.0))[65:83, 152] == 1.0).all()
    assert (seen((-10.0, 39.0))[85:106, 152] == 0.0).all()
