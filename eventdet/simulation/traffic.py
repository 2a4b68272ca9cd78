"""What stands and moves in a street: a table of objects whose place at any time is a formula.

Each object is a box or, with no depth, a flat figure that faces the camera. Positions are metres: x to the right of
the middle of the own lane, z along the road. An object that *rides* keeps its distance to the camera but for a slow
swing, as the car in front does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ._columns import CAR_END, CAR_SIDE, CRATE, FACADE, HEDGE, NOTHING, POST, SIGN, TREE, WALKER
from .reproducible import Draws

__all__ = ["CAR", "PEDESTRIAN", "SPAN_M", "UNLABELLED", "Item", "Objects", "StreetPlan", "populate"]

UNLABELLED, CAR, PEDESTRIAN = -1, 0, 1
SPAN_M = 120.0
"""How far beyond the end of a drive its street is built up."""

_BEHIND_M, _AHEAD_M = -12.0, 130.0
_LANE_M = 3.4


@dataclass(slots=True, kw_only=True)
class Item:
    """One object as it is made; the columns of `Objects` explain the fields."""

    class_id: float = UNLABELLED
    x: float
    z: float
    speed_x: float = 0.0
    speed_z: float = 0.0
    rides: float = 0.0
    swing_m: float = 0.0
    swing_hz: float = 0.0
    phase: float = 0.0
    gait_hz: float = 0.0
    width: float
    height: float
    depth: float = 0.0
    face: float
    side: float = NOTHING
    albedo: float = 0.3
    tone: float = 0.0
    seed: float = 0.0
    flip: float = 0.0
    shape: float = -1.0
    turn: float = 0.0
    leg: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """Every object of a scene, one entry a column; object k of the scene has the identity k + 1."""

    class_id: NDArray[np.float64]
    """0 car, 1 pedestrian, -1 without label."""

    x: NDArray[np.float64]
    """Metres: middle, at time 0."""

    z: NDArray[np.float64]
    """Metres: near end at time 0, or distance to the camera for one that rides."""

    speed_x: NDArray[np.float64]
    """Metres per second to the right."""

    speed_z: NDArray[np.float64]
    """Metres per second along the road."""

    rides: NDArray[np.float64]
    """1 for an object that keeps its distance to the camera."""

    swing_m: NDArray[np.float64]
    """Metres by which that distance swings."""

    swing_hz: NDArray[np.float64]
    """Frequency of that swing."""

    phase: NDArray[np.float64]
    """Phase of swing and gait in turns."""

    gait_hz: NDArray[np.float64]
    """Double steps per second of a walker."""

    width: NDArray[np.float64]
    """Metres across."""

    height: NDArray[np.float64]
    """Metres."""

    depth: NDArray[np.float64]
    """Metres along the road; 0 for a flat figure."""

    face: NDArray[np.float64]
    """Material of the face towards the camera."""

    side: NDArray[np.float64]
    """Material of the side towards the road."""

    albedo: NDArray[np.float64]
    """Linear light it reflects."""

    tone: NDArray[np.float64]
    """Second free number of the materials, in [0, 1)."""

    seed: NDArray[np.float64]
    """Texture offset."""

    flip: NDArray[np.float64]
    """1: mirrored, or seen from its front."""

    shape: NDArray[np.float64]
    """Number of a vehicle's solid shape, -1 for anything made of upright planes."""

    turn: NDArray[np.float64]
    """A vehicle's way: 0 along the road, 1 to the right, -1 to the left."""

    leg: NDArray[np.float64]
    """The street it is in: 0 the first, 1 the one that the camera turns into."""

    @classmethod
    def of(cls, items: Sequence[Item]) -> "Objects":
        """Return the table of objects, one row for each item."""
        return cls(*(np.array([float(getattr(item, field.name)) for item in items]) for field in fields(cls)))

    def __len__(self) -> int:
        """Return the number of objects."""
        return len(self.x)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetPlan:
    """What the traffic needs to know about the street and the drive."""

    left_m: float
    """Left kerb, negative."""

    right_m: float
    """Right kerb."""

    travel_m: float
    """How far the camera drives."""

    duration_s: float
    """How long."""

    speed_m_s: float
    """Mean speed of the camera."""

    stops: tuple[tuple[float, float], ...]
    """(time in s, place in m) where the camera is slowest: others cross there."""


