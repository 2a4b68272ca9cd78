"""Draw the ground and the sky where light still comes through."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._canvas import Canvas
from ._columns import (
    CAMERA_HEIGHT,
    CAMERA_X,
    CAMERA_Z,
    CENTER_Y,
    CLOUDS,
    COVER_ASIDE_M,
    COVER_START,
    COVER_STOP,
    COVER_TOP_M,
    CROSS_LANE,
    CROSS_SIDE,
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
    SKYLINE,
    SUN,
    SUN_UP,
    TILE_MASK,
    VERGE_ALBEDO,
    VERGE_GRAIN,
    WEAR,
    WET,
    YAW_COS,
    YAW_SIN,
)
from ._coverage_kernels import box, contrast, noise, ramp
from ._lens_kernels import ray, street_offset
from ._light_kernels import TUNNEL_M, illumination
from ._shadow_kernels import Throwers, sun_kept

_CRACKED = 3.0
"""Pixels per metre below which no crack is seen."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _worn(
    x: float, z: float, per_x: float, per_z: float, coarse: float, wear: float, tile: NDArray[np.float32]
) -> float:
    """Return what is left of the light of an old road: cracks along levels of its coarse grain, covers of shafts."""
    light = 1.0
    if per_z > _CRACKED and tile[math.floor(z / 2.3) & TILE_MASK, math.floor(x / 1.3) & TILE_MASK] < 0.35 * wear:
        light -= 0.3 * ramp((0.01 - abs(coarse - 0.5)) * 0.8 * per_z) * min(1.0, 0.04 * per_x)
    fade = contrast(per_z / 24.0)
    if fade > 0.0:
        light += 0.25 * wear * fade * (noise(tile, x * 31.0, z * 23.0) - 0.5)
    cell_z = math.floor(z / 17.0)
    chosen = tile[cell_z & TILE_MASK, 5]
    if chosen > 0.5:
        dx, dz = x + 4.0 * (chosen - 0.75), z - (cell_z + 0.5) * 17.0
        ring = dx * dx + dz * dz
        if ring < 0.25:
            ring = math.sqrt(ring)
            light *= 1.0 - 0.4 * ramp((0.34 - ring) * per_z) + 0.3 * ramp((0.28 - ring) * per_z)
    return float(light)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _asphalt(
    x: float, z: float, per_x: float, per_z: float, ground: NDArray[np.float64], tile: NDArray[np.float32]
) -> float:
    """Return the light of asphalt without marks: grain in two sizes, patches, and what wear has left on it."""
    light = ground[ROAD_ALBEDO]
    fade = contrast(1.1 * per_z)
    coarse = 0.0
    if fade > 0.0:
        coarse = noise(tile, x * 1.6, z * 0.9)
        light *= 1.0 + 0.35 * fade * (coarse - 0.5)
    fade = contrast(per_z / 9.0)
    if fade > 0.0:
        light *= 1.0 + ground[ROAD_GRAIN] * fade * (noise(tile, x * 13.0, z * 9.0) - 0.5)
    if tile[math.floor(z / 6.0) & TILE_MASK, math.floor(x / 1.7) & TILE_MASK] > 0.95:
        light *= 0.85
    return float(light * _worn(x, z, per_x, per_z, coarse, ground[WEAR], tile) if ground[WEAR] > 0.0 else light)


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
def _zebra(x: float, out: float, per_x: float, per_z: float, before: bool) -> float:
    """Return how much of a point is painted, `out` metres from a crossing road: stripes, and a line to stop at.

    `before` says whether the own lane leads to the crossing from here; else the other one does.
    """
    inside = x - math.floor(x)
    stripes = ramp(min(inside - 0.25, 0.75 - inside) * per_x)
    fade = contrast(0.5 * per_x)
    stripes = fade * stripes + 0.5 * (1.0 - fade)
    line = ramp(min(out - 5.0, 5.4 - out) * per_z) * (1.0 if (x > -1.7) == before else 0.0)
    return max(stripes * ramp(min(out - 1.2, 4.0 - out) * per_z), line)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _road(
    x: float, z: float, out: float, before: bool, scale: tuple[float, float], light: float, ground: NDArray[np.float64]
) -> float:
    """Return the light of a point of a road with its marks, `out` metres from a road that crosses it."""
    per_x, per_z = scale
    near = out < 6.0
    mark = _zebra(x, out, per_x, per_z, before) if near else _road_marks(x, z, per_x, per_z, ground)
    return float(light + mark * (ground[MARK_ALBEDO] - light))


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
    aside = max(x - ground[ROAD_RIGHT], ground[ROAD_LEFT] - x)
    out = max(camera[CROSS_START] - z, z - camera[CROSS_STOP])
    if aside >= 0.0 and out >= 0.0:
        if out < aside:
            # Nearer to the crossing road than to the own one.
            edge = ground[ROAD_RIGHT] + out
            return _pavement(edge, x, per_z, per_x, ground, tile)
        return _pavement(x, z, per_x, per_z, ground, tile)
    if aside >= 0.0:
        side = camera[CROSS_SIDE]
        own_x, own_z = side * (camera[CROSS_LANE] - z), side * x
        light = _asphalt(own_x, own_z, per_z, per_x, ground, tile)
        return _road(own_x, own_z, aside, own_z < 0.0, (per_z, per_x), light, ground)
    light = _asphalt(x, z, per_x, per_z, ground, tile)
    if out < 0.0:
        return light
    return _road(x, z, out, z < camera[CROSS_START], (per_x, per_z), light, ground)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _bend(bend: NDArray[np.float64], depth: float) -> float:
    """Return how far to the right the road lies at a depth, from its table."""
    # Behind the camera only a drive that turns has ground in view, and its streets are straight.
    depth = max(depth, 0.0)
    # Turned, the camera looks along a row of pixels further than the table goes: its end runs straight on.
    k = min(int(depth), bend.size - 2)
    return float(bend[k] + (depth - k) * (bend[k + 1] - bend[k]))


