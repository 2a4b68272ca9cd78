"""From the objects of a straight street to the surfaces before a camera that looks along it."""

import numpy as np
from numpy.typing import NDArray

from . import _columns as column
from .reproducible import sine
from .traffic import Objects

__all__ = ["common_columns", "footprints", "place_surfaces"]

_FARTHEST_M = 110.0
_ROUND_FACING = 0.5
_LAMP_GLOW = 15.0
_NOSE = np.array([0.0, 0.0, 1.0, 1.0])

Column = NDArray[np.float64]


def place_surfaces(objects: Objects, camera: Column, light: Column, *, t_s: float) -> NDArray[np.float64]:
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
    rows = common_columns(objects, seen, camera, light, x=x, z=z, t_s=t_s)
    face, side = rows
    half, depth = 0.5 * objects.width[seen], objects.depth[seen]
    face[:, column.PLANE], face[:, column.LENGTH] = z, 2.0 * half
    face[:, column.START], face[:, column.STOP] = x - half, x + half
    face[:, column.ORIGIN] = x - half
    face[:, column.MATERIAL] = objects.face[seen]
    side[:, column.LATERAL] = column.LATERAL_PLANE
    side[:, column.PLANE] = np.where(x > 0.0, x - half, x + half)
    side[:, column.START], side[:, column.STOP], side[:, column.ORIGIN] = np.maximum(z, column.NEAREST), z + depth, z
    side[:, column.LENGTH], side[:, column.MATERIAL] = depth, objects.side[seen]
    shown_face = (z > column.NEAREST) & (objects.face[seen] != column.NOTHING)
    shown_side = (objects.side[seen] != column.NOTHING) & (np.abs(x) > half)
    # On one ray, farther ahead is also farther out, so this sum sorts surfaces that lie behind each other.
    keys = np.concatenate([z + 2.0 * np.abs(x), z + depth + 2.0 * np.abs(side[:, column.PLANE])])
    order = np.argsort(keys, kind="stable")
    shown = np.concatenate([shown_face, shown_side])
    return np.ascontiguousarray(rows.reshape(-1, column.NUM_COLUMNS)[order[shown[order]]])


def common_columns(
    objects: Objects, seen: NDArray[np.intp], camera: Column, light: Column, *, x: Column, z: Column, t_s: float
) -> NDArray[np.float64]:
    """Return a row for the face and one for the side of each object, shape (2, n, NUM_COLUMNS), without their place."""
    rows = np.zeros((2, len(seen), column.NUM_COLUMNS))
    common = {column.HEIGHT: objects.height, column.ALBEDO: objects.albedo, column.TONE: objects.tone}
    for index, values in {**common, column.SEED: objects.seed, column.FLIP: objects.flip}.items():
        rows[:, :, index] = values[seen]
    rows[:, :, column.IDENTITY] = np.where(objects.class_id[seen] >= 0, seen + 1.0, 0.0)
    gait = 0.55 * _stride(objects, seen) * sine(objects.gait_hz[seen] * t_s + objects.phase[seen])
    # Reflections stay with the street while the car moves through them.
    place = 0.7 * (z + camera[column.CAMERA_Z] + x)
    strides = np.isin(objects.face[seen], (column.WALKER, column.PERSON, column.RIDER))
    rows[:, :, column.SWING] = np.where(strides, gait, place)
    vehicle = (objects.class_id[seen] >= 0) | (objects.shape[seen] >= 0)
    bike, ridden = objects.face[seen] == column.MOTORBIKE, objects.height[seen] > column.RIDDEN_M
    glow = np.where(vehicle | (bike & ridden), light[column.HEADLAMPS], light[column.LIT_WINDOWS])
    glow[bike & ~ridden] = 0.0
    lamp = _LAMP_GLOW * light[column.STREET_LAMPS]
    rows[:, :, column.GLOW] = np.where(objects.face[seen] == column.LAMP, lamp, glow)
    flat = np.isin(objects.face[seen], (column.FACADE, column.CRATE, column.BRIDGE, column.SIGN))
    rows[:, :, column.FACING] = np.where(flat, max(0.0, -float(light[column.SUN_Z])), _ROUND_FACING)
    return rows


def _stride(objects: Objects, seen: NDArray[np.intp]) -> NDArray[np.float64]:
    # Legs swing across the picture only for those who cross it.
    across: NDArray[np.float64] = np.where(objects.speed_x[seen] != 0.0, 1.0, 0.45)
    return across


def footprints(surfaces: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sideways and forward coordinates of the corners of surfaces on the ground.

    Parameters
    ----------
    surfaces : ndarray, shape (n, NUM_COLUMNS), float64
        See `_columns`.

    Returns
    -------
    x, z : ndarray, shape (n, 4), float64
        Metres, around the footprint; those of a plane come twice.
    """
    kind = surfaces[:, column.LATERAL, None]
    frontal, lateral, solid = (kind == k for k in (column.FRONTAL_PLANE, column.LATERAL_PLANE, column.VEHICLE))
    # A frontal plane runs to the right from the middle, a lateral one ahead from the camera's own depth.
    plane = surfaces[:, column.PLANE, None]
    base_x = np.where(frontal, 0.0, np.where(lateral, plane, surfaces[:, column.BASE_X, None]))
    base_z = np.where(frontal, plane, np.where(lateral, 0.0, surfaces[:, column.BASE_Z, None]))
    turn_x = np.where(frontal, 1.0, np.where(lateral, 0.0, surfaces[:, column.TURN_X, None]))
    turn_z = np.where(frontal, 0.0, np.where(lateral, 1.0, surfaces[:, column.TURN_Z, None]))
    ends = surfaces[:, [column.START, column.STOP, column.STOP, column.START]]
    along = np.where(solid, surfaces[:, column.LENGTH, None] * _NOSE, ends)
    across = np.where(solid, ends, 0.0)
    return base_x + along * turn_x + across * turn_z, base_z + along * turn_z - across * turn_x
