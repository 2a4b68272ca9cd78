"""Draw surfaces front to back into linear light, then the ground and the sky where light still comes through.

Front to back, each pixel is shaded about once however deep the street is. `through` holds the share of a pixel that
nothing has covered yet.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    CAMERA_HEIGHT,
    CAMERA_X,
    CAMERA_Z,
    CENTER_X,
    CENTER_Y,
    CLOUDS,
    FOCAL,
    HEIGHT,
    IDENTITY,
    LATERAL,
    MARK_ALBEDO,
    MATERIAL,
    ORIGIN,
    PLANE,
    ROAD_ALBEDO,
    ROAD_GRAIN,
    ROAD_LEFT,
    ROAD_RIGHT,
    ROLL,
    SKY,
    SKY_LIGHT,
    START,
    STOP,
    TILE_MASK,
    VERGE_ALBEDO,
    VERGE_GRAIN,
)
from ._coverage_kernels import contrast, noise, ramp
from ._light_kernels import illumination
from ._material_kernels import shade

OPAQUE = 1.0 / 256.0
HAZE_M = 260.0


@njit(cache=True, nogil=True, error_model="numpy")
def _bounds(
    row: NDArray[np.float64], camera: NDArray[np.float64], height: int, width: int
) -> tuple[int, int, int, int]:
    """Return rows and columns (first, beyond last) of the image that a surface can touch."""
    left, right, top, bottom = 1e9, -1e9, 1e9, -1e9
    for corner in range(4):
        along = row[START] if corner & 1 else row[STOP]
        depth = along if row[LATERAL] > 0.5 else row[PLANE]
        sideways = (row[PLANE] if row[LATERAL] > 0.5 else along) / depth
        down = (camera[CAMERA_HEIGHT] - (row[HEIGHT] * 1.1 if corner & 2 else 0.0)) / depth
        x = camera[CENTER_X] + camera[FOCAL] * (sideways - camera[ROLL] * down)
        y = camera[CENTER_Y] + camera[FOCAL] * (down + camera[ROLL] * sideways)
        left = min(left, x)
        right = max(right, x)
        top = min(top, y)
        bottom = max(bottom, y)
    x0 = int(min(float(width), max(0.0, left - 2.0)))
    x1 = int(min(float(width), max(0.0, right + 3.0)))
    y0 = int(min(float(height), max(0.0, top - 2.0)))
    y1 = int(min(float(height), max(0.0, bottom + 3.0)))
    return y0, y1, x0, x1


@njit(cache=True, nogil=True, error_model="numpy")
def draw_surfaces(
    surfaces: NDArray[np.float64],
    camera: NDArray[np.float64],
    ground: NDArray[np.float64],
    light: NDArray[np.float64],
    tile: NDArray[np.float32],
    image: NDArray[np.float32],
    through: NDArray[np.float32],
    owner: NDArray[np.int32],
    reach: NDArray[np.int64],
    count_hidden: bool,
) -> None:
    """Add the light of surfaces, nearest first, and note whose each pixel is.

    `reach` counts the pixels of each object that lie in the image, hidden or not, when `count_hidden` is set.
    """
    height, width = image.shape
    per_focal = 1.0 / camera[FOCAL]
    sky = ground[SKY] * light[SKY_LIGHT]
    for index in range(surfaces.shape[0]):
        row = surfaces[index]
        lateral = row[LATERAL] > 0.5
        material, identity = int(row[MATERIAL]), int(row[IDENTITY])
        y0, y1, x0, x1 = _bounds(row, camera, height, width)
        for y in range(y0, y1):
            dy = y + 0.5 - camera[CENTER_Y]
            for x in range(x0, x1):
                open_share = through[y, x]
                if open_share < OPAQUE and not count_hidden:
                    continue
                dx = x + 0.5 - camera[CENTER_X]
                ray_x = (dx + camera[ROLL] * dy) * per_focal
                ray_y = (dy - camera[ROLL] * dx) * per_focal
                depth = row[PLANE]
                along = ray_x * depth
                if lateral:
                    if ray_x * row[PLANE] <= 0.0:
                        continue
                    depth = row[PLANE] / ray_x
                    along = depth
                v = camera[CAMERA_HEIGHT] - ray_y * depth
                per_v = camera[FOCAL] / depth
                per_u = per_v * abs(ray_x) if lateral else per_v
                ends = min(along - row[START], row[STOP] - along) * per_u
                if ends < -0.5 or v * per_v < -0.5 or (v - row[HEIGHT] * 1.1) * per_v > 0.5:
                    continue
                cover, near, glow = shade(material, along - row[ORIGIN], v, per_u, per_v, row, tile)
                cover *= ramp(ends) * ramp(v * per_v)
                if cover <= 0.0:
                    continue
                if cover >= 0.5:
                    reach[identity] += 1
                    if open_share >= 0.5:
                        owner[y, x] = identity
                haze = min(1.0, depth * (1.0 / HAZE_M))
                near = near * illumination(light, ray_x * depth, v, depth, camera[CAMERA_Z]) + glow
                image[y, x] += open_share * cover * (near + haze * (sky - near))
                through[y, x] = open_share * (1.0 - cover)


@njit(cache=True, nogil=True, error_model="numpy")
def _asphalt(
    x: float, z: float, per_x: float, per_z: float, ground: NDArray[np.float64], tile: NDArray[np.float32]
) -> float:
    """Return the light of the carriageway: grain in two sizes, a centre line, edge lines, patches."""
    light = ground[ROAD_ALBEDO]
    fade = contrast(1.1 * per_z)
    if fade > 0.0:
        light *= 1.0 + 0.35 * fade * (noise(tile, x * 1.6, z * 0.9) - 0.5)
    fade = contrast(per_z / 9.0)
    if fade > 0.0:
        light *= 1.0 + ground[ROAD_GRAIN] * fade * (noise(tile, x * 13.0, z * 9.0) - 0.5)
    if tile[math.floor(z / 6.0) & TILE_MASK, math.floor(x / 1.7) & TILE_MASK] > 0.95:
        light *= 0.85
    dash = z - math.floor(z / 8.0) * 8.0
    centre = ramp((0.08 - abs(x + 1.7)) * per_x) * ramp(min(dash, 3.2 - dash) * per_z)
    edge = min(abs(x - ground[ROAD_RIGHT] + 0.35), abs(x - ground[ROAD_LEFT] - 0.35))
    mark = max(centre, ramp((0.06 - edge) * per_x)) * min(1.0, 0.16 * per_x)
    return float(light + mark * (ground[MARK_ALBEDO] - light))


@njit(cache=True, nogil=True, error_model="numpy")
def _pavement(
    x: float, z: float, per_x: float, per_z: float, ground: NDArray[np.float64], tile: NDArray[np.float32]
) -> float:
    """Return the light beside the road: a bright kerb, slabs with joints, then a rough verge."""
    out = x - ground[ROAD_RIGHT] if x > 0.0 else ground[ROAD_LEFT] - x
    if out < 0.18:
        return float(ground[MARK_ALBEDO] * 0.75)
    fine = contrast(per_z / 7.0)
    if out < 2.6:
        joint_z = z - math.floor(z / 1.1) * 1.1
        joint_x = out - math.floor(out / 0.8) * 0.8
        joint = max(ramp((0.03 - joint_z) * per_z), ramp((0.03 - joint_x) * per_x))
        slab = 1.6 * ground[ROAD_ALBEDO] * (1.0 + 0.4 * fine * (noise(tile, x * 7.0, z * 7.0) - 0.5))
        return float(slab * (1.0 - 0.4 * joint * contrast(0.5 * per_z)))
    light = 1.0 + 0.5 * contrast(2.0 * per_z) * (noise(tile, x * 0.7, z * 0.5) - 0.5)
    light += ground[VERGE_GRAIN] * fine * (noise(tile, x * 6.0, z * 6.0) - 0.5)
    return float(ground[VERGE_ALBEDO] * light)


@njit(cache=True, nogil=True, error_model="numpy")
def draw_background(
    camera: NDArray[np.float64],
    ground: NDArray[np.float64],
    light: NDArray[np.float64],
    tile: NDArray[np.float32],
    image: NDArray[np.float32],
    through: NDArray[np.float32],
) -> None:
    """Add ground and sky to the pixels that surfaces left open."""
    height, width = image.shape
    per_focal = 1.0 / camera[FOCAL]
    sky = ground[SKY] * light[SKY_LIGHT]
    for y in range(height):
        dy = y + 0.5 - camera[CENTER_Y]
        for x in range(width):
            open_share = through[y, x]
            if open_share < OPAQUE:
                continue
            dx = x + 0.5 - camera[CENTER_X]
            ray_x = (dx + camera[ROLL] * dy) * per_focal
            ray_y = (dy - camera[ROLL] * dx) * per_focal
            # The sky has no parallax: the ray's direction is its place. Clouds are wide and flat.
            bright = sky
            if ray_y * HAZE_M <= camera[CAMERA_HEIGHT]:
                bright *= 1.0 + ground[CLOUDS] * (noise(tile, ray_x * 5.0 + 7.0, ray_y * 14.0) - 0.5) + 0.4 * ray_y
            else:
                depth = camera[CAMERA_HEIGHT] / ray_y
                per_x = camera[FOCAL] / depth
                per_z = per_x * ray_y
                road_x = ray_x * depth + camera[CAMERA_X]
                road_z = depth + camera[CAMERA_Z]
                if ground[ROAD_LEFT] < road_x < ground[ROAD_RIGHT]:
                    near = _asphalt(road_x, road_z, per_x, per_z, ground, tile)
                else:
                    near = _pavement(road_x, road_z, per_x, per_z, ground, tile)
                near *= illumination(light, road_x - camera[CAMERA_X], 0.0, depth, camera[CAMERA_Z])
                bright = near + depth * (1.0 / HAZE_M) * (bright - near)
            image[y, x] += open_share * bright


@njit(cache=True, nogil=True, error_model="numpy")
def measure_owners(owner: NDArray[np.int32], extent: NDArray[np.int64], visible: NDArray[np.int64]) -> None:
    """Note the extent (left, top, right, bottom, exclusive) and the number of visible pixels of each object."""
    height, width = owner.shape
    for y in range(height):
        for x in range(width):
            identity = owner[y, x]
            if identity > 0:
                visible[identity] += 1
                extent[identity, 0] = min(extent[identity, 0], x)
                extent[identity, 1] = min(extent[identity, 1], y)
                extent[identity, 2] = max(extent[identity, 2], x + 1)
                extent[identity, 3] = max(extent[identity, 3], y + 1)
