"""What lies between street and pixels: falling rain, and a lens that blurs and darkens towards its rim."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    BLUR,
    CAMERA_HEIGHT,
    CAMERA_Z,
    CENTER_X,
    CENTER_Y,
    FOCAL,
    RAIN,
    TILE_MASK,
    TILE_SIDE,
    VIGNETTE,
)

_FALL_M_S = 7.0
_FALL_M = 4.0
_FIRST_M = 1.2
_DEEP_M = 9.0
_STREAK_M = 0.06
_CLEARNESS = 0.25


@njit(cache=True, nogil=True, error_model="numpy")
def draw_rain(
    image: NDArray[np.float32],
    tile: NDArray[np.float32],
    camera: NDArray[np.float64],
    light: NDArray[np.float64],
    t_s: float,
    glare: float,
) -> None:
    """Draw drops as short upright streaks of light `glare`; they fall while the camera drives through them."""
    height, width = image.shape
    for k in range(int(light[RAIN])):
        a = tile[k & TILE_MASK, (k // TILE_SIDE) & TILE_MASK]
        b = tile[(k + 21) & TILE_MASK, (k // TILE_SIDE + 7) & TILE_MASK]
        c = tile[(k + 42) & TILE_MASK, (k // TILE_SIDE + 14) & TILE_MASK]
        ahead = a - camera[CAMERA_Z] / _DEEP_M
        depth = _FIRST_M + _DEEP_M * (ahead - math.floor(ahead))
        fallen = b + t_s * _FALL_M_S / _FALL_M
        v = _FALL_M * (1.0 - fallen + math.floor(fallen))
        per_m = camera[FOCAL] / depth
        x = camera[CENTER_X] + camera[FOCAL] * 1.6 * (c - 0.5) - 0.5
        top = camera[CENTER_Y] + (camera[CAMERA_HEIGHT] - v) * per_m
        bottom = top + _STREAK_M * per_m
        left = math.floor(x)
        for y in range(max(0, math.floor(top)), min(height, math.floor(bottom) + 1)):
            share = _CLEARNESS * (min(bottom, y + 1.0) - max(top, float(y)))
            for side in range(2):
                column = left + side
                if 0 <= column < width:
                    cover = share * (x - left if side == 1 else 1.0 - x + left)
                    image[y, column] += cover * (glare - image[y, column])


@njit(cache=True, nogil=True, error_model="numpy")
def pass_lens(image: NDArray[np.float32], scratch: NDArray[np.float32], camera: NDArray[np.float64]) -> None:
    """Blur by the kernel (b, 1 - 2 b, b) along both axes, edges repeated, and darken by the square of the distance."""
    height, width = image.shape
    b = camera[BLUR]
    rim = camera[VIGNETTE] * 4.0 / (height * height + width * width)
    for y in range(height):
        for x in range(width):
            sides = image[y, max(0, x - 1)] + image[y, min(width - 1, x + 1)]
            scratch[y, x] = image[y, x] + b * (sides - 2.0 * image[y, x])
    for y in range(height):
        dy = y + 0.5 - 0.5 * height
        for x in range(width):
            sides = scratch[max(0, y - 1), x] + scratch[min(height - 1, y + 1), x]
            dx = x + 0.5 - 0.5 * width
            image[y, x] = (scratch[y, x] + b * (sides - 2.0 * scratch[y, x])) * (1.0 - rim * (dx * dx + dy * dy))
