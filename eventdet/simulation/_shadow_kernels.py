"""Shadows: hard ones, by what lies on the way to the sun, and soft ones on the ground under what stands on it.

All that throws hard shadows is upright, and the sun stands still, so the way to the sun never leaves a strip of the
ground: a point looks only at the surfaces in its own strip.
"""

import math
from typing import NamedTuple

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
    MOTORBIKE,
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

_APART_M = 0.15
"""A surface is shaded by what the way to the sun meets so far above it or more."""

_STRIPS = 256
_STRIP_M = 1.0

_X, _Z, _WAY_X, _WAY_Z, _LONG, _PER_AWAY, _FIRST, _LAST, _NUM_FOOT = range(9)
"""Of a thrower's plane: where its foot begins, its direction and length, one over how far its shadow leads away for a
metre of height, and from where to where along the way to the sun it and its shadow lie."""

_SOFT_M = 0.5
"""So far beyond a vehicle the ground sees less of the sky."""

_UNDER = 0.8
"""Share of the sky that the ground under a vehicle does not see."""

_FEET_M = 0.45


class Throwers(NamedTuple):
    """Surfaces that may be in the way of the sun."""

    rows: NDArray[np.float64]
    """Shape (n, NUM_COLUMNS): see `_columns`."""

    feet: NDArray[np.float64]
    """Shape (n, 8): where each stands as an upright plane."""

    strips: NDArray[np.int64]
    """Shape (256, n): the numbers of those in each strip along the way to the sun."""

    counts: NDArray[np.int64]
    """Shape (256,): how many those are."""