@njit(cache=True, nogil=True, error_model="numpy")
def _mirror(
    image: NDArray[np.float32],
    tile: NDArray[np.float32],
    wet: float,
    sky: float,
    x: int,
    y: int,
    ray_y: float,
    horizon: float,
    place: float,
) -> float:
    """Return the light that wet ground mirrors: the picture as far above the horizon, drawn out by ripples.

    Rows are drawn from the top, so those above the horizon are complete; above the picture there is `sky`.
    """
    ripple = tile[y & TILE_MASK, math.floor(place * 9.0) & TILE_MASK] - 0.5
    source = int(2.0 * horizon - y - 1.0 + 24.0 * ripple * min(1.0, 4.0 * ray_y))
    source = min(source, int(horizon) - 1, y - 1)
    return float(wet * (image[source, x] if source >= 0 else sky) / (1.0 + 6.0 * ray_y))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _sky(
    ray_x: float, ray_y: float, camera: NDArray[np.float64], ground: NDArray[np.float64], tile: NDArray[np.float32]
) -> float:
    """Return the light of the sky as a share of that at the horizon, and of far roofs before it."""
    # The sky has no parallax: the ray's direction is its place. Clouds are wide and flat.
    place = (ray_x + camera[HEADING]) * 5.0 + 7.0
    bright = 1.0 + ground[CLOUDS] * (noise(tile, place, ray_y * 14.0) - 0.5) + 0.4 * ray_y
    if ground[SKYLINE] > 0.0 and -ray_y < ground[SKYLINE]:
        roofs = ground[SKYLINE] * tile[3, math.floor(place * 6.0) & TILE_MASK]
        roofs = max(roofs, 0.6 * ground[SKYLINE] * noise(tile, place * 9.0, 0.5))
        bright -= 0.3 * bright * ramp((roofs + ray_y) * camera[FOCAL])
    return float(bright)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _ceiling(
    ray_x: float,
    ray_y: float,
    camera: NDArray[np.float64],
    bend: NDArray[np.float64],
    ground: NDArray[np.float64],
    light: NDArray[np.float64],
    tile: NDArray[np.float32],
) -> float:
    """Return the light of the underside of a bridge or of a tunnel's roof; below 0 where the ray meets none."""
    depth = (COVER_TOP_M - camera[CAMERA_HEIGHT]) / -ray_y
    aside, along = street_offset(camera, ray_x * depth, depth)
    z = along + camera[CAMERA_Z]
    if not camera[COVER_START] < z < camera[COVER_STOP] or depth >= HAZE_M:
        return -1.0
    x = aside + camera[CAMERA_X] - _bend(bend, along)
    if not ground[ROAD_LEFT] - COVER_ASIDE_M < x < ground[ROAD_RIGHT] + COVER_ASIDE_M:
        return -1.0
    per_z = camera[FOCAL] / depth * -ray_y
    beam = z / 2.5 - math.floor(z / 2.5)
    near = 0.3 * (1.0 + 0.5 * (noise(tile, x * 1.3, z * 1.3) - 0.5))
    near *= 1.0 - 0.4 * ramp((0.2 - abs(beam - 0.5) * 2.5) * per_z)
    near *= illumination(light, camera, ray_x * depth, COVER_TOP_M, depth, 0.0)[0]
    if camera[COVER_STOP] - camera[COVER_START] > TUNNEL_M:
        lamp = z / 7.0 - math.floor(z / 7.0)
        middle = abs(x - 0.5 * (ground[ROAD_LEFT] + ground[ROAD_RIGHT]))
        near += box(0.15 - middle, 0.8 - abs(lamp - 0.5) * 7.0, camera[FOCAL] / depth, per_z) * 0.9
    return float(near)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _on_street(
    ray_x: float,
    ray_y: float,
    camera: NDArray[np.float64],
    bend: NDArray[np.float64],
    ground: NDArray[np.float64],
    tile: NDArray[np.float32],
) -> tuple[float, float, float]:
    """Return the light in full daylight, the depth, and the metres across the road where a ray meets the ground."""
    depth = camera[CAMERA_HEIGHT] / ray_y
    per_x = camera[FOCAL] / depth
    aside, along = street_offset(camera, ray_x * depth, depth)
    road_x = aside + camera[CAMERA_X] - _bend(bend, along)
    # The pixels per metre along the street's own axes: those of the view, as far as it looks along it.
    look, turned = abs(camera[YAW_COS]), abs(camera[YAW_SIN])
    scale_x = per_x * look + per_x * ray_y * turned
    scale_z = per_x * ray_y * look + per_x * turned
    return _street(road_x, along + camera[CAMERA_Z], scale_x, scale_z, camera, ground, tile), depth, road_x


