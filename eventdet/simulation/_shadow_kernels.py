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
    to_x, to_z = light[SUN_X] / light[SUN_UP], light[SUN_Z] / light[SUN_UP]
    reached = np.empty((2, 8))
    for index in range(surfaces.shape[0]):
        row = surfaces[index]
        solid = int(row[LATERAL]) == VEHICLE
        for k in range(8):
            reach = row[HEIGHT] * (k // 4)
            reached[0, k] = corners[index, 0, k % 4] - reach * to_x
            reached[1, k] = corners[index, 1, k % 4] - reach * to_z
        y0, y1, x0, x1 = image_bounds(reached, 0.0, camera, height, width)
        # A vehicle's shadow is that of the upright plane on its diagonal; a plane's corners 0 and 1 are its ends.
        last = 2 if solid else 1
        bx, bz = corners[index, 0, 0], corners[index, 1, 0]
        dx, dz = corners[index, 0, last] - bx, corners[index, 1, last] - bz
        length = np.sqrt(dx * dx + dz * dz)
        if length == 0.0:
            continue
        dx, dz = dx / length, dz / length
        cross = to_x * dz - to_z * dx
        if abs(cross) < 1e-3:
            continue
        for y in range(y0, y1):
            for x in range(x0, x1):
                if through[y, x] < OPAQUE:
                    continue
                ray_x, ray_y = ray(camera, per_focal, x, y)
                if ray_y <= 1e-3:
                    continue
                depth = camera[CAMERA_HEIGHT] / ray_y
                if depth < NEAREST:
                    continue
                gx, gz = ray_x * depth - bx, depth - bz
                v = -(gx * dz - gz * dx) / cross
                u = (gx + v * to_x) * dx + (gz + v * to_z) * dz
                per_x = camera[FOCAL] / depth
                per_z = per_x * max(ray_y, 0.1)
                inside = box(min(u, length - u), min(v, row[HEIGHT] - v), per_x, per_z)
                if inside > 0.0:
                    if not solid:
                        inside *= _silhouette(row, u, v, per_z, tile)
                    shadow[y, x] = max(shadow[y, x], inside)
