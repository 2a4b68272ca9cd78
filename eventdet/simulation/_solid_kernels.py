"""Cars, buses and lorries as unions of convex solids, hit by rays from anywhere.

A solid is a table of planes in units of the vehicle: `u` 0 tail to 1 nose, `w` -1 to 1 across, `v` 0 ground to 1 roof.
A ray is inside from the last plane it enters to the first it leaves. Near an outline the way inside shrinks in
proportion to the distance from it, so the chord over its own gradient is that distance in pixels: coverage without
supersampling.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    ALBEDO,
    BASE_X,
    BASE_Z,
    CAMERA_HEIGHT,
    FOCAL,
    GLOW,
    HEIGHT,
    LENGTH,
    MATERIAL,
    SEED,
    STOP,
    SUN_UP,
    SUN_X,
    SUN_Z,
    SWING,
    TURN_X,
    TURN_Z,
)
from ._coverage_kernels import box, contrast, noise, ramp
from ._solid_shapes import CABIN, HEAVY, LEFT, PLANES, PROFILES, REAR, RIGHT, UPPER

_BULGE = 0.5

TAIL_LAMP = 0.12
"""Light of a tail lamp as a share of a headlamp's."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _clip(
    planes: NDArray[np.float64], start: tuple[float, float, float], ray: tuple[float, float, float]
) -> tuple[float, float, int, int]:
    """Return where a ray enters and leaves a solid, and through which planes; entry after exit when it misses."""
    enter, leave, first, last = 0.0, 1e9, -1, -1
    for k in range(planes.shape[0]):
        rate = planes[k, 0] * ray[0] + planes[k, 1] * ray[1] + planes[k, 2] * ray[2]
        room = planes[k, 3] - planes[k, 0] * start[0] - planes[k, 1] * start[1] - planes[k, 2] * start[2]
        if rate > 0.0:
            if room < leave * rate:
                leave, last = room / rate, k
        elif rate < 0.0:
            if room < enter * rate:
                enter, first = room / rate, k
        elif room < 0.0:
            return 1.0, 0.0, -1, -1
    return enter, leave, first, last


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _edge_pixels(
    planes: NDArray[np.float64],
    hit: tuple[float, float, int, int],
    ray: tuple[float, float, float],
    steps: tuple[float, float, float],
) -> float:
    """Return how many pixels inside the outline a ray passes; `steps` are the changes of the ray over one pixel."""
    enter, leave, first, last = hit
    gx, gy = 0.0, 0.0
    for k, t, sign in ((first, enter, -1.0), (last, leave, 1.0)):
        rate = planes[k, 0] * ray[0] + planes[k, 1] * ray[1] + planes[k, 2] * ray[2]
        gx -= sign * t / rate * (planes[k, 0] * steps[0] + planes[k, 1] * steps[1])
        gy -= sign * t / rate * planes[k, 2] * steps[2]
    return (leave - enter) / math.sqrt(gx * gx + gy * gy + 1e-18)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _mirrored(
    row: NDArray[np.float64],
    plane: NDArray[np.float64],
    at: tuple[float, float, float],
    per_size: tuple[float, float, float],
    ray: tuple[float, float, float],
    tile: NDArray[np.float32],
) -> float:
    """Return the light that a face mirrors: a street of light and dark below a bright sky.

    The street's pattern lies in directions and not on the body, so that it slides over the paint. Sheet metal is not
    flat: its normal leans out above and below, and to both ends, which draws the pattern out into streaks.
    """
    nu, nw, nv = plane[0] * per_size[0], plane[1] * per_size[1], plane[2] * per_size[2]
    per = 1.0 / math.sqrt(nu * nu + nw * nw + nv * nv)
    upright = _BULGE * (1.0 - abs(plane[2]) * per_size[2] * per)
    nu += upright / per * 0.5 * (at[0] - 0.5)
    nv += upright / per * (at[2] - 0.42)
    per = 1.0 / math.sqrt(nu * nu + nw * nw + nv * nv)
    du, dw, dv = ray
    twice = 2.0 * (du * nu + dw * nw + dv * nv) * per * per
    du, dw, dv = du - twice * nu, dw - twice * nw, dv - twice * nv
    flat = math.sqrt(du * du + dw * dw) + 1e-6
    up = dv / flat
    spread = noise(tile, 7.0 * du / flat + row[SEED] + row[SWING], 7.0 * dw / flat + 3.0 * up)
    fine = noise(tile, 19.0 * du / flat + row[SEED] + 2.0 * row[SWING], 19.0 * dw / flat + 5.0 * up)
    spread = min(1.0, max(0.0, 2.4 * (0.6 * spread + 0.4 * fine) - 0.7))
    if up <= 0.0:
        return float(0.08 + 0.18 * spread)
    # Roofs and trees stand before the sky up to a height of their own.
    sky = min(1.0, max(0.0, (up - 0.15 - 0.7 * spread) * 6.0))
    return float((0.06 + 0.6 * fine * spread) * (1.0 - sky) + sky * (0.8 + 0.25 * min(1.0, up)))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _flank(row: NDArray[np.float64], profile: NDArray[np.float64], u: float, v: float, p: float, paint: float) -> float:
    """Return the light of a body's side: paint, door seams, sills, wheels in their arches."""
    length, height = row[LENGTH], row[HEIGHT]
    radius = profile[8]
    light = paint
    seam = min(abs(u - 0.42 * length), abs(u - 0.66 * length))
    light *= 1.0 - 0.5 * ramp((0.02 - seam) * p) * min(1.0, 0.05 * p) * ramp((profile[0] * height - v) * p)
    handle = box(0.1 - abs(u - 0.49 * length), 0.025 - abs(v - 0.52 * height), p, p)
    light += handle * min(1.0, 0.06 * p) * (0.03 - light)
    crease = profile[0] * height - 0.16
    light *= 1.0 + 0.35 * (ramp((0.02 - abs(v - crease)) * p) - ramp((0.03 - abs(v - crease + 0.05)) * p))
    light += ramp((0.36 - v) * p) * (0.06 + 0.25 * paint - light)
    light += ramp((0.24 - v) * p) * (0.02 - light)
    near = u - 0.19 * length if u < 0.5 * length else u - 0.81 * length
    distance = math.sqrt(near * near + (v - radius) * (v - radius))
    light += ramp((1.18 * radius - distance) * p) * (0.015 - light)
    spoke = min(abs(near), abs(v - radius), abs(abs(near) - abs(v - radius)) * 0.7)
    holes = ramp((spoke - 0.035) * p) * ramp(min(0.5 * radius - distance, distance - 0.2 * radius) * p)
    rim = (0.14 + 0.4 * row[ALBEDO]) * (1.0 - 0.75 * holes)
    return float(light + ramp((0.62 * radius - distance) * p) * (rim - light))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _end(row: NDArray[np.float64], rear: bool, c: float, v: float, p: float, paint: float) -> tuple[float, float]:
    """Return light and glow of nose or tail: lamps, grille or boot lid, number plate, bumper, shadow below."""
    half, height = row[STOP], row[HEIGHT]
    car = min(height, 1.6)
    low = 0.42 * car if height < 2.2 else 0.5
    lamp = box(min(c - 0.58 * half, 0.95 * half - c), min(v - low, low + 0.13 * car - v), p, p)
    light = paint
    if not rear:
        slats = 0.5 + 0.5 * contrast(0.06 * p) * (1.0 if v * 16.0 - math.floor(v * 16.0) < 0.5 else -1.0)
        grille = box(0.5 * half - c, min(v - low, low + 0.1 * car - v), p, p)
        light += grille * (0.02 + 0.12 * slats - light)
    light += lamp * ((0.3 if rear else 1.1) - light)
    light += box(0.26 - c, 0.055 - abs(v - 0.3 * car), p, p) * (0.7 - light)
    light += ramp((0.25 - v) * p) * (0.02 - light)
    tyre = box(min(c - 0.7 * half, 0.97 * half - c), 0.3 - v, p, p)
    return light + tyre * (0.03 - light), lamp * row[GLOW] * (TAIL_LAMP if rear else 1.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _pane(
    row: NDArray[np.float64], profile: NDArray[np.float64], face: int, at: tuple[float, float, float], p: float
) -> float:
    """Return how much of a cabin's face is glass: side windows between pillars, or one screen."""
    length, half, height = row[LENGTH], row[STOP], row[HEIGHT]
    belt = profile[0]
    rise = (at[2] - belt) / (1.0 - belt)
    upright = min(at[2] - belt - 0.03, 0.96 - at[2]) * height
    if face > RIGHT:
        return box((1.0 - profile[7] * rise - abs(at[1])) * half - 0.09, upright, p, p)
    screen = profile[3] + (profile[4] - profile[3]) * rise - at[0]
    back = at[0] - profile[5] - (profile[6] - profile[5]) * rise
    pillar = abs(at[0] - 0.42) * length - 0.05
    return box(min(min(screen, back) * length - 0.1, pillar), upright, p, p)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _inside(
    row: NDArray[np.float64], profile: NDArray[np.float64], face: int, at: tuple[float, float, float], p: float
) -> float:
    """Return the light that comes out of a cabin: dark seats with their heads before the windows opposite."""
    rise = (at[2] - profile[0]) / (1.0 - profile[0])
    v, size = rise * (1.0 - profile[0]) * row[HEIGHT], 0.13
    if face > RIGHT:
        seat = abs(abs(at[1]) * row[STOP] - 0.38)
    else:
        seat = min(abs(at[0] - 0.36), abs(at[0] - 0.6)) * row[LENGTH]
    head = box(size - seat, 0.3 - v, p, p)
    return float(0.03 + 0.12 * ramp((v - 0.1) * p) * (1.0 - head))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _coach(
    row: NDArray[np.float64], shape: int, face: int, at: tuple[float, float, float], p: float, paint: float
) -> float:
    """Return the light of a bus with its band of windows, or of a lorry's ribbed box."""
    u, v = at[0] * row[LENGTH], at[2]
    if face <= RIGHT:
        pitch = 1.5 if shape == HEAVY else 0.5
        inside = u - math.floor(u / pitch) * pitch
        if shape == HEAVY:
            window = box(min(inside - 0.06, pitch - 0.06 - inside), min(v - 0.42, 0.82 - v) * row[HEIGHT], p, p)
            return paint + window * contrast(0.7 * p) * (0.05 + 0.25 * paint - paint)
        return paint * (1.0 - 0.4 * ramp((0.04 - abs(inside - 0.25)) * p) * contrast(0.2 * p))
    screen = box((0.92 - abs(at[1])) * row[STOP], min(v - 0.4, 0.85 - v) * row[HEIGHT], p, p)
    return paint + (screen * (0.06 + 0.25 * paint - paint) if shape == HEAVY else 0.0)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _painted(
    row: NDArray[np.float64], part: int, face: int, at: tuple[float, float, float], p: float, mirror: float
) -> tuple[float, float]:
    """Return light in full daylight and own light of a point on a vehicle."""
    shape = int(row[MATERIAL])
    profile = PROFILES[shape]
    height = row[HEIGHT]
    paint = row[ALBEDO] * (0.55 + 0.4 * at[2]) + 0.6 * mirror * (0.35 + row[ALBEDO])
    if part == CABIN and shape < HEAVY:
        if face == UPPER:
            return paint, 0.0
        glass = _pane(row, profile, face, at, p)
        return paint + glass * (_inside(row, profile, face, at, p) + 0.3 * mirror - paint), 0.0
    if shape >= HEAVY:
        paint = _coach(row, shape, face, at, p, paint)
    if face in (LEFT, RIGHT):
        return _flank(row, profile, at[0] * row[LENGTH], at[2] * height, p, paint), 0.0
    if face < UPPER:
        return _end(row, face == REAR, abs(at[1]) * row[STOP], at[2] * height, p, paint)
    return paint, 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def vehicle_frame(
    row: NDArray[np.float64], camera: NDArray[np.float64]
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return where the camera is in units of a vehicle, and how many of its units a metre is along each axis."""
    per_u, per_w, per_v = 1.0 / row[LENGTH], 1.0 / row[STOP], 1.0 / row[HEIGHT]
    along = -(row[BASE_X] * row[TURN_X] + row[BASE_Z] * row[TURN_Z])
    across = -(row[BASE_X] * row[TURN_Z] - row[BASE_Z] * row[TURN_X])
    return (along * per_u, across * per_w, camera[CAMERA_HEIGHT] * per_v), (per_u, per_w, per_v)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _nearest(
    shape: int, start: tuple[float, float, float], ray: tuple[float, float, float], steps: tuple[float, float, float]
) -> tuple[float, float, int, int]:
    """Return coverage, distance, part and face of the nearest part of a vehicle that a ray meets; -1 for none."""
    best, cover, part, face = 1e9, 0.0, -1, -1
    for k in range(PLANES.shape[1]):
        hit = _clip(PLANES[shape, k], start, ray)
        if hit[2] < 0 or hit[3] < 0:
            continue
        share = ramp(_edge_pixels(PLANES[shape, k], hit, ray, steps))
        cover = max(cover, share)
        # Beyond its outline a solid still colours the pixel that it covers in part.
        if share > 0.0 and (hit[0] < best or part < 0):
            best, part, face = hit[0], k, hit[2]
    return cover, best, part, face


@njit(cache=True, nogil=True, error_model="numpy")
def hit_solid(
    row: NDArray[np.float64],
    camera: NDArray[np.float64],
    light: NDArray[np.float64],
    start: tuple[float, float, float],
    per_size: tuple[float, float, float],
    ray_x: float,
    ray_y: float,
    tile: NDArray[np.float32],
) -> tuple[float, float, float, float, float]:
    """Return (coverage, depth, light in full daylight, own light, share of direct sun) where a ray meets a vehicle.

    `start` and `per_size` are those of :func:`vehicle_frame`.
    """
    tx, tz = row[TURN_X], row[TURN_Z]
    per_u, per_w, per_v = per_size
    ray = ((ray_x * tx + tz) * per_u, (ray_x * tz - tx) * per_w, -ray_y * per_v)
    per_focal = 1.0 / camera[FOCAL]
    steps = (tx * per_u * per_focal, tz * per_w * per_focal, -per_v * per_focal)
    shape = int(row[MATERIAL])
    cover, best, part, face = _nearest(shape, start, ray, steps)
    if part < 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0
    # Beyond the outline, and far beyond it along a face seen edge on, the nearest point of the body gives the colour.
    at = (
        min(max(start[0] + best * ray[0], 0.0), 1.0),
        min(max(start[1] + best * ray[1], -1.0), 1.0),
        min(max(start[2] + best * ray[2], 0.0), 1.0),
    )
    plane = PLANES[shape, part, face]
    mirror = _mirrored(row, plane, at, per_size, (ray_x * tx + tz, ray_x * tz - tx, -ray_y), tile)
    near, glow = _painted(row, part, face, at, camera[FOCAL] / best, mirror)
    nu, nw, nv = plane[0] * per_u, plane[1] * per_w, plane[2] * per_v
    along, across = light[SUN_X] * tx + light[SUN_Z] * tz, light[SUN_X] * tz - light[SUN_Z] * tx
    facing = nu * along + nw * across + nv * light[SUN_UP]
    facing /= math.sqrt(nu * nu + nw * nw + nv * nv)
    return cover, best, near * (0.75 + 0.25 * max(0.0, plane[2])), glow, max(0.0, facing)
