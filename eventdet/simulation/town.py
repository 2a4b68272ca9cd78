"""What a built-up street has beyond a plain one: solid vehicles, crossing roads, wires, bridges, bare trees."""

from ._columns import BRIDGE, CAR_SIDE, CRATE, HEDGE, LAMP, NOTHING, POST, RIDER, TREE, WALKER, WIRE
from ._solid_shapes import ESTATE, HATCHBACK, HEAVY, LORRY, SALOON, VAN
from .reproducible import Draws
from .traffic import CAR, PEDESTRIAN, Item, StreetPlan

__all__ = ["build_up", "place_crossings"]

_CARS = (HATCHBACK, HATCHBACK, SALOON, SALOON, ESTATE, VAN)
_HEAVY_M = 2.0
_ZEBRA_M = 2.6
_FAR_M = 1e9
_CLEAR_M = 3.0
_SPAN_M = 120.0


def place_crossings(plan: StreetPlan, draw: Draws) -> list[tuple[float, float]]:
    """Return the crossing roads (near edge, far edge) in metres along the road, where the camera slows down."""
    made: list[tuple[float, float]] = []
    for _, place_m in plan.stops:
        start = place_m + draw.uniform(7.0, 12.0)
        if draw.chance(0.75) and (not made or start > made[-1][1] + _SPAN_M):
            made.append((start, start + draw.uniform(6.5, 11.0)))
    return made


def build_up(
    items: list[Item],
    plan: StreetPlan,
    *,
    crossings: list[tuple[float, float]],
    lamp_spacing_m: float,
    draw: Draws,
) -> list[Item]:
    """Return the items of a plain street made into those of a built-up one, and more.

    Parameters
    ----------
    items : list of Item
        Of :func:`eventdet.simulation.traffic.populate`; they are changed.
    plan : StreetPlan
        The street and the drive.
    crossings : list of tuple of float
        Crossing roads, which are kept free.
    lamp_spacing_m : float
        Metres between street lamps.
    draw : Draws
        Source of every choice.

    Returns
    -------
    list of Item
        Those kept and the new ones.
    """
    kept = [item for item in items if _fits(item, crossings)]
    for item in kept:
        if item.class_id == CAR or (item.face == CRATE and item.height > _HEAVY_M):
            _make_solid(item, draw)
        elif item.face == TREE:
            item.tone = draw.uniform()
        elif item.face == WALKER:
            _vary_walker(item, draw)
        if item.speed_x != 0.0:
            _cross(item, crossings, draw)
    return [
        *kept,
        *_wires(plan, draw),
        *_bridges(plan, crossings, draw),
        *_riders(plan, crossings, draw),
        *_waiting(plan, crossings, draw),
        *_lamps(plan, lamp_spacing_m, crossings),
    ]


def _fits(item: Item, crossings: list[tuple[float, float]]) -> bool:
    stands = item.speed_x == 0.0 and item.speed_z == 0.0 and not item.rides
    edge = _CLEAR_M if item.face != HEDGE else 0.5
    return not stands or all(item.z + item.depth < a - edge or item.z > b + edge for a, b in crossings)


def _make_solid(item: Item, draw: Draws) -> None:
    if item.class_id == CAR:
        item.shape = draw.choice(_CARS)
        item.height *= {VAN: 1.22, ESTATE: 1.04}.get(int(item.shape), 1.0) if item.height < 1.6 else 1.0
    else:
        item.shape = draw.choice((HEAVY, LORRY))
    crosses = item.face in (CAR_SIDE, CRATE) and item.side == NOTHING
    if crosses:
        item.turn = 1.0 if item.speed_x > 0.0 else -1.0
        item.depth = 1.8 if item.class_id == CAR else 2.3
    item.face = item.side = NOTHING


def _cross(item: Item, crossings: list[tuple[float, float]], draw: Draws) -> None:
    # Cars cross on the lanes of the crossing road, people on its zebra, when the camera has one before it.
    middle = item.z
    start, stop = min(crossings, key=lambda road: abs(road[0] - middle), default=(-_FAR_M, -_FAR_M))
    if abs(start - middle) > 20.0:
        return
    if item.shape < 0.0:
        item.z = start - _ZEBRA_M + draw.uniform(-1.0, 1.0)
    else:
        lane = 0.27 if item.turn > 0.0 else 0.73
        item.z = start + lane * (stop - start) - 0.5 * item.depth


def _vary_walker(item: Item, draw: Draws) -> None:
    if draw.chance(0.12):
        item.height *= draw.uniform(0.6, 0.85)
    elif draw.chance(0.35):
        item.tone += 1.0


