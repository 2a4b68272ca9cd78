"""Hard shadows against a line followed to the sun."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.simulation import _columns as column
from eventdet.simulation import make_scene
from eventdet.simulation._render_kernels import draw_surfaces
from eventdet.simulation._shadow_kernels import Throwers, sort_throwers, sun_kept
from eventdet.simulation._surfaces import footprints
from tests.simulation.canvas import make_canvas

# So many pixels a metre that every edge is sharp.
SHARP = (1e9, 1e9)
TILE = np.zeros((column.TILE_SIDE, column.TILE_SIDE), np.float32)


def sun(x: float, up: float, z: float) -> NDArray[np.float64]:
    light = np.zeros(column.NUM_LIGHT)
    light[column.SKY_LIGHT], light[column.SUN], light[column.LAMP_SPACING] = 0.25, 2.0, 30.0
    light[column.SUN_X], light[column.SUN_UP], light[column.SUN_Z] = np.array([x, up, z]) / np.sqrt(
        x * x + up * up + z * z
    )
    return light


def plane(start: tuple[float, float], stop: tuple[float, float], height: float) -> NDArray[np.float64]:
    (x0, z0), (x1, z1) = start, stop
    length = float(np.hypot(x1 - x0, z1 - z0))
    row = np.zeros(column.NUM_COLUMNS)
    row[column.LATERAL], row[column.MATERIAL], row[column.HEIGHT] = column.ANGLED_PLANE, column.POST, height
    row[column.BASE_X], row[column.BASE_Z], row[column.LENGTH], row[column.STOP] = x0, z0, length, length
    row[column.TURN_X], row[column.TURN_Z] = (x1 - x0) / length, (z1 - z0) / length
    row[column.ALBEDO] = 0.5
    return row


def throwers(light: NDArray[np.float64], *rows: NDArray[np.float64]) -> Throwers:
    table = np.array(rows)
    return sort_throwers(table, np.stack(footprints(table), axis=1), light)


def crosses(row: NDArray[np.float64], at: tuple[float, float, float], light: NDArray[np.float64]) -> bool:
    """Return whether the ray from a point to the sun passes through an upright plane, by solving for where it does."""
    base = np.array([row[column.BASE_X], 0.0, row[column.BASE_Z]])
    along = np.array([row[column.TURN_X], 0.0, row[column.TURN_Z]])
    way = light[column.SUN_X : column.SUN_Z + 1]
    # at + s way = base + u along + v up
    s, u, v = np.linalg.solve(np.stack([-way, along, [0.0, 1.0, 0.0]], axis=1), np.array(at) - base)
    return bool(s > 0.0 and 0.0 < u < row[column.LENGTH] and 0.0 < v < row[column.HEIGHT])


places = st.tuples(st.floats(-60, 60), st.floats(-60, 100))


@settings(max_examples=200, deadline=None)
@given(
    start=places,
    way=st.tuples(st.floats(1, 20), st.floats(-20, 20)),
    height=st.floats(0.5, 15),
    sun_at=st.tuples(st.floats(0.3, 1), st.floats(0.2, 1), st.floats(-1, 1)),
    point=st.tuples(st.floats(-40, 40), st.floats(0, 8), st.floats(-10, 80)),
    towards=st.booleans(),
)
def test_a_point_is_shaded_where_the_way_to_the_sun_is_barred(
    start: tuple[float, float],
    way: tuple[float, float],
    height: float,
    sun_at: tuple[float, float, float],
    point: tuple[float, float, float],
    towards: bool,
) -> None:
    light = sun(*sun_at)
    row = plane(start, (start[0] + way[0], start[1] + way[1]), height)
    if towards:
        # A point whose way to the sun meets the plane somewhere in its middle, as few random ones do.
        rise = 0.5 * height
        lead = rise / light[column.SUN_UP]
        x, z = start[0] + 0.4 * way[0], start[1] + 0.4 * way[1]
        point = (x - lead * light[column.SUN_X], 0.2 * height, z - lead * light[column.SUN_Z])
    # Grazing planes throw none, and a plane no more than 0.15 m above a raised point is let be.
    steep = abs(light[column.SUN_X] * way[1] - light[column.SUN_Z] * way[0]) / np.hypot(*way)
    assume(steep > 0.05)
    expected = crosses(row, point, light)
    if crosses(row, (point[0], point[1] + 0.2, point[2]), light) != expected:
        return
    kept = sun_kept(throwers(light, row), 7, point, SHARP, light, TILE)
    assume(kept in (0.0, 1.0))  # Not on an edge to the last bit.
    assert kept == float(expected)


def test_a_posts_shadow_on_the_ground_leads_away_from_the_sun() -> None:
    # For each metre of height it moves 1 m to the left and 2 m ahead; the post is 2 m high and 0.4 m wide.
    light = sun(0.4, 0.4, -0.8)
    shadow = throwers(light, plane((-0.2, 10.0), (0.2, 10.0), 2.0))
    inside = [(0.0, 10.1), (-1.0, 12.0), (-1.9, 13.9), (-1.15, 12.0)]
    outside = [(0.0, 9.9), (-2.1, 14.1), (-1.25, 12.0), (-0.75, 12.0), (1.0, 8.0)]
    assert [sun_kept(shadow, -1, (x, 0.0, z), SHARP, light, TILE) for x, z in inside] == [1.0] * 4
    assert [sun_kept(shadow, -1, (x, 0.0, z), SHARP, light, TILE) for x, z in outside] == [0.0] * 5


def test_a_surface_neither_shades_itself_nor_the_other_wall_of_its_corner() -> None:
    # The sun lights both: it stands to the left and behind.
    light = sun(-0.5, 0.5, -0.5)
    corner = throwers(light, plane((2.0, 10.0), (2.0, 18.0), 4.0), plane((2.0, 10.0), (9.0, 10.0), 4.0))
    for z in (10.0, 10.01, 12.0, 18.0):
        assert sun_kept(corner, 0, (2.0, 2.0, z), SHARP, light, TILE) == 0.0
    for x in (2.0, 2.01, 5.0, 9.0):
        assert sun_kept(corner, 1, (x, 2.0, 10.0), SHARP, light, TILE) == 0.0


def test_no_light_falls_through_the_seam_of_two_planes() -> None:
    light = sun(0.5, 0.4, -0.6)
    seam = throwers(light, plane((-4.0, 20.0), (0.0, 20.0), 5.0), plane((0.0, 20.0), (4.0, 20.0), 5.0))
    # A metre up the seam's shadow lies 1.25 m to the left of it and 1.5 m behind.
    kept = [sun_kept(seam, -1, (x, 0.0, 21.5), (40.0, 40.0), light, TILE) for x in np.linspace(-1.4, -1.1, 61)]
    assert min(kept) == pytest.approx(1.0)


def shaded_rows(*others: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the picture of a wall 20 m ahead, 6 m high, that the sun behind the camera lights."""
    light, camera = sun(0.0, 0.5, -1.0), np.zeros(column.NUM_CAMERA)
    camera[column.FOCAL], camera[column.CAMERA_HEIGHT], camera[column.YAW_COS] = 200.0, 1.5, 1.0
    camera[column.CENTER_X], camera[column.CENTER_Y] = 152.0, 100.0
    wall = plane((-8.0, 20.0), (8.0, 20.0), 6.0)
    wall[column.FACING], wall[column.THROWER] = 0.5, 0
    rows, ground, canvas = wall[None], np.full(column.NUM_GROUND, 0.5), make_canvas()
    corners, shadow = np.stack(footprints(rows), axis=1), throwers(light, wall, *others)
    draw_surfaces(rows, corners, camera, ground, light, TILE, shadow, canvas, False)
    return canvas.image


