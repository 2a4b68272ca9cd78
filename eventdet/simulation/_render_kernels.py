"""Draw surfaces front to back into linear light, and find whose each pixel is.

Front to back, each pixel is shaded about once however deep the street is. `through` holds the share of a pixel that
nothing has covered yet.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._canvas import Canvas
from ._columns import (
    ANGLED_PLANE,
    BASE_X,
    BASE_Z,
    CAMERA_HEIGHT,
    CAMERA_Z,
    COVER_START,
    COVER_STOP,
    COVER_TOP_M,
    FACING,
    FOCAL,
    HAZE_M,
    HEIGHT,
    IDENTITY,
    LAMP,
    LATERAL,
    LATERAL_PLANE,
    MATERIAL,
    OPAQUE,
    ORIGIN,
    PLANE,
    SKY,
    SKY_LIGHT,
    START,
    STOP,
    SUN,
    THROWER,
    TURN_X,
    TURN_Z,
    VEHICLE,
    WIRE,
)
from ._coverage_kernels import ramp
from ._lens_kernels import image_bounds, ray, street_offset
from ._light_kernels import illumination
from ._material_kernels import WIRE_REACH_M, shade
from ._shadow_kernels import Throwers, sun_kept
from ._solid_kernels import hit_solid, vehicle_frame

_NOWHERE = (0.0, 0.0, 0.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _meet(row: NDArray[np.float64], ray_x: float, focal: float) -> tuple[float, float, float]:
    """Return depth, place along the plane and its pixels per metre where a ray meets it; depth 0 when it does not."""
    kind = int(row[LATERAL])
    depth = row[PLANE]
    if kind == LATERAL_PLANE:
        if ray_x * row[PLANE] <= 0.0:
            return 0.0, 0.0, 0.0
        depth = row[PLANE] / ray_x
        return depth, depth, focal / depth * abs(ray_x)
    if kind == ANGLED_PLANE:
        across = row[TURN_X] - ray_x * row[TURN_Z]
        offset = row[BASE_Z] * row[TURN_X] - row[BASE_X] * row[TURN_Z]
        if across * offset <= 0.0:
            return 0.0, 0.0, 0.0
        along = (ray_x * row[BASE_Z] - row[BASE_X]) / across
        return row[BASE_Z] + along * row[TURN_Z], along, focal * across * across / abs(offset)
    return depth, ray_x * depth, focal / depth


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _plane_sample(
    row: NDArray[np.float64], camera: NDArray[np.float64], ray_x: float, ray_y: float, tile: NDArray[np.float32]
) -> tuple[float, float, float, float]:
    """Return (coverage, depth, light in full daylight, own light) where a ray meets a plane."""
    depth, along, per_u = _meet(row, ray_x, camera[FOCAL])
    if depth <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    v = camera[CAMERA_HEIGHT] - ray_y * depth
    per_v = camera[FOCAL] / depth
    ends = min(along - row[START], row[STOP] - along) * per_u
    if ends < -0.5 or v * per_v < -0.5 or (v - row[HEIGHT] * 1.1) * per_v > 0.5:
        return 0.0, 0.0, 0.0, 0.0
    cover, near, glow = shade(int(row[MATERIAL]), along - row[ORIGIN], v, per_u, per_v, row, tile)
    return cover * (ramp(ends) * ramp(v * per_v)), depth, near, glow


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _behind_ceiling(camera: NDArray[np.float64], ray_x: float, ray_y: float) -> bool:
    """Return whether a ray to a point above the cover of the road meets that cover first, from below."""
    if ray_y >= 0.0:
        return False
    depth = (COVER_TOP_M - camera[CAMERA_HEIGHT]) / -ray_y
    place = street_offset(camera, ray_x * depth, depth)[1] + camera[CAMERA_Z]
    return bool(camera[COVER_START] < place < camera[COVER_STOP])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _bounds(
    row: NDArray[np.float64], corners: NDArray[np.float64], camera: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return rows and columns (first, beyond last) that a surface can touch."""
    hangs = int(row[MATERIAL]) == WIRE and int(row[LATERAL]) != VEHICLE
    foot_m = row[HEIGHT] - WIRE_REACH_M if hangs else 0.0
    return image_bounds(corners, row[HEIGHT] * 1.1, camera, shape[0], shape[1], foot_m)


@njit(cache=True, nogil=True, error_model="numpy")
def draw_surfaces(
    surfaces: NDArray[np.float64],
    corners: NDArray[np.float64],
    camera: NDArray[np.float64],
    ground: NDArray[np.float64],
    light: NDArray[np.float64],
    tile: NDArray[np.float32],
    throwers: Throwers,
    canvas: Canvas,
    count_hidden: bool,
) -> None:
    """Add the light of surfaces, nearest first, and note whose each pixel is; `corners` (n, 2, 4) are footprints.

    `throwers` are looked at where the sun shines. Hidden pixels of an object count as reached when `count_hidden` is
    set, and are not looked at else.
    """
    image, lamps, through, owner, reach = canvas
    sky = ground[SKY] * light[SKY_LIGHT]
    covered = camera[COVER_STOP] > camera[COVER_START]
    per_focal = 1.0 / camera[FOCAL]
    for index in range(surfaces.shape[0]):
        row = surfaces[index]
        identity, solid = int(row[IDENTITY]), int(row[LATERAL]) == VEHICLE
        start, per_size = vehicle_frame(row, camera) if solid else (_NOWHERE, _NOWHERE)
        y0, y1, x0, x1 = _bounds(row, corners[index], camera, image.shape)
        for y in range(y0, y1):
            for x in range(x0, x1):
                open_share = through[y, x]
                if open_share < OPAQUE and not count_hidden:
                    continue
                ray_x, ray_y = ray(camera, per_focal, x, y)
                if solid:
                    cover, depth, near, glow, facing = hit_solid(
                        row, camera, light, start, per_size, ray_x, ray_y, tile
                    )
                else:
                    cover, depth, near, glow = _plane_sample(row, camera, ray_x, ray_y, tile)
                    facing = row[FACING]
                v = camera[CAMERA_HEIGHT] - ray_y * depth
                if cover <= 0.0 or (covered and v > COVER_TOP_M and _behind_ceiling(camera, ray_x, ray_y)):
                    continue
                if cover >= 0.5:
                    reach[identity] += 1
                    if open_share >= 0.5:
                        owner[y, x] = identity
                haze = min(1.0, depth * (1.0 / HAZE_M))
                if facing > 0.0 and light[SUN] > 0.0:
                    # Not in a function of its own: the throwers' references would be counted for every pixel.
                    at, scale = (ray_x * depth, v, depth), (camera[FOCAL] / depth, camera[FOCAL] / depth)
                    facing *= 1.0 - sun_kept(throwers, int(row[THROWER]), at, scale, light, tile)
                steady, lamp = illumination(light, camera, ray_x * depth, v, depth, facing)
                if lamps.size > 0:
                    own = glow if int(row[MATERIAL]) == LAMP and not solid else 0.0
                    lamps[y, x] += open_share * cover * (1.0 - haze) * (near * lamp + own)
                    glow -= own
                near = near * steady + glow
                image[y, x] += open_share * cover * (near + haze * (sky - near))
                through[y, x] = open_share * (1.0 - cover)


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
