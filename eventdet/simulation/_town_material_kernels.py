"""What only built-up streets are made of: houses, tunnel walls, traffic lights, leafy trees, people in clothes.

As in `_material_kernels`, a material gets the point in metres (`u` along the surface, `v` above the ground) and the
pixels per metre there (`pu`, `pv`).
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import ALBEDO, FLIP, GLOW, HEIGHT, LENGTH, SEED, SWING, TILE_MASK, TONE
from ._coverage_kernels import box, capsule, contrast, noise, ramp
from ._figure_kernels import FIGURE_PIXELS, arms, legs

DARK_WINDOWS = 0.55
"""Share of a house's windows that stay dark at night."""

_STOREY_M = 2.9
_SHOPS = 0.45
_BALCONIES = 0.6
_PITCHED = 0.5
_SIGNAL_LIGHT = 0.9


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _wall(u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]) -> float:
    """Return the light of a house's wall: stains, courses of stone, dirt at its foot, a ledge at every storey."""
    seed = row[SEED]
    light = row[ALBEDO] * (1.0 + 0.35 * contrast(1.2 * pu) * (noise(tile, u * 0.8 + seed, v * 0.35) - 0.5))
    fine = contrast(pu / 5.0)
    if fine > 0.0:
        light *= 1.0 + 0.25 * fine * (noise(tile, u * 5.0, v * 9.0 + seed) - 0.5)
    courses = contrast(0.3 * pv)
    if courses > 0.0:
        inside = v / 0.3 - math.floor(v / 0.3)
        light *= 1.0 - 0.18 * courses * ramp((0.03 - abs(inside - 0.5) * 0.3) * pv)
    ledge = v - math.floor(v / _STOREY_M) * _STOREY_M
    light *= 1.0 - 0.35 * ramp((0.1 - abs(ledge - 0.1)) * pv) * contrast(0.4 * pv)
    return float(light * min(1.0, 0.65 + 0.2 * v))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _window(
    in_u: float, in_v: float, half: float, pu: float, pv: float, light: float, glass: float
) -> tuple[float, float]:
    """Return light and open glass of a window around `in_u` 0: a frame, a sill, glass with a cross and curtains."""
    aside = abs(in_u)
    frame = box(half + 0.1 - aside, min(in_v - 0.7, 2.5 - in_v), pu, pv)
    light += frame * (min(0.9, 0.15 + 1.15 * light) - light)
    light += box(half + 0.18 - aside, min(in_v - 0.62, 0.74 - in_v), pu, pv) * (0.3 * light)
    pane = box(half - aside, min(in_v - 0.8, 2.4 - in_v), pu, pv)
    cross = max(ramp((0.035 - aside) * pu), ramp((0.035 - abs(in_v - 1.9)) * pv)) * min(1.0, 0.07 * pu)
    curtain = ramp((aside - 0.55 * half) * pu) * (1.0 if glass > 0.4 else 0.0)
    inside = 0.03 + 0.4 * glass * glass * (0.5 + 0.3 * in_v) + 0.22 * curtain
    pane *= 1.0 - cross
    return light + pane * (inside - light), pane


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _ground_floor(
    u: float, v: float, in_u: float, pitch: float, pu: float, pv: float, light: float, tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return light and open glass of shops: doors between large windows, and letters on a board above."""
    aside = abs(in_u)
    cell = math.floor(u / pitch)
    board = box(0.5 * pitch - aside, min(v - 2.45, 2.95 - v), pu, pv)
    letters = 0.6 * contrast(pu / 7.0) * (1.0 if noise(tile, u * 7.0, float(cell)) > 0.52 else 0.0)
    inner = ramp((0.15 - abs(v - 2.7)) * pv)
    light += board * (0.08 + 0.6 * tile[cell & TILE_MASK, 9] * 0.6 + letters * inner * 0.5 - light)
    door = tile[cell & TILE_MASK, 21] > 0.7
    low, half = (0.05, 0.5) if door else (0.55, 0.5 * pitch - 0.15)
    pane = box(half - aside, min(v - low, 2.3 - v), pu, pv)
    goods = 0.05 + 0.35 * noise(tile, u * 3.0, v * 2.0 + 5.0) * noise(tile, u * 1.1 + 9.0, v * 0.7)
    return light + pane * (goods - light), pane


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def house(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float, float]:
    """Return a house: storeys of windows, shops or a plinth below, balconies, pipes, a roof with chimneys."""
    height, seed = row[HEIGHT], int(row[SEED])
    pitch = 2.3 + 1.5 * row[TONE]
    eaves = height - (0.22 * height if tile[seed & TILE_MASK, 1] < _PITCHED else 0.35)
    cell_u, cell_v = math.floor(u / pitch), math.floor(v / _STOREY_M)
    in_u, in_v = u - (cell_u + 0.5) * pitch, v - cell_v * _STOREY_M
    light, pane = _wall(u, v, pu, pv, row, tile), 0.0
    glass = tile[(int(cell_v) * 5 + seed) & TILE_MASK, (int(cell_u) * 3 + seed) & TILE_MASK]
    if v > eaves - 0.15:
        rows = v / 0.35 - math.floor(v / 0.35)
        tiles = 0.5 + 0.5 * contrast(0.35 * pv) * (rows - 0.5)
        roof = (0.06 + 0.16 * tile[seed & TILE_MASK, 2]) * (0.6 + 0.8 * tiles)
        roof *= 1.0 + 0.5 * contrast(pu / 3.0) * (noise(tile, u * 3.0, v * 3.0) - 0.5)
        light += ramp((v - eaves) * pv) * (roof - light)
        light *= 1.0 - 0.7 * ramp((0.1 - abs(v - eaves + 0.05)) * pv)
    elif contrast(0.6 * pitch * pu) > 0.0:
        if cell_v < 1.0 and tile[seed & TILE_MASK, 3] < _SHOPS:
            light, pane = _ground_floor(u, v, in_u, pitch, pu, pv, light, tile)
        elif (cell_v + 1.0) * _STOREY_M < eaves + 0.6:
            half = (0.17 + 0.1 * tile[seed & TILE_MASK, 4]) * pitch
            light, pane = _window(in_u, in_v, half, pu, pv, light, glass)
        if cell_v >= 1.0 and tile[seed & TILE_MASK, 5] > _BALCONIES and int(cell_u) % 2 == 0:
            bars = u / 0.14 - math.floor(u / 0.14)
            rail = 0.35 + contrast(0.14 * pu) * (ramp((0.03 - abs(bars - 0.5) * 0.14) * pu) - 0.35)
            rail = max(rail * ramp((1.0 - in_v) * pv), ramp((0.04 - abs(in_v - 1.0)) * pv), ramp((0.14 - in_v) * pv))
            rail *= box(0.42 * pitch - abs(in_u), 1.1 - in_v, pu, pv)
            light += rail * (0.35 * row[ALBEDO] - light)
            pane *= 1.0 - rail
        if int(cell_u) % 4 == 0:
            light += ramp((0.06 - abs(in_u + 0.46 * pitch)) * pu) * min(1.0, 0.12 * pu) * (0.25 * row[ALBEDO] - light)
    cover = ramp((height - v) * pv)
    if v > height - 0.1 and tile[(int(cell_u) * 7 + seed) & TILE_MASK, 6] > 0.75:
        cover = max(cover, box(0.35 - abs(in_u), height * 1.07 - v, pu, pv))
    return cover, light, pane * row[GLOW] * glass if glass > DARK_WINDOWS else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def tunnel_wall(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Return a wall of concrete: panels with joints, water stains, a bright band and a handrail."""
    light = row[ALBEDO] * (0.7 + 0.6 * noise(tile, u * 2.1 + row[SEED], v * 0.5))
    light *= 1.0 + 0.4 * contrast(pu / 5.0) * (noise(tile, u * 5.0, v * 5.0 + row[SEED]) - 0.5)
    joint = u / 2.0 - math.floor(u / 2.0)
    light *= 1.0 - 0.5 * ramp((0.04 - abs(joint - 0.5) * 2.0) * pu)
    light += ramp((0.15 - abs(v - 1.25)) * pv) * 0.35
    light *= 1.0 - 0.6 * ramp((0.04 - abs(v - 0.9)) * pv)
    return ramp((row[HEIGHT] - v) * pv), light * min(1.0, 0.6 + 0.5 * v)


@njit(cache=True, nogil=True, error_model="numpy")
def signals(u: float, v: float, p: float, row: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return a traffic light: a post, a dark box with a bright rim, three lamps of which one is lit."""
    x, top = u - 0.5 * row[LENGTH], row[HEIGHT]
    post = box(0.05 - abs(x), top - 0.9 - v, p, p)
    head = box(0.17 - abs(x), min(v - top + 1.0, top - v), p, p)
    rim = box(0.21 - abs(x), min(v - top + 1.04, top + 0.04 - v), p, p)
    light, glow = 0.25 + rim * 0.3, 0.0
    light += head * (0.03 - light)
    for k in range(3):
        y = v - top + 0.2 + 0.3 * k
        lamp = ramp((0.11 - math.sqrt(x * x + y * y)) * p)
        light += lamp * 0.06
        if int(row[SWING]) == k:
            glow = lamp * _SIGNAL_LIGHT
    return max(post, rim), light, glow


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def crown(u: float, v: float, pu: float, row: NDArray[np.float64], tile: NDArray[np.float32]) -> tuple[float, float]:
    """Return a leafy tree: a forked trunk, and a crown of clumps with holes between their leaves."""
    seed, half, height = row[SEED], 0.5 * row[LENGTH], row[HEIGHT]
    x = u - half
    cover = box(0.15 - 0.012 * v - abs(x - 0.06 * noise(tile, v, seed)), 0.62 * height - v, pu, pu)
    side = 1.0 if x > 0.0 else -1.0
    cover = max(cover, capsule(x, v, 0.0, 0.4 * height, side * 0.45 * half, 0.66 * height, 0.06, pu))
    bark = 0.05 + 0.06 * noise(tile, u * 9.0, v * 2.0)
    across, up = x / half, (v - 0.68 * height) / (0.33 * height)
    rim = across * across + up * up
    if rim > 1.5:
        return cover, bark
    coarse = noise(tile, u * 1.15 + seed, v * 1.15)
    clumps, leaves = 0.5, 0.5
    fade = contrast(pu / 3.0)
    if fade > 0.0:
        clumps += fade * (noise(tile, u * 3.0, v * 3.0 + seed) - 0.5)
    fade = contrast(pu / 8.0)
    if fade > 0.0:
        leaves += fade * (noise(tile, u * 8.0 + seed, v * 8.0) - 0.5)
    mass = 0.45 * coarse + 0.33 * clumps + 0.22 * leaves
    dense = min(1.0, max(0.0, (mass - 0.27 - 0.26 * rim * rim) * 13.0 + 0.5))
    # Clumps are bright above and dark below, and so is the whole.
    light = row[ALBEDO] * max(0.12, 0.2 + 1.5 * (clumps - 0.35) + 0.9 * (leaves - 0.5) + 0.3 * up - 0.12 * across)
    return max(cover, dense), bark + dense * (light - bark)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _bag(x: float, v: float, p: float, height: float) -> float:
    """Return the coverage of a bag at the hip, with its strap over the shoulder."""
    bag = box(0.14 - abs(x + 0.26), 0.19 - abs(v - 0.43 * height), p, p)
    return max(bag, capsule(x, v, -0.26, 0.5 * height, 0.08, 0.78 * height, 0.015, p) * min(1.0, 0.03 * p))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def person(u: float, v: float, p: float, row: NDArray[np.float64], tile: NDArray[np.float32]) -> tuple[float, float]:
    """Return a person: as :func:`walker`, in trousers, a skirt or a long coat, with shoes, hair, perhaps a bag."""
    height, swing = row[HEIGHT], row[SWING]
    x = u - 0.5 * row[LENGTH]
    margin = 0.5 / p
    if abs(x) > 0.36 + 0.5 * height * abs(swing) + margin:
        return 0.0, 0.0
    if row[FLIP] > 0.5:
        x = -x
    bags = math.floor(row[TONE])
    tone = row[TONE] - bags
    build = 0.9 + 0.3 * tone
    if height * p < FIGURE_PIXELS:
        return capsule(x, v, 0.0, 0.1 * height, 0.0, 0.9 * height, 0.17 * build, p), 0.6 * row[ALBEDO] + 0.05
    hem = 0.47 - 0.22 * max(0.0, 1.0 - 3.0 * tone) * (1.0 if tone < 0.33 else 0.0)
    low = legs(x, v, p, height, swing, build) if v < 0.56 * height + margin else 0.0
    coat, hands, head, hair = 0.0, 0.0, 0.0, 0.0
    if v > (hem - 0.05) * height - margin:
        hands = arms(x, v, p, height, swing, build)
        flare = (0.19 + 0.1 * max(0.0, 0.6 - v / height)) * build
        coat = box(flare - abs(x), min(v - hem * height, 0.8 * height - v), p, p)
        coat = max(coat, capsule(x, v, -0.1 * build, 0.77 * height, 0.1 * build, 0.77 * height, 0.08 * build, p))
        neck = box(0.05 - abs(x), min(v - 0.8 * height, 0.87 * height - v), p, p)
        head = max(capsule(x, v, 0.015, 0.905 * height, 0.015, 0.94 * height, 0.085, p), neck)
        hair = capsule(x, v, -0.015, 0.955 * height, -0.015, 0.97 * height, 0.085, p)
    bag = _bag(x, v, p, height) if bags > 0.0 else 0.0
    cover = max(max(low, hands), max(coat, max(head, max(hair, bag))))
    if cover <= 0.0:
        return 0.0, 0.0
    cloth = noise(tile, u * 9.0 + row[SEED], v * 5.0) - 0.5
    # A body is round: its sides are darker, the side of the light less so.
    round_off = 1.0 - 2.2 * (x - 0.04) * (x - 0.04) / (0.2 * build * 0.2 * build) * 0.25
    top = row[ALBEDO] * (1.0 + 0.6 * cloth) * max(0.4, round_off)
    light = (0.03 + 0.25 * tone * tone) * (1.0 + 0.8 * cloth)
    light += ramp((0.09 - v) * p) * (0.03 - light)
    light += coat * (top * (1.0 - 0.5 * ramp((0.02 - abs(x - 0.02)) * p) * min(1.0, 0.04 * p)) - light)
    light += hands * (0.7 * top - light) * (0.0 if v < 0.52 * height else 1.0) + hands * 0.1 * (v < 0.52 * height)
    light += head * (0.36 * max(0.6, 1.0 - 3.0 * abs(x - 0.04)) - light)
    light += hair * (0.04 + 0.2 * (tone > 0.8) - light)
    return cover, light + bag * (0.35 - 0.32 * tone - light)