def test_a_wall_is_dark_up_to_where_the_wall_before_it_lets_the_sun_pass() -> None:
    free, shaded = shaded_rows(), shaded_rows(plane((-8.0, 12.0), (0.0, 12.0), 6.0))
    # 8 m behind a wall of 6 m, at a slope of 1 to 2, the lowest 2 m are in its shadow: rows 100 - 10 (2 - 1.5) on.
    assert np.array_equal(free[:, 153:], shaded[:, 153:])
    assert np.array_equal(free[:95, :152], shaded[:95, :152])
    dark, bright = shaded[96:114, 75:150], free[96:114, 75:150]
    # Of 0.25 by the sky and 2.0 x 0.5 by the sun the sky's share is left, and the haze.
    haze = 20.0 / column.HAZE_M * 0.5 * 0.25
    assert np.allclose((dark - haze) / (bright - haze), 0.25 / 1.25, atol=1e-6)


def test_what_is_out_of_view_throws_its_shadows_into_it() -> None:
    longer = []
    for seed in range(4):
        view = make_scene(seed, 3_000_000, preset="low-sun").view(1_500_000)
        shown = set(view.surfaces[:, column.THROWER].tolist())
        seen = [row for k, row in enumerate(view.throwers) if k in shown]
        points = [(x, 0.0, z) for x in np.linspace(-4, 4, 9) for z in np.linspace(4, 30, 14)]
        kept = [
            sum(sun_kept(throwers(view.light, *rows), -1, at, SHARP, view.light, TILE) for at in points)
            for rows in (seen, view.throwers)
        ]
        assert kept[0] <= kept[1]
        longer.append(kept[0] < kept[1])
    assert any(longer)
    assert not len(make_scene(0, 3_000_000, preset="gen1").view(1_500_000).throwers)
