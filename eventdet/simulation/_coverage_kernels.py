"""Coverage of a pixel by simple shapes, and smooth noise.

Every edge is a ramp one pixel wide: the pixel's own box filter for a straight edge, so that moving edges give smooth
light and not steps.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import TILE_MASK


@njit(cache=True, nogil=True, error_model="numpy")
def ramp(x: float) -> float:
    """Return how much of a pixel lies inside an edge at distance `x` pixels."""
    return min(1.0, max(0.0, x + 0.5))


@njit(cache=True, nogil=True, error_model="numpy")
def contrast(period: float) -> float:
    """Return how much of a pattern is left where one period spans so many pixels: none at 1, all from 2 on."""
    return min(1.0, max(0.0, period - 1.0))


@njit(cache=True, nogil=True, error_model="numpy")
def noise(tile: NDArray[np.float32], u: float, v: float) -> float:
    """Return smooth value noise in [0, 1) with a lattice of one unit, from a wrapping (64, 64) tile."""
    column = math.floor(u)
    row = math.floor(v)
    a = u - column
    b = v - row
    a = a * a * (3.0 - 2.0 * a)
    b = b * b * (3.0 - 2.0 * b)
    i = column & TILE_MASK
    j = row & TILE_MASK
    k = (i + 1) & TILE_MASK
    m = (j + 1) & TILE_MASK
    top = tile[j, i] + a * (tile[j, k] - tile[j, i])
    bottom = tile[m, i] + a * (tile[m, k] - tile[m, i])
    return float(top + b * (bottom - top))


@njit(cache=True, nogil=True, error_model="numpy")
def box(du: float, dv: float, pu: float, pv: float) -> float:
    """Return the coverage of a rectangle, from the distances to its nearest sides in metres."""
    return ramp(du * pu) * ramp(dv * pv)


@njit(cache=True, nogil=True, error_model="numpy")
def capsule(u: float, v: float, x0: float, y0: float, x1: float, y1: float, radius: float, p: float) -> float:
    """Return the coverage of a thick line with round ends, in metres."""
    dx = x1 - x0
    dy = y1 - y0
    along = ((u - x0) * dx + (v - y0) * dy) / (dx * dx + dy * dy + 1e-9)
    along = min(1.0, max(0.0, along))
    ex = u - x0 - along * dx
    ey = v - y0 - along * dy
    return ramp((radius - math.sqrt(ex * ex + ey * ey)) * p)
