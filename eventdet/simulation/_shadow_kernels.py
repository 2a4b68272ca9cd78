"""Hard shadows on the ground: for each of its points, what lies on the way to the sun."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    BRIDGE,
    CAMERA_HEIGHT,
    FOCAL,
    HEIGHT,
    LAMP,
    LATERAL,
    LENGTH,
    MATERIAL,
    NEAREST,
    OPAQUE,
    RIDER,
    SEED,
    SIGN,
    SUN_UP,
    SUN_X,
    SUN_Z,
    TREE,
    VEHICLE,
    WALKER,
    WIRE,
)
from ._coverage_kernels import box, noise, ramp
from ._lens_kernels import image_bounds, ray

_GRAZING_M = 1e-3
"""A plane whose shadow is narrower than this throws none."""


@njit(cache=True, nogil=True, error_model="numpy")
def _silhouette(row: NDArray[np.float64], u: float, v: float, p: float, tile: NDArray[np.float32]) -> float:
    """Return how much light a plane keeps off at one point."""
    material, height = int(row[MATERIAL]), row[HEIGHT]
    aside = abs(u - 0.5 * row[LENGTH])
    if material == TREE:
        x, y = 2.0 * aside / row[LENGTH], (v - 0.68 * height) / (0.32 * height)
        mass = noise(tile, u * 1.7 + row[SEED], v * 1.7) - 0.5 * (x * x + y * y)
        return max(box(0.14 - aside, 0.6 * height - v, p, p), ramp((mass + 0.1) * 3.0))
    if material in (WALKER, RIDER):
        return box(0.24 - 0.1 * v / height - aside, height - v, p, p)
    if material == SIGN:
        return box((0.03 if v < height - row[LENGTH] else 0.45 * row[LENGTH]) - aside, height - v, p, p)
    if material == BRIDGE:
        return ramp((v - 4.8) * p)
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
    ends: tuple[float, float, float, float],
    sun: tuple[float, float],
    at: tuple[float, float],
    scale: tuple[float, float],
    tile: NDArray[np.float32],
) -> float:
    """Return how much of the sun an upright plane between two ends keeps off a point of the ground."""
    dx, dz = ends[2] - ends[0], ends[3] - ends[1]
    length = np.sqrt(dx * dx + dz * dz)
    dx, dz = dx / length, dz / length
    gx, gz = at[0] - ends[0], at[1] - ends[1]
    v = -(gx * dz - gz * dx) / (sun[0] * dz - sun[1] * dx)
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
        ends = (own[0, 0], own[1, 0], own[0, last], own[1, last])
        if abs(sun[0] * (ends[3] - ends[1]) - sun[1] * (ends[2] - ends[0])) < _GRAZING_M:
            continue
        _throw(own, row[HEIGHT], sun[0], sun[1], reached)
        y0, y1, x0, x1 = image_bounds(reached, 0.0, camera, height, width)
        for y in range(y0, y1):
            for x in range(x0, x1):
                ray_x, ray_y = ray(camera, per_focal, x, y)
                if through[y, x] < OPAQUE or ray_y <= 1e-3:
                    continue
                depth = camera[CAMERA_HEIGHT] / ray_y
                if depth >= NEAREST:
                    scale = (camera[FOCAL] / depth, camera[FOCAL] / depth * max(ray_y, 0.1))
                    kept = _shade_of(row, ends, sun, (ray_x * depth, depth), scale, tile)
                    shadow[y, x] = max(shadow[y, x], kept)
