"""What each kind of surface looks like: coverage and light at one point, in linear light.

A material gets the point in metres (`u` along the surface, `v` above the ground), the pixels per metre there (`pu`,
`pv`) and the row of the surface. The renderer cuts the two ends and the foot of a surface.

Materials are inlined into the renderer, which halves its time: a call passes both arrays and counts their references.
So the renderer's cache holds them too and does not see a change of this file: delete the folder's cached kernels
(`__pycache__/*.nb?`) after one.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import (
    ALBEDO,
    BRIDGE,
    CAR_END,
    CAR_SIDE,
    COVER_TOP_M,
    CRATE,
    CROWN,
    FACADE,
    FLIP,
    GLOW,
    HEDGE,
    HEIGHT,
    HOUSE,
    LAMP,
    LENGTH,
    MOTORBIKE,
    PERSON,
    RIDER,
    SEED,
    SIGN,
    SIGNALS,
    TILE_MASK,
    TONE,
    TREE,
    WALKER,
    WALL,
    WIRE,
)
from ._coverage_kernels import box, capsule, contrast, noise, ramp
from ._figure_kernels import car_end, car_side, motorbike, rider, walker
from ._town_material_kernels import DARK_WINDOWS, crown, house, person, signals, tunnel_wall

_WING_M = 10.5

WIRE_REACH_M = 2.0
"""So far below the top of their poles wires hang at most."""


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _facade(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float, float]:
    """Return a house front: storeys of windows, each with its own light, over a darker ground floor."""
    seed = row[SEED]
    pitch = 2.2 + 1.6 * row[TONE]
    storey = 2.9
    cell_u = math.floor(u / pitch)
    cell_v = math.floor(v / storey)
    in_u = u - cell_u * pitch
    in_v = v - cell_v * storey
    margin = 0.25 * pitch
    pane = box(min(in_u - margin, pitch - margin - in_u), min(in_v - 0.8, 2.4 - in_v), pu, pv)
    pane *= contrast(0.5 * pitch * pu)
    glow = 0.0
    wall = row[ALBEDO] * (1.0 + 0.3 * contrast(1.1 * pu) * (noise(tile, u * 0.9 + seed, v * 0.9) - 0.5))
    fine = contrast(pu / 6.0)
    if fine > 0.0:
        wall *= 1.0 + 0.3 * fine * (noise(tile, u * 6.0, v * 6.0 + seed) - 0.5)
    if cell_v < 1.0:
        wall *= 0.7
    if pane > 0.0:
        glass = tile[int(cell_v + seed) & TILE_MASK, int(cell_u * 3 + seed) & TILE_MASK]
        wall += pane * (row[ALBEDO] * (0.1 + 1.1 * glass * glass) - wall)
        if glass > DARK_WINDOWS:
            glow = pane * row[GLOW] * glass
    return ramp((row[HEIGHT] - v) * pv), wall, glow


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _tree(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return a tree: a trunk and a crown of leaves with holes, ragged at its rim."""
    seed = row[SEED]
    half = 0.5 * row[LENGTH]
    height = row[HEIGHT]
    trunk = box(0.14 - abs(u - half), 0.6 * height - v, pu, pv)
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


