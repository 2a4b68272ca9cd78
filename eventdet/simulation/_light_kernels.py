"""How much light falls on a point of the street: from the sky, the sun, the own headlamps, and street lamps."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    CAMERA_X,
    CAMERA_Z,
    COVER_START,
    COVER_STOP,
    COVER_TOP_M,
    CROSS_LANE,
    CROSS_SIDE,
    HEADLAMPS,
    LAMP_SPACING,
    SKY_LIGHT,
    STREET_LAMPS,
    SUN,
)
from ._lens_kernels import street_offset

TUNNEL_M = 20.0
"""A longer cover of the road is a tunnel with lamps."""

TUNNEL_LIGHT = 0.07
"""Of those lamps, on white."""

_DAY_M = 3.0
_NOWHERE_M = 1e8

_LAMP_HEIGHT_M = 6.0
_BEAM_M = 9.0
_BEAM_SLOPE = 1.4
_CUTOFF_M = 0.9


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _row_of_lamps(light: NDArray[np.float64], along: float, aside: float, v: float) -> float:
    """Return the light of the lamps of one street on a point."""
    place = along / light[LAMP_SPACING]
    along = (place - math.floor(place) - 0.5) * light[LAMP_SPACING]
    below = _LAMP_HEIGHT_M - min(v, 4.0)
    square = along * along + below * below + 0.3 * aside * aside
    return float(light[STREET_LAMPS] * _LAMP_HEIGHT_M * _LAMP_HEIGHT_M / square)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def illumination(
    light: NDArray[np.float64], camera: NDArray[np.float64], x: float, v: float, depth: float, facing: float
) -> tuple[float, float]:
    """Return the steady light, and that of street lamps, on a white surface at a point of the street.

    The point is `x` metres to the right, `v` above the ground and `depth` ahead.

    `facing` is the cosine between its normal and the sun, 0 in the shade.
    """
    total = light[SKY_LIGHT] + light[SUN] * facing
    aside, along = street_offset(camera, x, depth)
    along += camera[CAMERA_Z]
    if camera[COVER_STOP] > camera[COVER_START]:
        # Under a bridge or in a tunnel the day fades from the ends; a tunnel has lamps of its own.
        inside = min(along - camera[COVER_START], camera[COVER_STOP] - along)
        if inside > 0.0 and v < COVER_TOP_M + 0.1:
            day = 1.0 / (1.0 + inside * inside * (1.0 / (_DAY_M * _DAY_M)))
            own = TUNNEL_LIGHT if camera[COVER_STOP] - camera[COVER_START] > TUNNEL_M else 0.0
            total = day * total + own * (1.0 - day)
    if light[HEADLAMPS] > 0.0:
        # A dipped beam: it spreads to the sides, falls off with distance and fades above its cutoff.
        spread = _BEAM_SLOPE * x / depth
        beam = max(0.0, 1.0 - spread * spread)
        reach = depth / _BEAM_M
        beam *= min(1.0, max(0.06, 1.5 - v / _CUTOFF_M)) / (1.0 + reach * reach)
        total += light[HEADLAMPS] * beam * beam
    lamps = 0.0
    if light[STREET_LAMPS] > 0.0:
        lamps = _row_of_lamps(light, along, aside, v)
        if camera[CROSS_LANE] < _NOWHERE_M:
            across = camera[CROSS_SIDE] * (aside + camera[CAMERA_X])
            lamps += _row_of_lamps(light, across, camera[CROSS_LANE] - along, v)
    return float(total), float(lamps)
