"""From the objects of a built-up street to the surfaces before a camera that may look in any direction.

Houses and walls show the two of their four sides that face the camera, vehicles are solids, and flat figures turn
towards the camera.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import _columns as column
from ._surfaces import common_columns, footprints
from .drive import Drive
from .reproducible import sine, sine_at
from .route import Pose, Turn
from .traffic import Objects

__all__ = ["place_town"]

_FARTHEST_M = 110.0
_SIGNAL_PERIOD_S = 16.0
_WIDEST = 0.95
"""Metres aside for each metre ahead that a picture may reach."""

_SHADOWS_M = 60.0
"""So far beyond the picture objects are looked for whose shadows may reach into it."""

Column = NDArray[np.float64]


class _Place(NamedTuple):
    """Where objects are, seen from the camera but along their own street; arrays of shape (n,)."""

    x: Column
    z: Column
    """Near end."""

    half: Column
    depth: Column
    near_aside: Column
    """By how much the road has bent at the near end."""

    far_aside: Column
    cosine: Column
    """Of the camera's angle to that street."""

    sine: Column

    def seen(self, x: Column, z: Column) -> tuple[Column, Column]:
        """Return points as the camera sees them: metres to its right and ahead."""
        return x * self.cosine - z * self.sine, x * self.sine + z * self.cosine

    def middle(self) -> tuple[Column, Column]:
        """Return the middles as the camera sees them."""
        return self.seen(self.x + 0.5 * (self.near_aside + self.far_aside), self.z + 0.5 * self.depth)


