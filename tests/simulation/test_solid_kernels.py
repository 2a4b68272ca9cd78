"""Vehicles against projective geometry done by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.simulation import _columns as column
from eventdet.simulation._canvas import Canvas
from eventdet.simulation._render_kernels import draw_surfaces
from eventdet.simulation._shadow_kernels import sort_throwers
from eventdet.simulation._solid_shapes import HEAVY, PLANES, PROFILES, SALOON
from eventdet.simulation._surfaces import footprints
from tests.simulation.canvas import make_canvas

FOCAL, CENTER_X, CENTER_Y, EYE = 200.0, 152.0, 100.0, 1.5


def vehicle(
    *, tail: tuple[float, float], turn: tuple[float, float], size: tuple[float, float, float], shape: int = HEAVY
) -> NDArray[np.float64]:
    row = np.zeros(column.NUM_COLUMNS)
    row[column.LATERAL], row[column.MATERIAL], row[column.IDENTITY] = column.VEHICLE, shape, 1
    row[column.BASE_X], row[column.BASE_Z] = tail
    row[column.TURN_X], row[column.TURN_Z] = turn
    row[column.LENGTH], row[column.STOP], row[column.HEIGHT] = size
    row[column.START], row[column.ALBEDO] = -size[1], 0.4
    return row


def painted(row: NDArray[np.float64], *, lens: float = 0.0, tile: NDArray[np.float32] | None = None) -> Canvas:
    camera = np.zeros(column.NUM_CAMERA)
    camera[column.YAW_COS] = 1.0
    camera[column.FOCAL], camera[column.CAMERA_HEIGHT], camera[column.LENS] = FOCAL, EYE, lens
    camera[column.CENTER_X], camera[column.CENTER_Y] = CENTER_X, CENTER_Y
    light = np.zeros(column.NUM_LIGHT)
    light[column.SKY_LIGHT], light[column.LAMP_SPACING], light[column.SUN_UP] = 1.0, 30.0, 1.0
    ground = np.full(column.NUM_GROUND, 0.5)
    side = column.TILE_SIDE
    tile = np.full((side, side), 0.5, np.float32) if tile is None else tile
    rows, canvas = row[None], make_canvas()
    corners = np.stack(footprints(rows), axis=1)
    throwers = sort_throwers(rows[:0], corners[:0], light)
    draw_surfaces(rows, corners, camera, ground, light, tile, throwers, canvas, False)
    return canvas


def drawn(row: NDArray[np.float64], *, lens: float = 0.0) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    canvas = painted(row, lens=lens)
    return canvas.owner, canvas.through


def extent(owner: NDArray[np.int32]) -> tuple[int, int, int, int]:
    y, x = np.nonzero(owner)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def test_a_bus_from_behind_lies_where_the_pinhole_puts_it() -> None:
    owner, _ = drawn(vehicle(tail=(1.0, 10.0), turn=(0.0, 1.0), size=(8.0, 1.25, 3.0)))
    # Its sides lean in by 2 % from the ground to the roof: half 1.275 m below.
    # Columns 152 + 20 x, rows 100 + 20 (1.5 - v).
    assert extent(owner) == pytest.approx((152 + 20 * (1 - 1.275), 70, 152 + 20 * (1 + 1.275), 130), abs=1)


def test_a_bus_that_crosses_is_as_wide_as_it_is_long() -> None:
    owner, _ = drawn(vehicle(tail=(-4.0, 12.0), turn=(1.0, 0.0), size=(8.0, 2.0, 3.0)))
    # The near side lies at z = 12 - 2 * 1.02 at the ground and 10 at the roof; the nose leans in by 2 %.
    left, top, right, bottom = extent(owner)
    assert (left, right) == pytest.approx((152 - 200 * 4 / 9.96, 152 + 200 * 4.16 / 9.96), abs=1.5)
    assert (top, bottom) == pytest.approx((100 - 200 * 1.5 / 10, 100 + 200 * 1.5 / 9.96), abs=1)


def test_a_vehicle_at_an_angle_fills_the_hull_of_its_corners() -> None:
    turn = (0.6, 0.8)
    row = vehicle(tail=(-2.0, 14.0), turn=turn, size=(6.0, 1.0, 2.0))
    x, z = footprints(row[None])
    columns = 152 + 200 * x[0] / z[0]
    left, _, right, _ = extent(drawn(row)[0])
    assert (left, right) == pytest.approx((columns.min(), columns.max()), abs=2.5)


def test_an_upright_edge_inside_a_pixel_covers_its_share() -> None:
    # At eye height the left side stands at 1.25 (1.02 - 0.02 / 2) = 1.2625 m: column 152 - 20 * 1.2625 = 126.75.
    _, through = drawn(vehicle(tail=(0.0, 10.0), turn=(0.0, 1.0), size=(8.0, 1.25, 3.0)))
    assert through[100, 125:128].tolist() == pytest.approx([1.0, 0.75, 0.0], abs=0.02)


def test_a_lens_that_spreads_rays_draws_smaller() -> None:
    row = vehicle(tail=(0.0, 4.0), turn=(0.0, 1.0), size=(8.0, 1.25, 3.0))
    plain, spread = (extent(drawn(row, lens=k)[0]) for k in (0.0, 0.5))
    assert spread[0] > plain[0]
    assert spread[2] < plain[2]


def test_what_a_car_mirrors_stays_with_the_street_it_drives_through() -> None:
    tile = np.random.default_rng(0).random((column.TILE_SIDE, column.TILE_SIDE)).astype(np.float32)
    here = vehicle(tail=(0.5, 6.0), turn=(0.0, 1.0), size=(4.2, 0.9, 1.5), shape=SALOON)
    further = here.copy()
    further[column.SWING] += 0.7
    before, after = (painted(row, tile=tile) for row in (here, further))
    # The body is where it was; its light is not, but for what mirrors nothing.
    assert np.array_equal(before.through, after.through)
    body = before.owner == 1
    assert 0.02 < np.abs(before.image - after.image)[body].mean() < 0.5
    assert np.array_equal(before.image[~body & (before.through == 1.0)], after.image[~body & (before.through == 1.0)])


def test_parts_of_every_shape_stay_inside_its_box_and_reach_its_roof() -> None:
    u, w, v = np.meshgrid(
        np.linspace(-0.1, 1.1, 61), np.linspace(-1.2, 1.2, 49), np.linspace(0, 1.2, 61), indexing="ij"
    )
    for planes in PLANES:
        inside = np.zeros(u.shape, bool)
        for part in planes:
            inside |= np.all([a * u + b * w + c * v <= d + 1e-9 for a, b, c, d in part], axis=0)
        assert u[inside].min() >= -0.05
        assert u[inside].max() <= 1.06
        assert np.abs(w[inside]).max() <= 1.11
        assert v[inside].max() == pytest.approx(1.0, abs=0.021)


def test_a_saloon_has_a_boot_lower_than_its_roof() -> None:
    body, cabin = PLANES[SALOON]
    point = np.array([0.08, 0.0, PROFILES[SALOON, 0] + 0.1])
    assert any(plane[:3] @ point > plane[3] for plane in body)
    assert any(plane[:3] @ point > plane[3] for plane in cabin)