def _riders(plan: StreetPlan, crossings: list[tuple[float, float]], draw: Draws) -> list[Item]:
    made: list[Item] = []
    size = {"width": 1.9, "height": 1.75}
    for side, x in ((-1, plan.left_m + 0.6), (1, plan.right_m - 0.6)):
        z = draw.uniform(10.0, 60.0)
        while z < plan.travel_m + _SPAN_M and draw.chance(0.6):
            pace = side * draw.uniform(2.5, 6.5)
            look = {"albedo": draw.uniform(0.05, 0.7), "phase": draw.uniform()}
            made.append(Item(x=x, z=z, speed_z=pace, face=RIDER, **size, **look))
            z += draw.uniform(15.0, 60.0)
    for start, stop in crossings:
        if draw.chance(0.4):
            speed = draw.choice((-1.0, 1.0)) * draw.uniform(2.5, 6.0)
            meets_s = next((t for t, place in plan.stops if start - 20.0 < place < stop), 0.0) + draw.uniform(-3.0, 3.0)
            look = {"albedo": draw.uniform(0.05, 0.7), "tone": 1.0, "gait_hz": 1.2, "flip": float(speed < 0.0)}
            made.append(Item(x=-speed * meets_s, z=start + 1.0, speed_x=speed, face=RIDER, **size, **look))
    return made


def _waiting(plan: StreetPlan, crossings: list[tuple[float, float]], draw: Draws) -> list[Item]:
    made: list[Item] = []
    for start, _ in crossings:
        for side, kerb in ((-1, plan.left_m), (1, plan.right_m)):
            for _ in range(int(draw.uniform(0.0, 4.0))):
                x, z = kerb + side * draw.uniform(0.3, 2.0), start - _ZEBRA_M + draw.uniform(-1.5, 1.5)
                look = {"albedo": draw.octaves(0.05, 4.0), "tone": draw.uniform(0.0, 2.0), "flip": float(side > 0)}
                size = {"width": 1.5, "height": draw.uniform(1.2, 1.95)}
                made.append(Item(class_id=PEDESTRIAN, x=x, z=z, face=WALKER, phase=draw.uniform(), **size, **look))
    return made


def _lamps(plan: StreetPlan, spacing_m: float, crossings: list[tuple[float, float]]) -> list[Item]:
    made: list[Item] = []
    z = -0.5 * spacing_m
    while z < plan.travel_m + _SPAN_M:
        for side, kerb in ((-1, plan.left_m), (1, plan.right_m)):
            lamp = Item(x=kerb + side * 0.7, z=z, width=3.0, height=6.3, face=LAMP, flip=float(side > 0))
            if _fits(lamp, crossings):
                made.append(lamp)
        z += spacing_m
    return made


def _wires(plan: StreetPlan, draw: Draws) -> list[Item]:
    made: list[Item] = []
    for side, kerb in ((-1, plan.left_m), (1, plan.right_m)):
        if draw.chance(0.5):
            continue
        x, height, gap = kerb + side * draw.uniform(0.6, 2.0), draw.uniform(5.5, 8.5), draw.uniform(24.0, 40.0)
        z = -gap
        while z < plan.travel_m + _SPAN_M:
            made.append(Item(x=x, z=z, width=0.24, height=height, face=POST, albedo=0.12))
            line = {"width": 0.02, "height": height, "depth": gap, "tone": draw.uniform()}
            made.append(Item(x=x, z=z, face=NOTHING, side=WIRE, albedo=0.03, **line))
            z += gap
    return made


def _bridges(plan: StreetPlan, crossings: list[tuple[float, float]], draw: Draws) -> list[Item]:
    made: list[Item] = []
    if not draw.chance(0.3):
        return made
    z = draw.uniform(20.0, max(40.0, plan.travel_m))
    if any(a - 20.0 < z < b + 20.0 for a, b in crossings):
        return made
    middle, width = 0.5 * (plan.left_m + plan.right_m), plan.right_m - plan.left_m
    height, deep, albedo = draw.uniform(6.5, 8.5), draw.uniform(4.0, 9.0), draw.uniform(0.15, 0.4)
    for place, light in ((z, albedo), (z + deep, 0.25 * albedo)):
        made.append(Item(x=middle, z=place, width=width + 30.0, height=height, face=BRIDGE, albedo=light))
    for side in (-1, 1):
        x = middle + side * (0.5 * width + 4.5)
        made.append(Item(x=x, z=z, width=0.6, height=height - 2.0, depth=deep, face=CRATE, side=CRATE, albedo=albedo))
    return made