@njit(cache=True, nogil=True, error_model="numpy")
def _silhouette(row: NDArray[np.float64], u: float, v: float, p: float, tile: NDArray[np.float32]) -> float:
    """Return how much light a plane keeps off at one point."""
    material, height = int(row[MATERIAL]), row[HEIGHT]
    aside = abs(u - 0.5 * row[LENGTH])
    if material in (TREE, CROWN):
        x, y = 2.0 * aside / row[LENGTH], (v - 0.68 * height) / (0.32 * height)
        mass = noise(tile, u * 1.7 + row[SEED], v * 1.7) - 0.5 * (x * x + y * y)
        return max(box(0.14 - aside, 0.6 * height - v, p, p), ramp((mass + 0.1) * 3.0))
    if material in (PERSON, RIDER, MOTORBIKE):
        return box(0.24 - 0.1 * v / height - aside, height - v, p, p)
    if material == SIGN:
        return box((0.03 if v < height - row[LENGTH] else 0.45 * row[LENGTH]) - aside, height - v, p, p)
    if material == BRIDGE:
        return ramp((v - COVER_TOP_M) * p)
    if material == LAMP:
        return box(0.08 - aside, height - v, p, p)
    return 0.0 if material == WIRE else 1.0


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _kept_by(
    row: NDArray[np.float64],
    foot: NDArray[np.float64],
    sun: tuple[float, float],
    at: tuple[float, float, float],
    least: float,
    scale: tuple[float, float],
    tile: NDArray[np.float32],
) -> float:
    """Return how much of the sun an upright plane keeps off a point `at` (right, up, ahead).

    The line from the point to the sun is followed down to the ground: it meets the plane at a height of `v`, and what
    it meets there is in the way if it is more than `least` above the point.
    """
    gx, gz = at[0] - at[1] * sun[0] - foot[_X], at[2] - at[1] * sun[1] - foot[_Z]
    v = -(gx * foot[_WAY_Z] - gz * foot[_WAY_X]) * foot[_PER_AWAY]
    u = (gx + v * sun[0]) * foot[_WAY_X] + (gz + v * sun[1]) * foot[_WAY_Z]
    inside = box(min(u, foot[_LONG] - u), min(v - at[1] - least, row[HEIGHT] - v), scale[0], scale[1])
    if inside > 0.0 and int(row[LATERAL]) != VEHICLE:
        inside *= _silhouette(row, u, v, scale[1], tile)
    return inside


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def sun_kept(
    throwers: Throwers,
    own: int,
    at: tuple[float, float, float],
    scale: tuple[float, float],
    light: NDArray[np.float64],
    tile: NDArray[np.float32],
) -> float:
    """Return how much of the sun is kept off a point `at` (right, up, ahead) of the thrower `own`; -1 is the ground.

    `scale` are the pixels per metre across and up.
    """
    sun = (light[SUN_X] / light[SUN_UP], light[SUN_Z] / light[SUN_UP])
    flat = math.sqrt(light[SUN_X] * light[SUN_X] + light[SUN_Z] * light[SUN_Z])
    along = (at[0] * light[SUN_X] + at[2] * light[SUN_Z]) / flat
    across = (at[0] * light[SUN_Z] - at[2] * light[SUN_X]) / flat
    strip = int(min(_STRIPS - 1.0, max(0.0, across / _STRIP_M + 0.5 * _STRIPS)))
    # A plane that starts where the point lies, as the other wall of a corner does, is not in the way.
    least = 0.0 if own == -1 else _APART_M
    kept = 0.0
    for k in range(throwers.counts[strip]):
        other = throwers.strips[strip, k]
        foot = throwers.feet[other]
        if other != own and foot[_FIRST] < along < foot[_LAST]:
            # Added, so that no light falls through where one plane's shadow goes on in the next one's.
            kept += _kept_by(throwers.rows[other], foot, sun, at, least, scale, tile)
            if kept >= 1.0:
                return 1.0
    return kept


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _set_foot(
    row: NDArray[np.float64], own: NDArray[np.float64], foot: NDArray[np.float64], sun: tuple[float, float]
) -> bool:
    """Set where the plane of a thrower stands, and return whether the sun does more than graze it."""
    # A vehicle throws the shadow of the upright plane on its diagonal; a plane's corners 0 and 1 are its ends.
    last = 2 if int(row[LATERAL]) == VEHICLE else 1
    dx, dz = own[0, last] - own[0, 0], own[1, last] - own[1, 0]
    away = sun[0] * dz - sun[1] * dx
    if abs(away) < _GRAZING_M:
        return False
    foot[_LONG] = np.sqrt(dx * dx + dz * dz)
    foot[_X], foot[_Z], foot[_WAY_X], foot[_WAY_Z] = own[0, 0], own[1, 0], dx / foot[_LONG], dz / foot[_LONG]
    foot[_PER_AWAY] = foot[_LONG] / away
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def sort_throwers(rows: NDArray[np.float64], corners: NDArray[np.float64], light: NDArray[np.float64]) -> Throwers:
    """Return surfaces sorted into the strips along the sun's way in which their shadows lie.

    `corners` (n, 2, 4) are the footprints; only those of vehicles have a width.
    """
    count = rows.shape[0]
    feet = np.zeros((count, _NUM_FOOT))
    strips, counts = np.empty((_STRIPS, count), np.int64), np.zeros(_STRIPS, np.int64)
    flat = math.sqrt(light[SUN_X] * light[SUN_X] + light[SUN_Z] * light[SUN_Z])
    sun = (light[SUN_X] / light[SUN_UP], light[SUN_Z] / light[SUN_UP])
    for index in range(count):
        own = corners[index]
        if not _set_foot(rows[index], own, feet[index], sun):
            continue
        along = (own[0] * light[SUN_X] + own[1] * light[SUN_Z]) / flat
        across = (own[0] * light[SUN_Z] - own[1] * light[SUN_X]) / flat
        feet[index, _FIRST] = along.min() - rows[index, HEIGHT] * flat / light[SUN_UP] - 1.0
        feet[index, _LAST] = along.max() + 1.0
        # One more on both sides: an edge is soft over a pixel.
        first = max(0.0, across.min() / _STRIP_M + 0.5 * _STRIPS - 1.0)
        last = min(_STRIPS - 1.0, across.max() / _STRIP_M + 0.5 * _STRIPS + 1.0)
        for strip in range(int(min(first, _STRIPS - 1.0)), int(max(0.0, last)) + 1):
            strips[strip, counts[strip]] = index
            counts[strip] += 1
    return Throwers(rows, feet, strips, counts)


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
        if not vehicle and int(row[MATERIAL]) not in (PERSON, RIDER, MOTORBIKE):
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
