"""What a built-up street has beyond a plain one: solid vehicles, crossing roads, wires, bridges, bare trees."""

from dataclasses import dataclass, field, replace

import numpy as np

from ._columns import (
    BRIDGE,
    CAR_SIDE,
    COVER_ASIDE_M,
    COVER_TOP_M,
    CRATE,
    CROWN,
    FACADE,
    HEDGE,
    HOUSE,
    LAMP,
    NOTHING,
    PERSON,
    POST,
    SIGNALS,
    TREE,
    WALKER,
    WALL,
    WIRE,
)
from ._solid_shapes import ESTATE, HATCHBACK, HEAVY, LORRY, SALOON, VAN
from .drive import Drive
from .presets import ScenePreset
from .reproducible import Draws
from .route import Turn, draw_turn
from .traffic import CAR, PEDESTRIAN, SPAN_M, Item, StreetPlan, populate
from .two_wheelers import motorbikes, riders

__all__ = ["Town", "build_town"]

_CARS = (HATCHBACK, HATCHBACK, SALOON, SALOON, ESTATE, VAN)
_HEAVY_M = 2.0
_ZEBRA_M = 2.6
_FAR_M = 1e9
_CLEAR_M = 3.0
LEAFY = 0.55
"""A tree of a higher tone has no leaves."""
_BACK_M = 58.0
"""So far behind the corner a side street is seen."""
_CORNER_M = 20.0
"""So far from its kerb a street's own houses reach."""
_WALL_M = 8.0
_ONCOMING_M_S = 8.5
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Town:
    """What stands and moves in the streets around a drive, and how they lie."""

    items: list[Item]
    """Everything."""

    crossings: list[tuple[float, float]] = field(default_factory=list)
    """Crossing roads: near and far edge, metres along the street."""

    cover: tuple[float, float] = (0.0, 0.0)
    """Where a bridge or a tunnel covers the street; equal where none does."""

    turn: Turn | None = None
    """Where the drive leaves the street."""


def build_town(
    items: list[Item], plan: StreetPlan, drive: Drive, *, kind: ScenePreset, lamp_spacing_m: float, seed: int
) -> Town:
    """Return a built-up street, with the one that the drive turns into.

    Parameters
    ----------
    items : list of Item
        Of :func:`eventdet.simulation.traffic.populate`; they are changed.
    plan : StreetPlan
        The street and the drive.
    drive : Drive
        The drive straight on.
    kind : ScenePreset
        How many people and vehicles there are.
    lamp_spacing_m : float
        Metres between street lamps.
    seed : int
        Chooses everything.
    """
    draw, ways = Draws(seed, "town"), Draws(seed, "ways")
    crossings = _place_crossings(plan, draw)
    speeds = drive.speed_m_s, drive.speed_m_s * (1.0 - drive.depth)
    kerbs = plan.left_m, plan.right_m
    turn = draw_turn(crossings, kerbs=kerbs, travel_m=plan.travel_m, speeds=speeds, draw=ways)
    cover = _place_cover(plan, crossings, turn, ways)
    made = _build_up(items, plan, crossings=crossings, lamp_spacing_m=lamp_spacing_m, draw=draw)
    covered = [cover] if cover[1] > cover[0] else []
    free = turn is None and not any(item.rides for item in made)
    bikes = motorbikes(plan, crossings, Draws(seed, "motorbikes"), leads=free)
    made = [item for item in made if _fits(item, covered)]
    made += [item for item in bikes if _fits(item, crossings + covered)]
    made += [*_cover(plan, cover, ways), *_signals(plan, crossings, ways)]
    if turn is None:
        made += _side_blocks(plan, crossings, ways)
    else:
        made = [item for item in made if item.z < turn.lane_m + SPAN_M]
        made += _side_street(plan, turn, lamp_spacing_m, seed)
        drive = drive.with_turn(turn)
    kept = _thinned(_out_of_the_way(made, plan, drive), kind, Draws(seed, "crowds"))
    return Town(kept, crossings, cover, turn)


def _thinned(items: list[Item], kind: ScenePreset, draw: Draws) -> list[Item]:
    people, vehicles = draw.uniform(*kind.people), draw.uniform(*kind.vehicles)
    made = []
    for item in items:
        share = people if item.class_id == PEDESTRIAN else vehicles if item.shape >= 0.0 else 1.0
        if draw.chance(share):
            made.append(item)
    return made