def populate(plan: StreetPlan, draw: Draws) -> list[Item]:
    """Return what stands and moves in a street.

    Parameters
    ----------
    plan : StreetPlan
        The street and the drive.
    draw : Draws
        Source of every choice.

    Returns
    -------
    list of Item
        Houses, greenery, street furniture, parked and moving cars, walkers and unlabelled vehicles.
    """
    made = [*_houses(plan, draw), *_furniture(plan, draw)]
    # Some roads are empty, as in Gen1: a detector must also learn to say nothing.
    if draw.chance(0.85):
        made += [*_parked(plan, draw), *_flowing(plan, draw), *_crossing_cars(plan, draw)]
    if draw.chance(0.75):
        made += [*_strollers(plan, draw), *_crossing_walkers(plan, draw)]
    for item in made:
        item.seed = 256.0 * draw.uniform()
    return made


def _houses(plan: StreetPlan, draw: Draws) -> list[Item]:
    made = []
    density = draw.uniform(0.2, 0.95)
    for side in (-1, 1):
        kerb = plan.right_m if side > 0 else -plan.left_m
        z = _BEHIND_M
        while z < plan.travel_m + _AHEAD_M:
            depth = draw.uniform(8.0, 24.0)
            if draw.chance(density):
                wall = kerb + draw.uniform(3.0, 6.0)
                size = {"width": 12.0, "height": draw.uniform(4.0, 15.0), "depth": depth}
                look = {"albedo": draw.uniform(0.12, 0.6), "tone": draw.uniform()}
                made.append(Item(x=side * (wall + 6.0), z=z, face=FACADE, side=FACADE, **size, **look))
            elif draw.chance(0.7):
                size = {"width": 0.5, "height": draw.uniform(0.8, 2.0), "depth": depth}
                look = {"albedo": draw.uniform(0.15, 0.6), "tone": draw.uniform()}
                made.append(Item(x=side * (kerb + 3.2), z=z, face=HEDGE, side=HEDGE, **size, **look))
            z += depth + (draw.uniform(1.0, 10.0) if draw.chance(0.4) else 0.0)
    return made


def _furniture(plan: StreetPlan, draw: Draws) -> list[Item]:
    made = []
    spacing = draw.uniform(5.0, 16.0)
    for side in (-1, 1):
        kerb = plan.right_m if side > 0 else -plan.left_m
        z = _BEHIND_M
        while z < plan.travel_m + _AHEAD_M:
            z += spacing * draw.uniform(0.4, 1.6)
            x = side * (kerb + draw.uniform(0.4, 1.2))
            kind = draw.uniform()
            albedo = draw.uniform(0.05, 0.5)
            if kind < 0.4:
                width = draw.uniform(2.5, 5.0)
                made.append(Item(x=x, z=z, width=width, height=draw.uniform(4.0, 8.0), face=TREE, albedo=albedo))
            elif kind < 0.65:
                width, height = draw.uniform(0.1, 0.22), draw.uniform(0.9, 7.0)
                made.append(Item(x=x, z=z, width=width, height=height, face=POST, albedo=albedo))
            elif kind < 0.85:
                size = {"width": draw.uniform(0.5, 0.9), "height": draw.uniform(2.4, 3.2)}
                made.append(Item(x=x, z=z, face=SIGN, albedo=draw.uniform(0.4, 0.9), tone=draw.uniform(), **size))
            else:
                size = {"width": draw.uniform(0.5, 1.0), "height": draw.uniform(0.8, 1.4), "depth": 0.7}
                made.append(Item(x=x, z=z, face=CRATE, side=CRATE, albedo=albedo, tone=draw.uniform(), **size))
    return made


def _vehicle(draw: Draws, *, x: float, z: float, oncoming: float = 0.0, **motion: float) -> Item:
    # One in nine is a lorry or a bus: not labelled, as in Gen1.
    albedo = draw.choice((0.04, 0.06, 0.1, 0.18, 0.3, 0.5, 0.7, 0.85)) * draw.uniform(0.85, 1.15)
    tone, flip = draw.uniform(), oncoming
    if draw.chance(0.11):
        size = {"width": 2.3, "height": draw.uniform(2.5, 3.4), "depth": draw.uniform(5.0, 10.0)}
        return Item(x=x, z=z, face=CRATE, side=CRATE, albedo=albedo, tone=tone, flip=flip, **size, **motion)
    tall = 1.75 if tone >= 0.67 else 1.45
    size = {"width": draw.uniform(1.65, 1.9), "height": tall * draw.uniform(0.94, 1.1), "depth": draw.uniform(3.7, 4.9)}
    look = {"albedo": albedo, "tone": tone, "flip": flip}
    return Item(class_id=CAR, x=x, z=z, face=CAR_END, side=CAR_SIDE, **size, **look, **motion)