def place_town(
    objects: Objects, camera: Column, light: Column, *, drive: Drive, poses: tuple[Pose, ...], t_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the surfaces that may be seen, nearest first, and those that may throw shadows on what is seen.

    Parameters
    ----------
    objects : Objects
        Everything in the streets.
    camera, light : ndarray, float64
        Shapes (NUM_CAMERA,) and (NUM_LIGHT,): see `_columns`.
    drive : Drive
        Where the road goes.
    poses : tuple of Pose
        The camera in each street.
    t_s : float
        Seconds from the start.

    Returns
    -------
    surfaces, throwers : ndarray, shapes (n, NUM_COLUMNS) and (m, NUM_COLUMNS), float64
        See `_columns`; no throwers without sun.
    """
    sunny = bool(light[column.SUN] > 0.0)
    seen, place, inside = _find(objects, drive, poses, t_s, around_m=_SHADOWS_M if sunny else 0.0)
    rows = common_columns(objects, seen, camera, light, x=place.x, z=place.z, t_s=t_s)
    face, side = rows
    solid = objects.shape[seen] >= 0.0
    thick = (place.depth > 0.0) | np.isin(objects.face[seen], (column.BRIDGE,))
    face[:, column.MATERIAL], side[:, column.MATERIAL] = objects.face[seen], objects.side[seen]
    shown_face = _set_fronts(face, place, light) & thick & ~solid
    shown_face |= _set_figures(face, place, ~thick & ~solid)
    shown_face &= objects.face[seen] != column.NOTHING
    shown_side = _set_sides(side, place, light) & (objects.side[seen] != column.NOTHING) & ~solid
    _set_vehicles(face, objects, seen, place, solid)
    middle = place.middle()
    if drive.turn is not None:
        _follow(face, objects, seen, drive.turn, drive.place_m(t_s), t_s)
    _switch_signals(face, objects, seen, t_s)
    flat = rows.reshape(-1, column.NUM_COLUMNS)
    throwers = _set_throwers(flat, np.concatenate([solid, np.zeros_like(solid)]), light) if sunny else flat[:0]
    shown = np.concatenate([(shown_face | solid) & inside, shown_side & inside])
    key = middle[1] + 2.0 * np.abs(middle[0])
    order = np.argsort(np.concatenate([key, key]), kind="stable")
    surfaces = np.ascontiguousarray(flat[order[shown[order]]])
    return surfaces[_front_to_back(surfaces)], throwers


def _find(
    objects: Objects, drive: Drive, poses: tuple[Pose, ...], t_s: float, *, around_m: float
) -> tuple[NDArray[np.intp], _Place, NDArray[np.bool_]]:
    """Return which objects are in view or up to `around_m` beyond it, where they are, and which of them are in view."""
    camera_x, camera_z, cosine, sines = np.array(poses)[objects.leg.astype(np.intp)].T
    swing = objects.swing_m * sine(objects.swing_hz * t_s + objects.phase)
    x = objects.x + objects.speed_x * t_s - camera_x
    z = objects.z + objects.speed_z * t_s + swing - camera_z * (1.0 - objects.rides)
    straight = np.zeros(len(objects))
    place = _Place(x, z, 0.5 * objects.width, objects.depth, straight, straight, cosine, sines)
    ahead = place.middle()[1]
    reach = place.half + 0.5 * place.depth
    behind = column.NEAREST - around_m
    seen = np.flatnonzero((objects.rides > 0.0) | ((ahead - reach < _FARTHEST_M) & (ahead + reach > behind)))
    near, far = drive.bend_m(np.stack([z[seen], z[seen] + objects.depth[seen]]), t_s)
    place = _Place(*(values[seen] for values in place))._replace(near_aside=near, far_aside=far)
    aside, ahead = place.middle()
    reach = reach[seen] + np.abs(far - near)
    rides, beyond = objects.rides[seen] > 0.0, np.abs(aside) - reach - _WIDEST * (ahead + reach)
    found = rides | (beyond < around_m)
    inside = rides | ((beyond < 0.0) & (ahead + reach > column.NEAREST))
    return seen[found], _Place(*(values[found] for values in place)), inside[found]


def _set_throwers(rows: NDArray[np.float64], solid: NDArray[np.bool_], light: Column) -> NDArray[np.float64]:
    """Give a number to surfaces whose shadows may reach into the picture, and return them uncut."""
    uncut = rows.copy()
    cut = rows[:, column.LATERAL] == column.ANGLED_PLANE
    uncut[cut, column.START], uncut[cut, column.STOP] = 0.0, rows[cut, column.LENGTH]
    x, z = footprints(uncut)
    away = (rows[:, column.HEIGHT] / light[column.SUN_UP])[:, None]
    x = np.concatenate([x, x - away * light[column.SUN_X]], axis=1)
    z = np.concatenate([z, z - away * light[column.SUN_Z]], axis=1)
    reaches = (z > column.NEAREST).any(axis=1)
    reaches &= (x > -_WIDEST * z).any(axis=1) & (x < _WIDEST * z).any(axis=1)
    reaches &= solid | ~np.isin(rows[:, column.MATERIAL], (column.NOTHING, column.WIRE))
    chosen = np.flatnonzero(reaches)
    rows[:, column.THROWER] = -2.0
    rows[chosen, column.THROWER] = np.arange(len(chosen), dtype=np.float64)
    return uncut[chosen]


def _set_figures(face: NDArray[np.float64], place: _Place, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Set flat figures, which turn towards the camera, and return which of them are before it."""
    x, z = place.middle()
    rows = face[chosen]
    half, x, ahead = place.half[chosen], x[chosen], z[chosen]
    rows[:, column.LATERAL], rows[:, column.PLANE] = column.FRONTAL_PLANE, ahead
    rows[:, column.START], rows[:, column.STOP], rows[:, column.ORIGIN] = x - half, x + half, x - half
    rows[:, column.LENGTH] = 2.0 * half
    face[chosen] = rows
    before: NDArray[np.bool_] = chosen & (z > column.NEAREST)
    return before


def _set_fronts(face: NDArray[np.float64], place: _Place, light: Column) -> NDArray[np.bool_]:
    """Set the end of each object that faces the camera along its street, and return where there is one."""
    near = place.z > 0.0
    far = place.z + place.depth < 0.0
    z = np.where(near, place.z, place.z + place.depth)
    aside = np.where(near, place.near_aside, place.far_aside) + place.x
    out = np.where(near, -1.0, 1.0)
    start, stop = place.seen(aside - place.half, z), place.seen(aside + place.half, z)
    return (near | far) & _set_planes(face, start, stop, out=place.seen(np.zeros_like(out), out), light=light)


def _set_sides(side: NDArray[np.float64], place: _Place, light: Column) -> NDArray[np.bool_]:
    """Set the side of each object that faces the camera across its street, and return where there is one."""
    out = np.where(place.x > 0.0, -1.0, 1.0)
    edge = place.x + out * place.half
    start = place.seen(edge + place.near_aside, place.z)
    stop = place.seen(edge + place.far_aside, place.z + place.depth)
    towards = (np.abs(place.x) > place.half) & (place.depth > 0.0)
    return towards & _set_planes(side, start, stop, out=place.seen(out, np.zeros_like(out)), light=light)


def _set_planes(
    rows: NDArray[np.float64],
    start: tuple[Column, Column],
    stop: tuple[Column, Column],
    *,
    out: tuple[Column, Column],
    light: Column,
) -> NDArray[np.bool_]:
    """Set upright planes between two points, `out` being the way out of the object; return which face the camera."""
    dx, dz = stop[0] - start[0], stop[1] - start[1]
    length = np.sqrt(dx * dx + dz * dz)
    per_length = 1.0 / np.maximum(length, 1e-9)
    turn_x, turn_z = dx * per_length, dz * per_length
    rows[:, column.LATERAL] = column.ANGLED_PLANE
    rows[:, column.BASE_X], rows[:, column.BASE_Z] = start
    rows[:, column.TURN_X], rows[:, column.TURN_Z] = turn_x, turn_z
    rows[:, column.LENGTH] = length
    # What is nearer than the nearest depth is cut off at the end that lies there.
    slope = np.where(np.abs(turn_z) < 1e-9, 1e-9, turn_z)
    cut = (column.NEAREST - start[1]) / slope
    level = np.abs(turn_z) < 1e-9
    rows[:, column.START] = np.where(level | (turn_z < 0.0), 0.0, np.maximum(0.0, cut))
    rows[:, column.STOP] = np.where(level | (turn_z > 0.0), length, np.minimum(length, cut))
    normal = np.where(turn_z * out[0] - turn_x * out[1] > 0.0, 1.0, -1.0)
    facing = normal * (turn_z * light[column.SUN_X] - turn_x * light[column.SUN_Z])
    rows[:, column.FACING] = np.maximum(0.0, facing)
    towards = normal * (turn_z * start[0] - turn_x * start[1]) < 0.0
    before = ~level | (start[1] > column.NEAREST)
    visible: NDArray[np.bool_] = towards & before & (rows[:, column.STOP] > rows[:, column.START] + 1e-6)
    return visible


def _set_vehicles(
    face: NDArray[np.float64], objects: Objects, seen: NDArray[np.intp], place: _Place, solid: NDArray[np.bool_]
) -> None:
    """Make the faces of vehicles into solids."""
    chosen, own = seen[solid], _Place(*(values[solid] for values in place))
    across = objects.turn[chosen] != 0.0
    sign = np.where(across, objects.turn[chosen], 1.0 - 2.0 * objects.flip[chosen])
    slope = (own.far_aside - own.near_aside) / np.maximum(own.depth, 0.1)
    per_length = 1.0 / np.sqrt(1.0 + slope * slope)
    turn = own.seen(np.where(across, sign, sign * slope * per_length), np.where(across, 0.0, sign * per_length))
    width, depth = objects.width[chosen], objects.depth[chosen]
    rows = face[solid]
    rows[:, column.LATERAL], rows[:, column.MATERIAL] = column.VEHICLE, objects.shape[chosen]
    rows[:, column.LENGTH], rows[:, column.STOP] = np.where(across, width, depth), 0.5 * np.where(across, depth, width)
    rows[:, column.START] = -rows[:, column.STOP]
    face[solid] = rows
    _aim(face, np.flatnonzero(solid), middle=own.middle(), turn=turn)


def _aim(
    face: NDArray[np.float64],
    chosen: NDArray[np.intp],
    *,
    middle: tuple[Column, Column],
    turn: tuple[Column, Column],
) -> None:
    rows = face[chosen]
    length = rows[:, column.LENGTH]
    rows[:, column.PLANE] = middle[1]
    rows[:, column.TURN_X], rows[:, column.TURN_Z] = turn
    rows[:, column.BASE_X], rows[:, column.BASE_Z] = (
        middle[0] - 0.5 * length * turn[0],
        middle[1] - 0.5 * length * turn[1],
    )
    face[chosen] = rows


def _follow(
    face: NDArray[np.float64], objects: Objects, seen: NDArray[np.intp], turn: Turn, place_m: float, t_s: float
) -> None:
    """Put vehicles that drive ahead of the camera on its own way, around the corner."""
    here, one = turn.pose(place_m), np.ones(1)
    for index in np.flatnonzero((objects.rides[seen] > 0.0) & (objects.shape[seen] >= 0.0)).tolist():
        k = seen[index]
        swing = float(objects.swing_m[k]) * sine_at(float(objects.swing_hz[k] * t_s + objects.phase[k]))
        there = turn.pose(place_m + float(objects.z[k]) + swing + 0.5 * float(objects.depth[k]))
        dx, dz = there.x - here.x, there.z - here.z
        aside, ahead = dx * here.cosine - dz * here.sine, dx * here.sine + dz * here.cosine
        way = there.sine * here.cosine - there.cosine * here.sine, there.sine * here.sine + there.cosine * here.cosine
        _aim(face, np.array([index]), middle=(aside * one, ahead * one), turn=(way[0] * one, way[1] * one))


def _switch_signals(face: NDArray[np.float64], objects: Objects, seen: NDArray[np.intp], t_s: float) -> None:
    """Let traffic lights show red, green or amber: 0, 1 or 2 from the top lamp on is `SWING`."""
    chosen = objects.face[seen] == column.SIGNALS
    turns = t_s / _SIGNAL_PERIOD_S + objects.phase[seen][chosen]
    turns = turns - np.floor(turns)
    face[chosen, column.SWING] = np.where(turns < 0.45, 0.0, np.where(turns < 0.9, 2.0, 1.0))


def _front_to_back(surfaces: NDArray[np.float64]) -> NDArray[np.int64]:
    from ._order_kernels import sort_front_to_back

    x, z = footprints(surfaces)
    before = z > column.NEAREST
    ratio = np.where(before, x / np.where(before, z, 1.0), np.where(x > 0.0, 1e9, -1e9))
    span = np.stack([ratio.min(axis=1), ratio.max(axis=1)], axis=1)
    count = len(surfaces)
    order = np.empty(count, np.int64)
    sort_front_to_back(x, z, span, np.zeros((count, count), np.bool_), np.zeros(count, np.int64), order)
    return order
