"""Bicycles and motorbikes: they move like traffic and have no label, as in Gen1."""

from ._columns import MOTORBIKE, RIDER
from .reproducible import Draws
from .traffic import SPAN_M, Item, StreetPlan

__all__ = ["motorbikes", "riders"]


def riders(plan: StreetPlan, crossings: list[tuple[float, float]], draw: Draws) -> list[Item]:
    """Return cyclists along the kerbs, and some who cross.

    Parameters
    ----------
    plan : StreetPlan
        The street and the drive.
    crossings : list of tuple of float
        Crossing roads: near and far edge, metres along the street.
    draw : Draws
        Source of every choice.
    """
    made: list[Item] = []
    size = {"width": 1.9, "height": 1.75}
    for side, x in ((-1, plan.left_m + 0.6), (1, plan.right_m - 0.6)):
        z = draw.uniform(10.0, 60.0)
        while z < plan.travel_m + SPAN_M and draw.chance(0.6):
            pace = side * draw.uniform(2.5, 6.5)
            look = {"albedo": draw.uniform(0.05, 0.7), "phase": draw.uniform()}
            made.append(Item(x=x, z=z, speed_z=pace, face=RIDER, **size, **look))
            z += draw.uniform(15.0, 60.0)
    for start, stop in crossings:
        if draw.chance(0.4):
            speed = draw.choice((-1.0, 1.0)) * draw.uniform(2.5, 6.0)
            meets_s = _stop_s(plan, start, stop) + draw.uniform(-3.0, 3.0)
            look = {"albedo": draw.uniform(0.05, 0.7), "tone": 1.0, "gait_hz": 1.2, "flip": float(speed < 0.0)}
            made.append(Item(x=-speed * meets_s, z=start + 1.0, speed_x=speed, face=RIDER, **size, **look))
    return made


def motorbikes(plan: StreetPlan, crossings: list[tuple[float, float]], draw: Draws, *, leads: bool) -> list[Item]:
    """Return motorbikes parked in rows at the kerbs, oncoming, crossing and, where one may lead, before the camera.

    Parameters
    ----------
    plan : StreetPlan
        The street and the drive.
    crossings : list of tuple of float
        Crossing roads: near and far edge, metres along the street.
    draw : Draws
        Source of every choice.
    leads : bool
        Whether one may drive ahead of the camera, which needs a straight drive with nobody else there.
    """
    made = []
    for side, kerb in ((-1, plan.left_m), (1, plan.right_m)):
        z = draw.uniform(6.0, 40.0)
        while z < plan.travel_m + SPAN_M and draw.chance(0.6):
            x, tone = kerb + side * draw.uniform(0.2, 0.9), float(draw.chance(0.4))
            for k in range(1 + int(draw.uniform(0.0, 3.5))):
                at = z + k * (0.9 if tone < 1.0 else 2.3)
                made.append(_motorbike(draw, x=x, z=at, tone=tone, height=1.2, flip=float(draw.chance(0.5))))
            z += draw.uniform(20.0, 80.0)
    if draw.chance(0.45):
        speed = max(4.0, plan.speed_m_s * draw.uniform(0.9, 1.4))
        z = draw.uniform(10.0, 40.0) + draw.uniform(0.0, speed * plan.duration_s)
        made.append(_motorbike(draw, x=draw.uniform(-3.6, -2.4), z=z, speed_z=-speed, flip=1.0))
    if leads and draw.chance(0.25):
        near = draw.octaves(5.0, 1.6)
        motion = {"rides": 1.0, "swing_m": near * draw.uniform(0.1, 0.4), "swing_hz": draw.uniform(0.03, 0.2)}
        made.append(_motorbike(draw, x=draw.uniform(-0.8, 0.8), z=near * 1.3, **motion))
    for start, stop in crossings:
        if draw.chance(0.35):
            speed = draw.choice((-1.0, 1.0)) * draw.uniform(4.0, 11.0)
            lane = start + (0.27 if speed > 0.0 else 0.73) * (stop - start)
            meets_s = _stop_s(plan, start, stop) + draw.uniform(-3.0, 3.0)
            motion = {"speed_x": speed, "tone": 1.0, "flip": float(speed < 0.0)}
            made.append(_motorbike(draw, x=-speed * meets_s, z=lane, **motion))
    return made


def _motorbike(draw: Draws, *, x: float, z: float, tone: float = 0.0, height: float = 1.75, **motion: float) -> Item:
    look = {"albedo": draw.octaves(0.05, 4.0), "tone": tone + draw.uniform(0.0, 0.99), "phase": draw.uniform()}
    return Item(x=x, z=z, width=2.1 if tone >= 1.0 else 1.1, height=height, face=MOTORBIKE, **look, **motion)


def _stop_s(plan: StreetPlan, start: float, stop: float) -> float:
    """Return when the camera stops before a crossing road, 0 where it does not."""
    return next((t for t, place in plan.stops if start - 20.0 < place < stop), 0.0)