def _parked(plan: StreetPlan, draw: Draws) -> list[Item]:
    made = []
    for side, kerb in ((-1, plan.left_m), (1, plan.right_m)):
        if abs(kerb) < (2.0 if side > 0 else 5.6) + 1.5 or draw.chance(0.3):
            continue
        gap = draw.octaves(1.5, 5.0)
        z = _BEHIND_M
        while z < plan.travel_m + _AHEAD_M:
            z += 5.6 + gap * draw.uniform(0.0, 2.0)
            made.append(_vehicle(draw, x=kerb - side * 1.1, z=z, oncoming=float(side < 0)))
    return made


def _flowing(plan: StreetPlan, draw: Draws) -> list[Item]:
    made = []
    if draw.chance(0.75):
        speed = max(4.0, plan.speed_m_s * draw.uniform(0.7, 1.2))
        gap = draw.octaves(9.0, 3.2)
        z = draw.uniform(8.0, 30.0)
        while z < plan.travel_m + speed * plan.duration_s + _AHEAD_M:
            made.append(_vehicle(draw, x=-_LANE_M, z=z, oncoming=1.0, speed_z=-speed))
            z += 6.0 + gap * draw.uniform(0.3, 2.0)
    if draw.chance(0.6):
        near = draw.octaves(5.0, 1.6)
        motion = {"rides": 1.0, "swing_m": near * draw.uniform(0.1, 0.45), "swing_hz": draw.uniform(0.03, 0.2)}
        made.append(_vehicle(draw, x=draw.uniform(-0.4, 0.4), z=near * 1.3, phase=draw.uniform(), **motion))
    return made


def _walker(draw: Draws, *, x: float, z: float, **motion: float) -> Item:
    size = {"width": 1.5, "height": draw.uniform(1.5, 1.95)}
    look = {"albedo": draw.octaves(0.05, 4.0), "tone": draw.uniform(), "phase": draw.uniform()}
    flip = float(motion.get("speed_x", draw.uniform(-1.0, 1.0)) < 0)
    return Item(class_id=PEDESTRIAN, x=x, z=z, face=WALKER, flip=flip, **size, **look, **motion)


def _strollers(plan: StreetPlan, draw: Draws) -> list[Item]:
    made = []
    gap = draw.octaves(3.5, 3.5)
    for side, kerb in ((-1, plan.left_m), (1, plan.right_m)):
        z = draw.uniform(3.0, 15.0)
        while z < plan.travel_m + _AHEAD_M:
            pace = 0.0 if draw.chance(0.2) else draw.choice((-1.0, 1.0)) * draw.uniform(0.8, 1.7)
            x = kerb + side * draw.uniform(0.3, 1.8)
            made.append(_walker(draw, x=x, z=z, speed_z=pace, gait_hz=0.65 * abs(pace)))
            if draw.chance(0.25):
                beside = x + side * draw.uniform(0.5, 0.8)
                made.append(_walker(draw, x=beside, z=z + 0.3, speed_z=pace, gait_hz=0.65 * abs(pace)))
            z += gap * draw.uniform(0.4, 2.0)
    return made


def _crossing_walkers(plan: StreetPlan, draw: Draws) -> list[Item]:
    made = []
    for time_s, place_m in plan.stops:
        for _ in range(int(draw.uniform(0.0, 6.0))):
            speed = draw.choice((-1.0, 1.0)) * draw.uniform(0.8, 2.6)
            meets_s = time_s + draw.uniform(-3.0, 3.0)
            z = place_m + draw.uniform(5.0, 12.0)
            x = draw.uniform(-1.0, 1.0) - speed * meets_s
            made.append(_walker(draw, x=x, z=z, speed_x=speed, gait_hz=0.65 * abs(speed)))
    return made


def _crossing_cars(plan: StreetPlan, draw: Draws) -> list[Item]:
    made = []
    for time_s, place_m in plan.stops:
        for _ in range(int(draw.uniform(0.0, 4.0))):
            speed = draw.choice((-1.0, 1.0)) * draw.uniform(3.0, 12.0)
            car = _vehicle(draw, x=-speed * (time_s + draw.uniform(-3.0, 3.0)), z=place_m + draw.uniform(7.0, 20.0))
            # Seen from its side, a crossing car is its flank and as wide as it is long.
            car.width, car.depth, car.speed_x, car.flip = car.depth, 0.0, speed, float(speed < 0)
            car.face, car.side = (CAR_SIDE if car.class_id == CAR else CRATE), NOTHING
            made.append(car)
    return made
