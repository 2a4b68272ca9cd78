"""Shadows on the ground: hard ones, by what lies on the way to the sun, and soft ones under what stands on it."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    BASE_X,
    BASE_Z,
    BRIDGE,
    CAMERA_HEIGHT,
    COVER_TOP_M,
    CROWN,
    FOCAL,
    HEIGHT,
    LAMP,
    LATERAL,
    LENGTH,
    MATERIAL,
    NEAREST,
    OPAQUE,
    PERSON,
    PLANE,
    RIDER,
    SEED,
    SIGN,
    START,
    STOP,
    SUN_UP,
    SUN_X,
    SUN_Z,
    TREE,
    TURN_X,
    TURN_Z,
    VEHICLE,
    WIRE,
)
from ._coverage_kernels import box, noise, ramp
from ._lens_kernels import image_bounds, ray

_GRAZING_M = 1e-3
"""A plane whose shadow is narrower than this throws none."""

_SOFT_M = 0.5
"""So far beyond a vehicle the ground sees less of the sky."""

_UNDER = 0.8
"""Share of the sky that the ground under a vehicle does not see."""

_FEET_M = 0.45


@njit(cache=True, nogil=True, error_model="numpy")
def _silhouette(row: NDArray[np.float64], u: float, v: float, p: float, tile: NDArray[np.float32]) -> float:
    """Return how much light a plane keeps off at one point."""
    material, height = int(row[MATERIAL]), row[HEIGHT]
    aside = abs(u - 0.5 * row[LENGTH])
    if material in (TREE, CROWN):
        x, y = 2.0 * aside / row[LENGTH], (v - 0.68 * height) / (0.32 * height)
        mass = noise(tile, u * 1.7 + row[SEED], v * 1.7) - 0.5 * (x * x + y * y)
        return max(box(0.14 - aside, 0.6 * height - v, p, p), ramp((mass + 0.1) * 3.0))
    if material in (PERSON, RIDER):
        return box(0.24 - 0.1 * v / height - aside, height - v, p, p)
    if material == SIGN:
        return box((0.03 if v < height - row[LENGTH] else 0.45 * row[LENGTH]) - aside, height - v, p, p)
    if material == BRIDGE:
        return ramp((v - COVER_TOP_M) * p)
    if material == LAMP:
        return box(0.08 - aside, height - v, p, p)
    return 0.0 if material == WIRE else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _throw(
    corners: NDArray[np.float64], height_m: float, to_x: float, to_z: float, reached: NDArray[np.float64]
) -> None:
    """Write a footprint, and the footprint moved to where the shadow of its top falls, to `reached` (2, 8)."""
    for k in range(8):
        away = height_m * (k // 4)
        reached[0, k] = corners[0, k % 4] - away * to_x
        reached[1, k] = corners[1, k % 4] - away * to_z


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _shade_of(
    row: NDArray[np.float64],
    foot: tuple[float, float, float, float, float, float],
    sun: tuple[float, float],
    at: tuple[float, float],
    scale: tuple[float, float],
    tile: NDArray[np.float32],
) -> float:
    """Return how much of the sun an upright plane keeps off a point of the ground.

    `foot` is where its foot begins, its direction, its length, and one over how far its shadow leads away for a metre
    of height.
    """
    x, z, dx, dz, length, per_away = foot
    gx, gz = at[0] - x, at[1] - z
    v = -(gx * dz - gz * dx) * per_away
    u = (gx + v * sun[0]) * dx + (gz + v * sun[1]) * dz
    inside = box(min(u, length - u), min(v, row[HEIGHT] - v), scale[0], scale[1])
    if inside > 0.0 and int(row[LATERAL]) != VEHICLE:
        inside *= _silhouette(row, u, v, scale[1], tile)
    return inside


@njit(cache=True, nogil=True, error_model="numpy")
def draw_shadows(
    surfaces: NDArray[np.float64],
    corners: NDArray[np.float64],
    camera: NDArray[np.float64],
    light: NDArray[np.float64],
    tile: NDArray[np.float32],
    through: NDArray[np.float32],
    shadow: NDArray[np.float32],
) -> None:
    """Set `shadow` to how much of the sun is kept off each ground pixel; `corners` (n, 2, 4) are the footprints."""
    height, width = through.shape
    per_focal = 1.0 / camera[FOCAL]
    sun = (light[SUN_X] / light[SUN_UP], light[SUN_Z] / light[SUN_UP])
    reached = np.empty((2, 8))
    for index in range(surfaces.shape[0]):
        row, own = surfaces[index], corners[index]
        # A vehicle's shadow is that of the upright plane on its diagonal; a plane's corners 0 and 1 are its ends.
        last = 2 if int(row[LATERAL]) == VEHICLE else 1
        dx, dz = own[0, last] - own[0, 0], own[1, last] - own[1, 0]
        length = np.sqrt(dx * dx + dz * dz)
        if abs(sun[0] * dz - sun[1] * dx) < _GRAZING_M:
            continue
        dx, dz = dx / length, dz / length
        foot = (own[0, 0], own[1, 0], dx, dz, length, 1.0 / (sun[0] * dz - sun[1] * dx))
        _throw(own, row[HEIGHT], sun[0], sun[1], reached)
        y0, y1, x0, x1 = image_bounds(reached, 0.0, camera, height, width)
        for y in range(y0, y1):
            for x in range(x0, x1):
                if through[y, x] < OPAQUE or shadow[y, x] >= 1.0:
                    continue
                ray_x, ray_y = ray(camera, per_focal, x, y)
                if ray_y <= 1e-3:
                    continue
                depth = camera[CAMERA_HEIGHT] / ray_y
                if depth >= NEAREST:
                    scale = (camera[FOCAL] / depth, camera[FOCAL] / depth * max(ray_y, 0.1))
                    kept = _shade_of(row, foot, sun, (ray_x * depth, depth), scale, tile)
                    shadow[y, x] = max(shadow[y, x], kept)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _beyond(row: NDArray[np.float64], x: float, z: float) -> float:
    """Return how many metres a point of the ground lies beyond the footprint of a vehicle."""
    dx, dz = x - row[BASE_X], z - row[BASE_Z]
    u = dx * row[TURN_X] + dz * row[TURN_Z]
    w = abs(dx * row[TURN_Z] - dz * row[TURN_X])
    along, across = max(max(-u, u - row[LENGTH]), 0.0), max(w - row[STOP], 0.0)
    return float(np.sqrt(along * along + across * across))


@njit(cache=True, nogil=True, error_model="numpy")
def draw_contacts(
    surfaces: NDArray[np.float64],
    corners: NDArray[np.float64],
    camera: NDArray[np.float64],
    through: NDArray[np.float32],
    dim: NDArray[np.float32],
) -> None:
    """Set `dim` to how much of the sky vehicles and people keep off the ground under and beside them."""
    height, width = through.shape
    per_focal = 1.0 / camera[FOCAL]
    reached = np.empty((2, 4))
    for index in range(surfaces.shape[0]):
        row = surfaces[index]
        vehicle = int(row[LATERAL]) == VEHICLE
        if not vehicle and int(row[MATERIAL]) not in (PERSON, RIDER):
            continue
        middle_x, middle_z = corners[index, 0].mean(), corners[index, 1].mean()
        for k in range(4):
            for axis, middle in ((0, middle_x), (1, middle_z)):
                away = corners[index, axis, k] - middle
                reached[axis, k] = middle + away + (_SOFT_M if away >= 0.0 else -_SOFT_M)
        if not vehicle:
            reached[1, 2:] = middle_z + _SOFT_M
            reached[1, :2] = middle_z - _SOFT_M
        y0, y1, x0, x1 = image_bounds(reached, 0.0, camera, height, width)
        for y in range(y0, y1):
            for x in range(x0, x1):
                ray_x, ray_y = ray(camera, per_focal, x, y)
                if through[y, x] < OPAQUE or ray_y <= 1e-3:
                    continue
                depth = camera[CAMERA_HEIGHT] / ray_y
                if vehicle:
                    kept = _UNDER * max(0.0, 1.0 - _beyond(row, ray_x * depth, depth) / _SOFT_M)
                else:
                    dx, dz = ray_x * depth - 0.5 * (row[START] + row[STOP]), depth - row[PLANE]
                    kept = 0.6 * max(0.0, 1.0 - np.sqrt(dx * dx + dz * dz) / _FEET_M)
                dim[y, x] = max(dim[y, x], kept)