@njit(cache=True, nogil=True, error_model="numpy")
def _bare_tree(
    u: float, v: float, pu: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return a tree without leaves: a trunk, three pairs of boughs, and twigs where noise passes its middle value."""
    half, height = 0.5 * row[LENGTH], row[HEIGHT]
    x, aside = u - half, abs(u - half)
    cover = box(0.13 - 0.012 * v - aside, 0.9 * height - v, pu, pu)
    for k in range(3):
        foot, lean = (0.34 + 0.16 * k) * height, (0.75 - 0.2 * k) * half
        side = 1.0 if x > 0.0 else -1.0
        tip = foot + (0.3 + 0.15 * tile[k, int(row[SEED] + side) & TILE_MASK]) * height
        cover = max(cover, capsule(x, v, 0.0, foot, side * lean, tip, 0.07 - 0.014 * k, pu))
    y = (v - 0.66 * height) / (0.36 * height)
    rim = x * x / (half * half) + y * y
    if rim < 1.0:
        for scale in (1.6, 3.7, 7.9):
            twig = abs(noise(tile, u * scale + row[SEED], v * scale * 0.7) - 0.5) / scale
            line = ramp((0.02 - twig) * pu) * min(1.0, 0.04 * pu) * min(1.0, 3.0 * (1.0 - rim))
            cover = max(cover, line)
    return cover, 0.03 + 0.1 * row[ALBEDO]


@njit(cache=True, nogil=True, error_model="numpy")
def _lamp(u: float, v: float, p: float, row: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return a street lamp: a post, an arm towards the road, and the lamp at its end."""
    height, x = row[HEIGHT], u - 0.5 * row[LENGTH]
    if row[FLIP] > 0.5:
        x = -x
    if abs(x) * p > 0.08 * p + 0.5 and v < height - 0.4:
        return 0.0, 0.15, 0.0
    reach = 0.5 * row[LENGTH] - 0.25
    post = box(0.08 - abs(x), height - 0.2 - v, p, p)
    post = max(post, capsule(x, v, 0.0, height - 0.25, reach, height - 0.1, 0.04, p))
    head = capsule(x, v, reach - 0.2, height - 0.15, reach + 0.2, height - 0.15, 0.09, p)
    return max(post, head), 0.15, head * row[GLOW]


@njit(cache=True, nogil=True, error_model="numpy")
def _wire(u: float, v: float, pv: float, row: NDArray[np.float64]) -> tuple[float, float]:
    """Return three wires that sag between two poles."""
    t = u / row[LENGTH]
    sag = row[HEIGHT] - 4.0 * (0.3 + 0.7 * row[TONE]) * t * (1.0 - t)
    cover = 0.0
    for k in range(3):
        cover = max(cover, ramp((0.02 - abs(v - sag + 0.15 + 0.35 * k)) * pv))
    return cover * min(1.0, 0.04 * pv), row[ALBEDO]


@njit(cache=True, nogil=True, error_model="numpy")
def _bridge(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return one face of a bridge over the road: a beam with joints, and a railing on it."""
    height = row[HEIGHT]
    beam = ramp(min(v - COVER_TOP_M, height - 1.0 - v) * pv)
    # Beyond the opening over the road and its pavements a wall stands on the ground.
    aside = abs(u - 0.5 * row[LENGTH]) - 0.5 * row[LENGTH] + _WING_M
    beam = max(beam, ramp(aside * pu) * ramp((height - 1.0 - v) * pv))
    inside = u / 0.4 - math.floor(u / 0.4)
    bars = ramp((0.06 - abs(inside - 0.5) * 0.4) * pu) * contrast(0.4 * pu)
    railing = max(bars, ramp((0.05 - abs(v - height + 0.05)) * pv)) * ramp(min(v - height + 1.0, height - v) * pv)
    joint = ramp((0.04 - abs(u / 3.0 - math.floor(u / 3.0) - 0.5) * 3.0) * pu)
    light = (
        row[ALBEDO] * (0.8 + 0.4 * contrast(1.5 * pu) * noise(tile, u * 1.5, v * 1.5 + row[SEED])) * (1.0 - 0.5 * joint)
    )
    return max(beam, railing), light if beam > railing else 0.3 * row[ALBEDO]


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
    post = box(0.03 - abs(u - half), bottom - v, pu, pv)
    round_plate = row[TONE] > 0.5
    if round_plate:
        distance = math.sqrt((u - half) * (u - half) + (v - middle) * (v - middle))
        plate = ramp((0.95 * half - distance) * pu)
        border = ramp((0.78 * half - distance) * pu)
    else:
        reach = max(abs(u - half), abs(v - middle))
        plate = ramp((0.95 * half - reach) * pu)
        border = ramp((0.8 * half - reach) * pu)
    bar = border * box(0.55 * half - abs(u - half), 0.16 * half - abs(v - middle), pu, pv)
    light = 0.25 + border * (row[ALBEDO] - 0.25)
    light += bar * (0.05 - light)
    return max(post, plate), plate * light + (1.0 - plate) * 0.2


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
def _dark(
    material: int, u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return (coverage, light in full daylight) of a surface that gives off no light of its own."""
    if material == WALKER:
        return walker(u, v, pu, row, tile)
    if material == PERSON:
        return person(u, v, pu, row, tile)
    if material == CROWN:
        return crown(u, v, pu, row, tile)
    if material == WALL:
        return tunnel_wall(u, v, pu, pv, row, tile)
    if material == TREE and row[TONE] > 0.0:
        return _bare_tree(u, v, pu, row, tile)
    if material == RIDER:
        return rider(u, v, pu, row)
    if material == WIRE:
        return _wire(u, v, pv, row)
    if material == BRIDGE:
        return _bridge(u, v, pu, pv, row, tile)
    if material == TREE:
        return _tree(u, v, pu, pv, row, tile)
    if material == HEDGE:
        return _hedge(u, v, pu, pv, row, tile)
    if material == CRATE:
        return _crate(u, v, pu, pv, row, tile)
    if material == SIGN:
        return _sign(u, v, pu, pv, row)
    return _post(u, v, pu, pv, row)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def shade(
    material: int, u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float, float]:
    """Return (coverage in [0, 1], linear light in full daylight, light of its own) of a surface at one point."""
    if material == FACADE:
        return _facade(u, v, pu, pv, row, tile)
    if material == CAR_SIDE:
        return car_side(u, v, pu, pv, row, tile)
    if material == CAR_END:
        return car_end(u, v, pu, pv, row, tile)
    if material == HOUSE:
        return house(u, v, pu, pv, row, tile)
    if material == SIGNALS:
        return signals(u, v, pu, row)
    if material == LAMP:
        return _lamp(u, v, pu, row)
    if material == MOTORBIKE:
        return motorbike(u, v, pu, row)
    cover, near = _dark(material, u, v, pu, pv, row, tile)
    return cover, near, 0.0