def _place_crossings(plan: StreetPlan, draw: Draws) -> list[tuple[float, float]]:
    """Return the crossing roads (near edge, far edge) in metres along the road, where the camera slows down."""
    made: list[tuple[float, float]] = []
    for _, place_m in plan.stops:
        start = place_m + draw.uniform(7.0, 12.0)
        if draw.chance(0.75) and (not made or start > made[-1][1] + SPAN_M):
            made.append((start, start + plan.right_m - plan.left_m))
    return made


def _build_up(
    items: list[Item],
    plan: StreetPlan,
    *,
    crossings: list[tuple[float, float]],
    lamp_spacing_m: float,
    draw: Draws,
) -> list[Item]:
    """Return the items of a plain street made into those of a built-up one, and more."""
    kept = [item for item in items if _fits(item, crossings)]
    for item in kept:
        if item.class_id == CAR or (item.face == CRATE and item.height > _HEAVY_M):
            _make_solid(item, draw)
        elif item.face == TREE:
            item.tone = draw.uniform()
            item.face = TREE if item.tone > LEAFY else CROWN
        elif item.face == FACADE:
            item.face = item.side = HOUSE
        elif item.face == WALKER:
            item.face = PERSON
            _vary_walker(item, draw)
        if item.speed_x != 0.0:
            _cross(item, crossings, draw)
        elif item.shape >= 0.0 and item.speed_z != 0.0:
            _keep_pace(item)
    return [
        *kept,
        *_wires(plan, draw),
        *riders(plan, crossings, draw),
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


def _keep_pace(item: Item) -> None:
    # Who comes towards the camera does not slow down with it; gaps grow with the speed, so that they last as long.
    faster = max(1.0, _ONCOMING_M_S / abs(item.speed_z))
    item.speed_z *= faster
    item.z *= faster


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


def _waiting(plan: StreetPlan, crossings: list[tuple[float, float]], draw: Draws) -> list[Item]:
    made: list[Item] = []
    for start, _ in crossings:
        for side, kerb in ((-1, plan.left_m), (1, plan.right_m)):
            for _ in range(int(draw.uniform(0.0, 4.0))):
                x, z = kerb + side * draw.uniform(0.3, 2.0), start - _ZEBRA_M + draw.uniform(-1.5, 1.5)
                look = {"albedo": draw.octaves(0.05, 4.0), "tone": draw.uniform(0.0, 2.0), "flip": float(side > 0)}
                size = {"width": 1.5, "height": draw.uniform(1.2, 1.95)}
                made.append(Item(class_id=PEDESTRIAN, x=x, z=z, face=PERSON, phase=draw.uniform(), **size, **look))
    return made


def _lamps(plan: StreetPlan, spacing_m: float, crossings: list[tuple[float, float]]) -> list[Item]:
    made: list[Item] = []
    z = -0.5 * spacing_m
    while z < plan.travel_m + SPAN_M:
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
        while z < plan.travel_m + SPAN_M:
            made.append(Item(x=x, z=z, width=0.24, height=height, face=POST, albedo=0.12))
            line = {"width": 0.02, "height": height, "depth": gap, "tone": draw.uniform()}
            made.append(Item(x=x, z=z, face=NOTHING, side=WIRE, albedo=0.03, **line))
            z += gap
    return made


def _place_cover(
    plan: StreetPlan, crossings: list[tuple[float, float]], turn: Turn | None, draw: Draws
) -> tuple[float, float]:
    """Return where a bridge or a tunnel covers the street, away from every crossing road."""
    kind, place = draw.uniform(), draw.uniform()
    last = plan.travel_m if turn is None else turn.start_m
    start = 18.0 + place * max(15.0, last - 25.0)
    length = draw.uniform(5.0, 10.0) if kind < 0.2 else draw.uniform(35.0, 70.0)
    if kind > 0.35 or any(a - length - 25.0 < start < b + 20.0 for a, b in crossings):
        return 0.0, 0.0
    return start, start + length


def _cover(plan: StreetPlan, cover: tuple[float, float], draw: Draws) -> list[Item]:
    start, stop = cover
    if stop <= start:
        return []
    middle, width = 0.5 * (plan.left_m + plan.right_m), plan.right_m - plan.left_m
    look = {"height": draw.uniform(6.5, 8.5), "albedo": draw.uniform(0.15, 0.4), "seed": 256.0 * draw.uniform()}
    made = [Item(x=middle, z=z, width=width + 30.0, face=BRIDGE, **look) for z in (start, stop)]
    pieces = max(1, round((stop - start) / _WALL_M))
    deep = (stop - start) / pieces
    wall = {"width": 0.6, "height": COVER_TOP_M, "depth": deep, "albedo": look["albedo"], "seed": look["seed"]}
    for side in (-1, 1):
        x = middle + side * (0.5 * width + COVER_ASIDE_M + 0.3)
        made += [Item(x=x, z=start + k * deep, face=NOTHING, side=WALL, **wall) for k in range(pieces)]
    return made


def _signals(plan: StreetPlan, crossings: list[tuple[float, float]], draw: Draws) -> list[Item]:
    made: list[Item] = []
    for start, stop in crossings:
        if not draw.chance(0.6):
            continue
        phase = draw.uniform()
        for x, z in (
            (plan.right_m + 0.5, start - 4.8),
            (plan.left_m - 0.5, start - 4.8),
            (plan.right_m + 0.5, stop + 0.8),
        ):
            made.append(Item(x=x, z=z, width=0.5, height=3.3, face=SIGNALS, phase=phase, albedo=0.05))
    return made


def _side_blocks(plan: StreetPlan, crossings: list[tuple[float, float]], draw: Draws) -> list[Item]:
    """Return houses and trees along the roads that cross."""
    made: list[Item] = []
    for start, stop in crossings:
        for side, kerb in ((-1, -plan.left_m), (1, plan.right_m)):
            x = kerb + _CORNER_M
            while x < kerb + 75.0:
                width = draw.uniform(9.0, 20.0)
                size = {"width": width, "height": draw.uniform(4.0, 13.0), "depth": 10.0}
                look = {"albedo": draw.uniform(0.12, 0.6), "tone": draw.uniform(), "seed": 256.0 * draw.uniform()}
                z = stop + draw.uniform(3.5, 6.0) if draw.chance(0.6) else start - 14.0
                made.append(Item(x=side * (x + 0.5 * width), z=z, face=HOUSE, side=HOUSE, **size, **look))
                x += width + (draw.uniform(2.0, 9.0) if draw.chance(0.4) else 0.0)
    return made


def _side_street(plan: StreetPlan, turn: Turn, lamp_spacing_m: float, seed: int) -> list[Item]:
    """Return the street that the drive turns into, beyond the corners of the first one."""
    length = max(0.0, plan.travel_m - turn.stop_m) + turn.radius_m
    stops = tuple((t, place - turn.way(0.0) + _BACK_M) for t, place in plan.stops if place > turn.stop_m + 20.0)
    own = replace(plan, travel_m=length + _BACK_M, stops=stops)
    draw = Draws(seed, "side street")
    items = _build_up(populate(own, draw), own, crossings=[], lamp_spacing_m=lamp_spacing_m, draw=draw)
    edges = sorted((turn.side * plan.left_m, turn.side * plan.right_m))
    made = []
    for item in items:
        # The lamps of a street stand where its light falls, half a spacing after every whole one.
        item.z -= _BACK_M if item.face != LAMP else 0.0
        item.leg = 1.0
        free = _CORNER_M if item.face in (HOUSE, HEDGE) or item.side == WIRE else _CLEAR_M + 3.0
        if not item.rides and _fits(item, [(edges[0] - free, edges[1] + free)]):
            made.append(item)
    return made


def _out_of_the_way(items: list[Item], plan: StreetPlan, drive: Drive) -> list[Item]:
    """Return the items without those that would drive or walk through the camera."""
    moving = [item for item in items if (item.speed_x or item.speed_z) and not item.rides]
    x, z, speed_x, speed_z, leg, room = (
        np.array([float(getattr(item, name)) for item in moving])
        for name in ("x", "z", "speed_x", "speed_z", "leg", "class_id")
    )
    depth = np.array([item.depth for item in moving])
    room = np.where(room == PEDESTRIAN, 1.2, np.where(depth > 0.0, 0.5 * depth + 1.0, 1.5))
    hit = np.zeros(len(moving), np.bool_)
    for number in range(int(plan.duration_s / _LOOK_S) + 1 if moving else 0):
        t_s = number * _LOOK_S
        poses = np.array(drive.poses(t_s, 0.0))[leg.astype(np.intp)]
        dx, dz = x + speed_x * t_s - poses[:, 0], z + speed_z * t_s + 0.5 * depth - poses[:, 1]
        # Cars of one street pass each other in their lanes: what counts across it is their width.
        across = np.where(speed_x == 0.0, np.minimum(room, 2.0), room)
        hit |= (np.abs(dx) < across) & (np.abs(dz) < room + 1.0)
    through = {id(item) for item, is_hit in zip(moving, hit, strict=True) if is_hit}
    return [item for item in items if id(item) not in through]
