"""Between pixels and rays: pinhole, roll and radial distortion."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import CAMERA_HEIGHT, CENTER_X, CENTER_Y, FOCAL, LENS, NEAREST, ROLL, YAW_COS, YAW_SIN

_BEYOND = 1e9


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def ray(camera: NDArray[np.float64], per_focal: float, x: int, y: int) -> tuple[float, float]:
    """Return how far right and down the ray through the middle of a pixel goes for each metre ahead.

    `per_focal` is one over the focal length: no division for each pixel.
    """
    dx = x + 0.5 - camera[CENTER_X]
    dy = y + 0.5 - camera[CENTER_Y]
    if camera[LENS] != 0.0:
        spread = 1.0 + camera[LENS] * (dx * dx + dy * dy) * per_focal * per_focal
        dx *= spread
        dy *= spread
    return (dx + camera[ROLL] * dy) * per_focal, (dy - camera[ROLL] * dx) * per_focal


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def street_offset(camera: NDArray[np.float64], x: float, depth: float) -> tuple[float, float]:
    """Return how far right of the camera, and ahead of it along the street, a point lies that the camera sees so."""
    return x * camera[YAW_COS] + depth * camera[YAW_SIN], depth * camera[YAW_COS] - x * camera[YAW_SIN]


@njit(cache=True, nogil=True, error_model="numpy")
def image_bounds(
    corners: NDArray[np.float64],
    top_m: float,
    camera: NDArray[np.float64],
    height: int,
    width: int,
    foot_m: float = 0.0,
) -> tuple[int, int, int, int]:
    """Return rows and columns (first, beyond last) that an upright shape over corners (2, n) can touch.

    It reaches from `foot_m` to `top_m` above the ground.
    """
    xs, zs = corners
    left, right, top, bottom = _BEYOND, -_BEYOND, _BEYOND, -_BEYOND
    for k in range(xs.size):
        depth = max(zs[k], NEAREST)
        sideways = xs[k] / depth
        if zs[k] < NEAREST:
            # Behind the camera: as far out as its neighbours' lines may lead.
            left, right = (-_BEYOND, right) if xs[k] < 0.0 else (left, _BEYOND)
        for end in range(2):
            down = (camera[CAMERA_HEIGHT] - foot_m - (top_m - foot_m) * end) / depth
            left = min(left, camera[FOCAL] * (sideways - camera[ROLL] * down))
            right = max(right, camera[FOCAL] * (sideways - camera[ROLL] * down))
            top = min(top, camera[FOCAL] * (down + camera[ROLL] * sideways))
            bottom = max(bottom, camera[FOCAL] * (down + camera[ROLL] * sideways))
    if camera[LENS] != 0.0:
        # A point is drawn nearer to the middle by the spread of its ray, which is most in a corner of the image.
        across, along = (
            max(camera[CENTER_X], width - camera[CENTER_X]),
            max(camera[CENTER_Y], height - camera[CENTER_Y]),
        )
        spread = 1.0 + camera[LENS] * (across * across + along * along) / (camera[FOCAL] * camera[FOCAL])
        left, right = min(left, left / spread), max(right, right / spread)
        top, bottom = min(top, top / spread), max(bottom, bottom / spread)
    x0 = int(min(float(width), max(0.0, camera[CENTER_X] + left - 2.0)))
    x1 = int(min(float(width), max(0.0, camera[CENTER_X] + right + 3.0)))
    y0 = int(min(float(height), max(0.0, camera[CENTER_Y] + top - 2.0)))
    y1 = int(min(float(height), max(0.0, camera[CENTER_Y] + bottom + 3.0)))
    return y0, y1, x0, x1
