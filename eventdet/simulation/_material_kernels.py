"""What each kind of surface looks like: coverage and light at one point, in linear light.

A material gets the point in metres (`u` along the surface, `v` above the ground), the pixels per metre there (`pu`,
`pv`) and the row of the surface. Every edge is a ramp one pixel wide: the pixel's own box filter for a straight edge,
so that moving edges give smooth light and not steps. The renderer cuts the two ends and the foot of a surface.

Materials are inlined into the renderer, which halves its time: a call passes both arrays and counts their references.
So the renderer's cache holds them too and does not see a change of this file: touch `_render_kernels` then.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    ALBEDO,
    CAR_END,
    CAR_SIDE,
    CRATE,
    FACADE,
    FLIP,
    HEDGE,
    HEIGHT,
    LENGTH,
    SEED,
    SIGN,
    SWING,
    TILE_MASK,
    TONE,
    TREE,
    WALKER,
)

FIGURE_PIXELS = 14.0
"""A walker of fewer pixels is one upright stroke: limbs would be thinner than half a pixel."""


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
def _box(du: float, dv: float, pu: float, pv: float) -> float:
    """Return the coverage of a rectangle, from the distances to its nearest sides in metres."""
    return ramp(du * pu) * ramp(dv * pv)


@njit(cache=True, nogil=True, error_model="numpy")
def _capsule(u: float, v: float, x0: float, y0: float, x1: float, y1: float, radius: float, p: float) -> float:
    """Return the coverage of a thick line with round ends, in metres."""
    dx = x1 - x0
    dy = y1 - y0
    along = ((u - x0) * dx + (v - y0) * dy) / (dx * dx + dy * dy + 1e-9)
    along = min(1.0, max(0.0, along))
    ex = u - x0 - along * dx
    ey = v - y0 - along * dy
    return ramp((radius - math.sqrt(ex * ex + ey * ey)) * p)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _facade(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return a house front: storeys of windows, each with its own light, over a darker ground floor."""
    seed = row[SEED]
    pitch = 2.2 + 1.6 * row[TONE]
    storey = 2.9
    cell_u = math.floor(u / pitch)
    cell_v = math.floor(v / storey)
    in_u = u - cell_u * pitch
    in_v = v - cell_v * storey
    margin = 0.25 * pitch
    pane = _box(min(in_u - margin, pitch - margin - in_u), min(in_v - 0.8, 2.4 - in_v), pu, pv)
    pane *= contrast(0.5 * pitch * pu)
    wall = row[ALBEDO] * (1.0 + 0.3 * contrast(1.1 * pu) * (noise(tile, u * 0.9 + seed, v * 0.9) - 0.5))
    fine = contrast(pu / 6.0)
    if fine > 0.0:
        wall *= 1.0 + 0.3 * fine * (noise(tile, u * 6.0, v * 6.0 + seed) - 0.5)
    if cell_v < 1.0:
        wall *= 0.7
    if pane > 0.0:
        glass = tile[int(cell_v + seed) & TILE_MASK, int(cell_u * 3 + seed) & TILE_MASK]
        wall += pane * (row[ALBEDO] * (0.1 + 1.1 * glass * glass) - wall)
    return ramp((row[HEIGHT] - v) * pv), wall


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _tree(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return a tree: a trunk and a crown of leaves with holes, ragged at its rim."""
    seed = row[SEED]
    half = 0.5 * row[LENGTH]
    height = row[HEIGHT]
    trunk = _box(0.14 - abs(u - half), 0.6 * height - v, pu, pv)
    x = (u - half) / half
    y = (v - 0.68 * height) / (0.32 * height)
    rim = x * x + y * y
    leaves = 0.0
    light = 0.05
    if rim < 1.6:
        coarse = noise(tile, u * 1.3 + seed, v * 1.3)
        fade = contrast(pu / 4.5)
        detail = noise(tile, u * 4.5, v * 4.5 + seed) if fade > 0.0 else 0.5
        mass = 0.55 * coarse + 0.45 * (0.5 + fade * (detail - 0.5))
        leaves = min(1.0, max(0.0, (mass - 0.1 - 0.55 * rim * rim) * 7.0 + 0.5))
        light = row[ALBEDO] * (0.25 + 1.2 * mass * mass + 0.3 * y)
        light = max(0.02, light)
    return max(trunk, leaves), leaves * light + (1.0 - leaves) * 0.06


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _post(u: float, v: float, pu: float, pv: float, row: NDArray[np.float64]) -> tuple[float, float]:
    """Return a lamp post or bollard: a plain upright with a shaded side."""
    length = row[LENGTH]
    return ramp((row[HEIGHT] - v) * pv), row[ALBEDO] * (0.6 + 0.8 * u / length)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _sign(u: float, v: float, pu: float, pv: float, row: NDArray[np.float64]) -> tuple[float, float]:
    """Return a road sign: a thin post and a plate with a dark bar."""
    half = 0.5 * row[LENGTH]
    bottom = row[HEIGHT] - row[LENGTH]
    middle = bottom + half
    post = _box(0.03 - abs(u - half), bottom - v, pu, pv)
    round_plate = row[TONE] > 0.5
    if round_plate:
        distance = math.sqrt((u - half) * (u - half) + (v - middle) * (v - middle))
        plate = ramp((0.95 * half - distance) * pu)
        border = ramp((0.78 * half - distance) * pu)
    else:
        reach = max(abs(u - half), abs(v - middle))
        plate = ramp((0.95 * half - reach) * pu)
        border = ramp((0.8 * half - reach) * pu)
    bar = border * _box(0.55 * half - abs(u - half), 0.16 * half - abs(v - middle), pu, pv)
    light = 0.25 + border * (row[ALBEDO] - 0.25)
    light += bar * (0.05 - light)
    return max(post, plate), plate * light + (1.0 - plate) * 0.2


@njit(cache=True, nogil=True, error_model="numpy")
def _roof_line(p: float, shape: float) -> float:
    """Return the height of a car's outline at `p` (0 tail, 1 nose), as a share of its height."""
    if shape < 0.34:  # hatchback
        tail, rear, glass = 0.62, 0.10, 0.55
    elif shape < 0.67:  # saloon
        tail, rear, glass = 0.66, 0.30, 0.55
    else:  # van
        tail, rear, glass = 0.80, 0.05, 0.64
    if p < rear:
        # A saloon's boot is level for a while; the others rise at once.
        knee = 0.16 if rear > 0.2 else 0.0
        return tail if p < knee else tail + (1.0 - tail) * (p - knee) / (rear - knee)
    if p < glass:
        return 1.0
    if p < glass + 0.18:
        return 1.0 - 0.35 * (p - glass) / 0.18
    return 0.65 - 0.16 * (p - glass - 0.18) / (0.82 - glass)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _car_side(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return the flank of a car: outline, side windows, doors, sills, two wheels, and reflections on the paint."""
    length = row[LENGTH]
    height = row[HEIGHT]
    if row[FLIP] > 0.5:
        u = length - u
    p = u / length
    shape = row[TONE]
    p_min = min(pu, pv)
    roof = _roof_line(min(1.0, max(0.0, p)), shape) * height
    body = ramp((roof - v) * p_min) * ramp((v - 0.22) * pv)
    reflection = noise(tile, u * 0.8 + row[SWING], v * 3.0 + row[SEED]) - 0.5
    light = row[ALBEDO] * (0.72 + 0.4 * v / height) * (1.0 + 0.7 * reflection)
    light += 0.05 * (1.0 + reflection)
    first = 0.08 if shape >= 0.67 or shape < 0.34 else 0.2
    pane = min(u - first * length, 0.68 * length - u)
    pillar = abs(p - 0.42) * length - 0.05
    glass = ramp(min(pane, pillar) * pu) * ramp(min(v - 0.64 * height, roof - 0.07 - v) * p_min)
    light += glass * (0.04 + 0.16 * max(0.0, reflection + 0.3) - light)
    seam = ramp((0.025 - min(abs(p - 0.42), abs(p - 0.66)) * length) * pu) * ramp((0.62 * height - v) * pv)
    light *= 1.0 - 0.6 * seam * min(1.0, 0.05 * pu)
    light += ramp((0.36 - v) * pv) * (0.04 - light)
    lamp = ramp((v - 0.42 * height) * pv) * ramp((0.54 * height - v) * pv)
    light += lamp * ramp((p - 0.955) * length * pu) * (1.2 - light)
    light += lamp * ramp((0.035 - p) * length * pu) * (0.3 - light)
    near = u - 0.19 * length if p < 0.5 else u - 0.81 * length
    distance = math.sqrt(near * near + (v - 0.31) * (v - 0.31))
    wheel = ramp((0.32 - distance) * p_min)
    rim = ramp((0.19 - distance) * p_min)
    light += ramp((0.38 - distance) * p_min) * (0.015 - light)
    light += rim * (0.12 + 0.5 * row[ALBEDO] - light)
    return max(body, wheel), light


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _car_end(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return the nose or tail of a car: body, narrower cabin with its window, lamps, plate, bumper, tyres."""
    width = row[LENGTH]
    height = row[HEIGHT]
    half = 0.5 * width
    c = abs(u - half)
    belt = 0.6 * height
    rise = min(1.0, max(0.0, (v - belt) / (height - belt)))
    edge = half * (1.0 - 0.06 * ramp((v - belt) * 4.0) - 0.26 * rise)
    body = ramp((edge - c) * pu) * ramp((height - 0.12 * c * c - v) * pv) * ramp((v - 0.24) * pv)
    reflection = noise(tile, u * 1.2 + row[SEED], v * 2.5 + row[SWING]) - 0.5
    light = row[ALBEDO] * (0.7 + 0.5 * v / height) * (1.0 + 0.5 * reflection) + 0.03
    glass = ramp((edge - 0.09 - c) * pu) * ramp(min(v - belt - 0.05, height - 0.13 - v) * pv)
    light += glass * (0.05 + 0.2 * max(0.0, reflection + 0.2) - light)
    lamp = ramp(min(c - 0.6 * half, 0.94 * half - c) * pu) * ramp(min(v - 0.42 * height, 0.54 * height - v) * pv)
    light += lamp * ((1.4 if row[FLIP] > 0.5 else 0.35) - light)
    plate = ramp((0.25 - c) * pu) * ramp((0.06 - abs(v - 0.45)) * pv)
    light += plate * (0.75 - light)
    light += ramp((0.36 - v) * pv) * (0.04 - light)
    tyre = ramp(min(c - 0.66 * half, 0.97 * half - c) * pu) * ramp((0.4 - v) * pv)
    shade = 0.85 * ramp((half - c) * pu) * ramp((0.26 - v) * pv)
    dark = max(tyre, shade)
    cover = max(body, dark)
    return cover, light if body > dark else 0.02 + body * (light - 0.02)


@njit(cache=True, nogil=True, error_model="numpy")
def _legs(x: float, v: float, p: float, height: float, swing: float, build: float) -> float:
    """Return the coverage of two legs that bend at the knee."""
    cover = 0.0
    for side in (-1.0, 1.0):
        forward = side * swing
        hold = 0.04 * side
        knee = hold + 0.23 * height * forward
        bend = 0.45 * max(0.0, 0.6 - abs(forward)) * (1.0 if side > 0.0 else 0.6)
        foot = knee + 0.24 * height * (forward - bend)
        lift = 0.06 * height * max(0.0, -forward)
        cover = max(cover, _capsule(x, v, hold, 0.5 * height, knee, 0.27 * height, 0.085 * build, p))
        cover = max(cover, _capsule(x, v, knee, 0.27 * height, foot, 0.045 + lift, 0.065 * build, p))
    return cover


@njit(cache=True, nogil=True, error_model="numpy")
def _arms(x: float, v: float, p: float, height: float, swing: float, build: float) -> float:
    """Return the coverage of two arms that swing against the legs."""
    cover = 0.0
    for side in (-1.0, 1.0):
        elbow = 0.17 * side * build - 0.14 * height * side * swing
        hand = elbow - 0.1 * height * side * swing + 0.05
        cover = max(cover, _capsule(x, v, 0.15 * side * build, 0.81 * height - 0.03, elbow, 0.64 * height, 0.05, p))
        cover = max(cover, _capsule(x, v, elbow, 0.64 * height, hand, 0.51 * height, 0.04, p))
    return cover


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _walker(u: float, v: float, pu: float, row: NDArray[np.float64], tile: NDArray[np.float32]) -> tuple[float, float]:
    """Return a person: head, torso, two jointed legs and two arms that swing against them."""
    height = row[HEIGHT]
    swing = row[SWING]
    x = u - 0.5 * row[LENGTH]
    margin = 0.5 / pu
    if abs(x) > 0.3 + 0.5 * height * abs(swing) + margin:
        return 0.0, 0.0
    if row[FLIP] > 0.5:
        x = -x
    build = 0.9 + 0.3 * row[TONE]
    if height * pu < FIGURE_PIXELS:
        return _capsule(x, v, 0.0, 0.1 * height, 0.0, 0.9 * height, 0.17 * build, pu), 0.6 * row[ALBEDO] + 0.05
    legs = _legs(x, v, pu, height, swing, build) if v < 0.56 * height + margin else 0.0
    arms, torso, head, hair = 0.0, 0.0, 0.0, 0.0
    if v > 0.45 * height - margin:
        arms = _arms(x, v, pu, height, swing, build)
        torso = _capsule(x, v, 0.0, 0.5 * height + 0.05, 0.0, 0.81 * height - 0.1, 0.19 * build, pu)
        head = _capsule(x, v, 0.015, 0.915 * height, 0.015, 0.94 * height, 0.085, pu)
        hair = _capsule(x, v, -0.01, 0.965 * height, -0.01, 0.97 * height, 0.08, pu)
    cover = max(max(legs, arms), max(torso, max(head, hair)))
    if cover <= 0.0:
        return 0.0, 0.0
    cloth = noise(tile, u * 9.0 + row[SEED], v * 9.0)
    top = row[ALBEDO] * (0.7 + 0.6 * cloth)
    bottom = 0.04 + 0.4 * row[TONE] * (0.7 + 0.6 * cloth)
    light = bottom
    light += torso * (top - light)
    light += arms * (0.75 * top - light)
    light += head * (0.34 - light)
    light += hair * (0.05 - light)
    return cover, light


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _hedge(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return a hedge, or a picket fence when the tone is high."""
    seed = row[SEED]
    if row[TONE] > 0.5:
        inside = u - math.floor(u / 0.3) * 0.3
        gap = ramp(min(inside - 0.1, 0.2 - inside) * pu)
        mean = 1.0 - contrast(0.3 * pu)
        picket = gap * (1.0 - mean) + 0.33 * mean
        rail = ramp((0.05 - abs(v - 0.75 * row[HEIGHT])) * pv)
        return ramp((row[HEIGHT] - v) * pv) * max(picket, rail), row[ALBEDO]
    leaf = 0.5 + contrast(pu / 4.0) * (noise(tile, u * 4.0 + seed, v * 4.0) - 0.5)
    top = row[HEIGHT] * (0.97 + 0.25 * contrast(0.9 * pu) * (noise(tile, u * 1.1, seed) - 0.5))
    return ramp((top - v) * pv), 0.5 * row[ALBEDO] * (0.3 + 1.4 * leaf)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _crate(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return a lorry's box, a container or a bin: flat, ribbed, with a dark underside on stubby wheels."""
    length = row[LENGTH]
    height = row[HEIGHT]
    floor = 0.28 * height if height > 2.0 else 0.05
    radius = 0.45 if length > 3.0 else 0.25
    cover = ramp(min(height - v, v - floor) * pv)
    pitch = 0.3 + 0.6 * row[TONE]
    inside = u - math.floor(u / pitch) * pitch
    rib = ramp((0.03 - abs(inside - 0.5 * pitch)) * pu) * contrast(0.5 * pitch * pu)
    light = (
        row[ALBEDO] * (0.8 + 0.3 * contrast(0.7 * pu) * noise(tile, u * 1.5 + row[SEED], v * 1.5)) * (1.0 - 0.5 * rib)
    )
    stripe = ramp((0.08 * height - abs(v - 0.6 * height)) * pv)
    light += stripe * (0.9 * row[TONE] - light)
    wheel = 0.0
    if floor > 0.3:
        offset = abs(u - 0.5 * length) - 0.34 * length
        wheel = ramp((radius - math.sqrt(offset * offset + (v - radius) * (v - radius))) * min(pu, pv))
    return max(cover, wheel), light if cover > wheel else 0.02


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def shade(
    material: int, u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return (coverage in [0, 1], linear light) of a surface at one point."""
    if material == FACADE:
        return _facade(u, v, pu, pv, row, tile)
    if material == CAR_SIDE:
        return _car_side(u, v, pu, pv, row, tile)
    if material == CAR_END:
        return _car_end(u, v, pu, pv, row, tile)
    if material == WALKER:
        return _walker(u, v, pu, row, tile)
    if material == TREE:
        return _tree(u, v, pu, pv, row, tile)
    if material == HEDGE:
        return _hedge(u, v, pu, pv, row, tile)
    if material == CRATE:
        return _crate(u, v, pu, pv, row, tile)
    if material == SIGN:
        return _sign(u, v, pu, pv, row)
    return _post(u, v, pu, pv, row)
