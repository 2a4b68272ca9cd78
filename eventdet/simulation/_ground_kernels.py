"""Draw the ground and the sky where light still comes through."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    CAMERA_HEIGHT,
    CAMERA_X,
    CAMERA_Z,
    CENTER_Y,
    CLOUDS,
    CROSS_START,
    CROSS_STOP,
    FOCAL,
    HAZE_M,
    HEADING,
    MARK_ALBEDO,
    OPAQUE,
    ROAD_ALBEDO,
    ROAD_GRAIN,
    ROAD_LEFT,
    ROAD_RIGHT,
    SKY,
    SKY_LIGHT,
    SUN_UP,
    TILE_MASK,
    VERGE_ALBEDO,
    VERGE_GRAIN,
    WET,
)
from ._coverage_kernels import contrast, noise, ramp
from ._lens_kernels import ray
from ._light_kernels import illumination


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _asphalt(
    x: float, z: float, per_x: float, per_z: float, ground: NDArray[np.float64], tile: NDArray[np.float32]
) -> float:
    """Return the light of asphalt without marks: grain in two sizes, patches."""
    light = ground[ROAD_ALBEDO]
    fade = contrast(1.1 * per_z)
    if fade > 0.0:
        light *= 1.0 + 0.35 * fade * (noise(tile, x * 1.6, z * 0.9) - 0.5)
    fade = contrast(per_z / 9.0)
    if fade > 0.0:
        light *= 1.0 + ground[ROAD_GRAIN] * fade * (noise(tile, x * 13.0, z * 9.0) - 0.5)
    if tile[math.floor(z / 6.0) & TILE_MASK, math.floor(x / 1.7) & TILE_MASK] > 0.95:
        light *= 0.85
    return float(light)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _road_marks(x: float, z: float, per_x: float, per_z: float, ground: NDArray[np.float64]) -> float:
    """Return how much of a point of the road is painted: a dashed centre line and two edge lines."""
    dash = z - math.floor(z / 8.0) * 8.0
    centre = ramp((0.08 - abs(x + 1.7)) * per_x) * ramp(min(dash, 3.2 - dash) * per_z)
    edge = min(abs(x - ground[ROAD_RIGHT] + 0.35), abs(x - ground[ROAD_LEFT] - 0.35))
    return float(max(centre, ramp((0.06 - edge) * per_x)) * min(1.0, 0.16 * per_x))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
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


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _zebra(x: float, out: float, per_x: float, per_z: float) -> float:
    """Return how much of a point is painted, `out` metres before a crossing road: stripes and a stop line."""
    inside = x - math.floor(x)
    stripes = ramp(min(inside - 0.25, 0.75 - inside) * per_x)
    fade = contrast(0.5 * per_x)
    stripes = fade * stripes + 0.5 * (1.0 - fade)
    line = ramp(min(out - 5.0, 5.4 - out) * per_z) * (1.0 if x > -1.7 else 0.0)
    return max(stripes * ramp(min(out - 1.2, 4.0 - out) * per_z), line)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _street(
    x: float,
    z: float,
    per_x: float,
    per_z: float,
    camera: NDArray[np.float64],
    ground: NDArray[np.float64],
    tile: NDArray[np.float32],
) -> float:
    """Return the light of a point on the ground."""
    out = camera[CROSS_START] - z
    crosses = out < 0.0 and z < camera[CROSS_STOP]
    if not crosses and not ground[ROAD_LEFT] < x < ground[ROAD_RIGHT]:
        return _pavement(x, z, per_x, per_z, ground, tile)
    light = _asphalt(x, z, per_x, per_z, ground, tile)
    if crosses:
        return light
    mark = _zebra(x, out, per_x, per_z) if out < 6.0 and out > 0.0 else _road_marks(x, z, per_x, per_z, ground)
    return float(light + mark * (ground[MARK_ALBEDO] - light))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _bend(bend: NDArray[np.float64], depth: float) -> float:
    """Return how far to the right the road lies at a depth, from its table."""
    k = int(depth)
    return float(bend[k] + (depth - k) * (bend[k + 1] - bend[k]))


@njit(cache=True, nogil=True, error_model="numpy")
def _mirror(
    image: NDArray[np.float32],
    tile: NDArray[np.float32],
    wet: float,
    x: int,
    y: int,
    ray_y: float,
    horizon: float,
    place: float,
) -> float:
    """Return the light that wet ground mirrors: the picture as far above the horizon, drawn out by ripples.

    Rows are drawn from the top, so those above the horizon are complete.
    """
    ripple = tile[y & TILE_MASK, math.floor(place * 9.0) & TILE_MASK] - 0.5
    source = int(2.0 * horizon - y - 1.0 + 24.0 * ripple * min(1.0, 4.0 * ray_y))
    source = max(0, min(source, int(horizon) - 1, y - 1))
    return float(wet * image[source, x] / (1.0 + 6.0 * ray_y))


@njit(cache=True, nogil=True, error_model="numpy")
def draw_background(
    camera: NDArray[np.float64],
    bend: NDArray[np.float64],
    ground: NDArray[np.float64],
    light: NDArray[np.float64],
    tile: NDArray[np.float32],
    image: NDArray[np.float32],
    lamps: NDArray[np.float32],
    through: NDArray[np.float32],
    shadow: NDArray[np.float32],
) -> None:
    """Add ground and sky to the pixels that surfaces left open.

    What street lamps light goes to `lamps`, if that has pixels.
    `bend` tables the road's way, a metre an entry; `shadow` is the share of the sun that does not reach the ground.
    """
    height, width = image.shape
    sky = ground[SKY] * light[SKY_LIGHT]
    per_focal = 1.0 / camera[FOCAL]
    for y in range(height):
        for x in range(width):
            open_share = through[y, x]
            if open_share < OPAQUE:
                continue
            ray_x, ray_y = ray(camera, per_focal, x, y)
            # The sky has no parallax: the ray's direction is its place. Clouds are wide and flat.
            bright = sky
            if ray_y * HAZE_M <= camera[CAMERA_HEIGHT]:
                place = (ray_x + camera[HEADING]) * 5.0 + 7.0
                bright *= 1.0 + ground[CLOUDS] * (noise(tile, place, ray_y * 14.0) - 0.5) + 0.4 * ray_y
            else:
                depth = camera[CAMERA_HEIGHT] / ray_y
                per_x = camera[FOCAL] / depth
                per_z = per_x * ray_y
                road_x = ray_x * depth + camera[CAMERA_X] - _bend(bend, depth)
                near = _street(road_x, depth + camera[CAMERA_Z], per_x, per_z, camera, ground, tile)
                facing = light[SUN_UP] * (1.0 - shadow[y, x])
                steady, lamp = illumination(light, ray_x * depth, 0.0, depth, camera[CAMERA_Z], facing)
                if lamps.size > 0:
                    lamps[y, x] += open_share * (1.0 - depth * (1.0 / HAZE_M)) * near * lamp
                near *= steady
                if light[WET] > 0.0:
                    near += (
                        _mirror(image, tile, light[WET], x, y, ray_y, camera[CENTER_Y], road_x)
                        - 0.4 * light[WET] * near
                    )
                bright = near + depth * (1.0 / HAZE_M) * (bright - near)
            image[y, x] += open_share * bright
