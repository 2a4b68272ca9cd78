"""How much light falls on a point of the street: from the sky, the sun, the own headlamps, and street lamps."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import HEADLAMPS, LAMP_SPACING, SKY_LIGHT, STREET_LAMPS, SUN

_LAMP_HEIGHT_M = 6.0
_BEAM_M = 9.0
_BEAM_SLOPE = 1.4
_CUTOFF_M = 0.9


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def illumination(
    light: NDArray[np.float64], x: float, v: float, depth: float, camera_z: float, facing: float
) -> tuple[float, float]:
    """Return the steady light, and that of street lamps, on a white surface at a point of the street.

    The point is `x` metres to the right, `v` above the ground and `depth` ahead.

    `facing` is the cosine between its normal and the sun, 0 in the shade.
    """
    total = light[SKY_LIGHT] + light[SUN] * facing
    if light[HEADLAMPS] > 0.0:
        # A dipped beam: it spreads to the sides, falls off with distance and fades above its cutoff.
        aside = _BEAM_SLOPE * x / depth
        beam = max(0.0, 1.0 - aside * aside)
        reach = depth / _BEAM_M
        beam *= min(1.0, max(0.06, 1.5 - v / _CUTOFF_M)) / (1.0 + reach * reach)
        total += light[HEADLAMPS] * beam * beam
    lamps = 0.0
    if light[STREET_LAMPS] > 0.0:
        place = (depth + camera_z) / light[LAMP_SPACING]
        along = (place - math.floor(place) - 0.5) * light[LAMP_SPACING]
        below = _LAMP_HEIGHT_M - min(v, 4.0)
        square = along * along + below * below + 0.3 * x * x
        lamps = light[STREET_LAMPS] * _LAMP_HEIGHT_M * _LAMP_HEIGHT_M / square
    return float(total), float(lamps)