@njit(cache=True, nogil=True, error_model="numpy")
def draw_background(
    camera: NDArray[np.float64],
    bend: NDArray[np.float64],
    ground: NDArray[np.float64],
    light: NDArray[np.float64],
    tile: NDArray[np.float32],
    throwers: Throwers,
    canvas: Canvas,
    dim: NDArray[np.float32],
) -> None:
    """Add ground and sky to the pixels that surfaces left open.

    `bend` tables the road's way, a metre an entry. `throwers` are looked at where the sun shines; `dim`, where it has
    pixels, is the share of the sky that does not reach the ground.
    """
    image, lamps, through = canvas.image, canvas.lamps, canvas.through
    sky, per_focal = ground[SKY] * light[SKY_LIGHT], 1.0 / camera[FOCAL]
    covered, sunny = camera[COVER_STOP] > camera[COVER_START], light[SUN] > 0.0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            open_share, bright = through[y, x], -1.0
            if open_share < OPAQUE:
                continue
            ray_x, ray_y = ray(camera, per_focal, x, y)
            if ray_y * HAZE_M > camera[CAMERA_HEIGHT]:
                near, depth, road_x = _on_street(ray_x, ray_y, camera, bend, ground, tile)
                if dim.size > 0:
                    near *= 1.0 - dim[y, x]
                facing = light[SUN_UP]
                if sunny:
                    scale = (camera[FOCAL] / depth, camera[FOCAL] / depth * max(ray_y, 0.1))
                    facing *= 1.0 - sun_kept(throwers, -1, (ray_x * depth, 0.0, depth), scale, light, tile)
                steady, lamp = illumination(light, camera, ray_x * depth, 0.0, depth, facing)
                if lamps.size > 0:
                    lamps[y, x] += open_share * (1.0 - depth * (1.0 / HAZE_M)) * near * lamp
                near *= steady
                if light[WET] > 0.0:
                    mirrored = _mirror(image, tile, light[WET], sky, x, y, ray_y, camera[CENTER_Y], road_x)
                    near += mirrored - 0.4 * light[WET] * near
                bright = near + depth * (1.0 / HAZE_M) * (sky - near)
            elif covered and ray_y < -1e-3:
                bright = _ceiling(ray_x, ray_y, camera, bend, ground, light, tile)
            if bright < 0.0:
                bright = sky * _sky(ray_x, ray_y, camera, ground, tile)
            image[y, x] += open_share * bright
