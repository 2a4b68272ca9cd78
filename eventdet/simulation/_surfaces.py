"""From the objects of a street to the surfaces before the camera at one moment."""

import numpy as np
from numpy.typing import NDArray

from . import _columns as column
from .reproducible import sine
from .traffic import Objects

_FARTHEST_M = 110.0


def place_surfaces(
    objects: Objects, camera: NDArray[np.float64], light: NDArray[np.float64], t_s: float
) -> NDArray[np.float64]:
    """Return the surfaces that may be seen, nearest first.

    Parameters
    ----------
    objects : Objects
        Everything in the street.
    camera, light : ndarray, float64
        Shapes (NUM_CAMERA,) and (NUM_LIGHT,): see `_columns`.
    t_s : float
        Seconds from the start.

    Returns
    -------
    ndarray, shape (n, NUM_COLUMNS), float64
        See `_columns`.
    """
    swing = objects.swing_m * sine(objects.swing_hz * t_s + objects.phase)
    x = objects.x + objects.speed_x * t_s - camera[column.CAMERA_X]
    z = objects.z + objects.speed_z * t_s + swing - camera[column.CAMERA_Z] * (1.0 - objects.rides)
    seen = np.flatnonzero((z < _FARTHEST_M) & (z + objects.depth > column.NEAREST))
    x, z = x[seen], z[seen]
    half = 0.5 * objects.width[seen]
    depth = objects.depth[seen]
    rows = np.zeros((2, len(seen), column.NUM_COLUMNS))
    common = {column.HEIGHT: objects.height, column.ALBEDO: objects.albedo, column.TONE: objects.tone}
    for index, values in {**common, column.SEED: objects.seed, column.FLIP: objects.flip}.items():
        rows[:, :, index] = values[seen]
    rows[:, :, column.IDENTITY] = np.where(objects.class_id[seen] >= 0, seen + 1.0, 0.0)
    gait = 0.55 * _stride(objects, seen) * sine(objects.gait_hz[seen] * t_s + objects.phase[seen])
    # Reflections stay with the street while the car moves through them.
    place = 0.7 * (z + camera[column.CAMERA_Z] + x)
    rows[:, :, column.SWING] = np.where(objects.face[seen] == column.WALKER, gait, place)
    face, side = rows
    face[:, column.PLANE], face[:, column.LENGTH] = z, 2.0 * half
    face[:, column.START], face[:, column.STOP], face[:, column.ORIGIN] = x - half, x + half, x - half
    face[:, column.MATERIAL] = objects.face[seen]
    rows[:, :, column.GLOW] = np.where(objects.class_id[seen] >= 0, light[column.HEADLAMPS], light[column.LIT_WINDOWS])
    side[:, column.LATERAL] = 1.0
    side[:, column.PLANE] = np.where(x > 0.0, x - half, x + half)
    side[:, column.START], side[:, column.STOP], side[:, column.ORIGIN] = np.maximum(z, column.NEAREST), z + depth, z
    side[:, column.LENGTH], side[:, column.MATERIAL] = depth, objects.side[seen]
    # On one ray, farther ahead is also farther out, so this sum sorts surfaces that lie behind each other.
    keys = np.concatenate([z + 2.0 * np.abs(x), z + depth + 2.0 * np.abs(side[:, column.PLANE])])
    shown = np.concatenate([z > column.NEAREST, (objects.side[seen] != column.NOTHING) & (np.abs(x) > half)])
    order = np.argsort(keys, kind="stable")
    return np.ascontiguousarray(rows.reshape(-1, column.NUM_COLUMNS)[order[shown[order]]])


def _stride(objects: Objects, seen: NDArray[np.intp]) -> NDArray[np.float64]:
    # Legs swing across the picture only for those who cross it.
    across: NDArray[np.float64] = np.where(objects.speed_x[seen] != 0.0, 1.0, 0.45)
    return across
