"""What cars and people look like as flat figures: coverage, light in full daylight, and light of their own."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._columns import ALBEDO, FLIP, GLOW, HEIGHT, LENGTH, RIDDEN_M, SEED, SWING, TONE
from ._coverage_kernels import box, capsule, noise, ramp

FIGURE_PIXELS = 14.0
"""A walker of fewer pixels is one upright stroke: limbs would be thinner than half a pixel."""

TAIL_LAMP = 0.12
"""Light of a tail lamp as a share of a headlamp's."""


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
def car_side(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float, float]:
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
    front = lamp * ramp((p - 0.955) * length * pu)
    back = lamp * ramp((0.035 - p) * length * pu)
    light += front * (1.2 - light)
    light += back * (0.3 - light)
    near = u - 0.19 * length if p < 0.5 else u - 0.81 * length
    distance = math.sqrt(near * near + (v - 0.31) * (v - 0.31))
    wheel = ramp((0.32 - distance) * p_min)
    rim = ramp((0.19 - distance) * p_min)
    light += ramp((0.38 - distance) * p_min) * (0.015 - light)
    light += rim * (0.12 + 0.5 * row[ALBEDO] - light)
    return max(body, wheel), light, row[GLOW] * (front + TAIL_LAMP * back)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def car_end(
    u: float, v: float, pu: float, pv: float, row: NDArray[np.float64], tile: NDArray[np.float32]
) -> tuple[float, float, float]:
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
    glow = lamp * row[GLOW] * (1.0 if row[FLIP] > 0.5 else TAIL_LAMP)
    return cover, light if body > dark else 0.02 + body * (light - 0.02), glow


@njit(cache=True, nogil=True, error_model="numpy")
def legs(x: float, v: float, p: float, height: float, swing: float, build: float) -> float:
    """Return the coverage of two legs that bend at the knee."""
    cover = 0.0
    for side in (-1.0, 1.0):
        forward = side * swing
        hold = 0.04 * side
        knee = hold + 0.23 * height * forward
        bend = 0.45 * max(0.0, 0.6 - abs(forward)) * (1.0 if side > 0.0 else 0.6)
        foot = knee + 0.24 * height * (forward - bend)
        lift = 0.06 * height * max(0.0, -forward)
        cover = max(cover, capsule(x, v, hold, 0.5 * height, knee, 0.27 * height, 0.085 * build, p))
        cover = max(cover, capsule(x, v, knee, 0.27 * height, foot, 0.045 + lift, 0.065 * build, p))
    return cover


@njit(cache=True, nogil=True, error_model="numpy")
def arms(x: float, v: float, p: float, height: float, swing: float, build: float) -> float:
    """Return the coverage of two arms that swing against the legs."""
    cover = 0.0
    for side in (-1.0, 1.0):
        elbow = 0.17 * side * build - 0.14 * height * side * swing
        hand = elbow - 0.1 * height * side * swing + 0.05
        cover = max(cover, capsule(x, v, 0.15 * side * build, 0.81 * height - 0.03, elbow, 0.64 * height, 0.05, p))
        cover = max(cover, capsule(x, v, elbow, 0.64 * height, hand, 0.51 * height, 0.04, p))
    return cover


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def walker(u: float, v: float, pu: float, row: NDArray[np.float64], tile: NDArray[np.float32]) -> tuple[float, float]:
    """Return a person: head, torso, two jointed legs and two arms that swing against them."""
    height = row[HEIGHT]
    swing = row[SWING]
    x = u - 0.5 * row[LENGTH]
    margin = 0.5 / pu
    if abs(x) > 0.3 + 0.5 * height * abs(swing) + margin:
        return 0.0, 0.0
    if row[FLIP] > 0.5:
        x = -x
    bags = math.floor(row[TONE])
    tone = row[TONE] - bags
    build = 0.9 + 0.3 * tone
    if height * pu < FIGURE_PIXELS:
        return capsule(x, v, 0.0, 0.1 * height, 0.0, 0.9 * height, 0.17 * build, pu), 0.6 * row[ALBEDO] + 0.05
    low = legs(x, v, pu, height, swing, build) if v < 0.56 * height + margin else 0.0
    hands, torso, head, hair = 0.0, 0.0, 0.0, 0.0
    if v > 0.45 * height - margin:
        hands = arms(x, v, pu, height, swing, build)
        torso = capsule(x, v, 0.0, 0.5 * height + 0.05, 0.0, 0.81 * height - 0.1, 0.19 * build, pu)
        head = capsule(x, v, 0.015, 0.915 * height, 0.015, 0.94 * height, 0.085, pu)
        hair = capsule(x, v, -0.01, 0.965 * height, -0.01, 0.97 * height, 0.08, pu)
    bag = 0.0
    if bags > 0.0:
        bag = box(0.13 - abs(x + 0.24), 0.18 - abs(v - 0.47 * height), pu, pu)
    cover = max(max(low, hands), max(torso, max(head, max(hair, bag))))
    if cover <= 0.0:
        return 0.0, 0.0
    cloth = noise(tile, u * 9.0 + row[SEED], v * 9.0)
    top = row[ALBEDO] * (0.7 + 0.6 * cloth)
    bottom = 0.04 + 0.4 * tone * (0.7 + 0.6 * cloth)
    light = bottom
    light += torso * (top - light)
    light += hands * (0.75 * top - light)
    light += head * (0.34 - light)
    light += hair * (0.05 - light)
    light += bag * (0.5 - 0.45 * tone - light)
    return cover, light


@njit(cache=True, nogil=True, error_model="numpy")
def _ring(x: float, v: float, radius: float, p: float) -> float:
    """Return the coverage of a wheel's tyre and hub that stands on the ground at x = 0."""
    distance = math.sqrt(x * x + (v - radius) * (v - radius))
    return max(ramp((0.03 - abs(distance - radius + 0.03)) * p) * min(1.0, 0.06 * p), ramp((0.05 - distance) * p))


@njit(cache=True, nogil=True, error_model="numpy")
def rider(u: float, v: float, p: float, row: NDArray[np.float64]) -> tuple[float, float]:
    """Return a cyclist, from behind or, with a tone of 1 or more, from the side."""
    height, x = row[HEIGHT], u - 0.5 * row[LENGTH]
    if row[FLIP] > 0.5:
        x = -x
    if row[TONE] < 1.0:
        wheel = box(0.03 - abs(x), 0.68 - v, p, p)
        legs = capsule(abs(x), v, 0.1, 0.3, 0.13, 0.9, 0.07, p)
        torso = capsule(x, v, 0.0, 0.95, 0.0, height - 0.45, 0.2, p)
        bar = capsule(x, v, -0.28, 1.02, 0.28, 1.02, 0.025, p)
        head = capsule(x, v, 0.0, height - 0.14, 0.0, height - 0.1, 0.1, p)
    else:
        wheel = max(_ring(x - 0.52, v, 0.34, p), _ring(x + 0.52, v, 0.34, p))
        bar = max(capsule(x, v, -0.52, 0.34, 0.1, 0.85, 0.025, p), capsule(x, v, 0.52, 0.34, 0.4, 1.0, 0.025, p))
        pedal = 0.17 * row[SWING]
        legs = capsule(x, v, -0.15, 0.95, 0.15, 0.62 + pedal, 0.07, p)
        legs = max(legs, capsule(x, v, 0.15, 0.62 + pedal, 0.02, 0.25 + pedal, 0.055, p))
        torso = capsule(x, v, -0.15, 1.0, 0.12, height - 0.42, 0.15, p)
        torso = max(torso, capsule(x, v, 0.12, height - 0.42, 0.4, 1.05, 0.05, p))
        head = capsule(x, v, 0.2, height - 0.14, 0.2, height - 0.1, 0.1, p)
    frame = max(wheel, bar)
    light = 0.05 + legs * 0.05 + torso * (row[ALBEDO] - 0.05)
    light += head * (0.3 - light)
    return max(max(frame, legs), max(torso, head)), light


@njit(cache=True, nogil=True, error_model="numpy")
def _motorbike_side(x: float, v: float, p: float, paint: float) -> tuple[float, float, float]:
    """Return coverage, light and headlamp of a motorbike that drives to the right."""
    wheel, disc = 0.0, 0.0
    for middle in (-0.68, 0.68):
        distance = math.sqrt((x - middle) * (x - middle) + (v - 0.31) * (v - 0.31))
        wheel = max(wheel, ramp((0.06 - abs(distance - 0.25)) * p))
        disc = max(disc, ramp((0.15 - distance) * p))
    fork = max(capsule(x, v, 0.68, 0.31, 0.45, 0.97, 0.035, p), capsule(x, v, 0.45, 0.97, 0.32, 1.05, 0.025, p))
    fork = max(fork, capsule(x, v, -0.68, 0.31, -0.2, 0.5, 0.04, p))
    engine = box(0.24 - abs(x), min(v - 0.27, 0.66 - v), p, p)
    seat = capsule(x, v, -0.1, 0.8, -0.65, 0.84, 0.07, p)
    tank = max(capsule(x, v, 0.28, 0.86, -0.02, 0.8, 0.14, p), capsule(x, v, 0.84, 0.66, 0.56, 0.66, 0.035, p))
    pipe = capsule(x, v, 0.0, 0.34, -0.8, 0.42, 0.05, p)
    lamp = capsule(x, v, 0.56, 0.86, 0.58, 0.86, 0.09, p)
    light = 0.03 + disc * 0.3 + fork * 0.25
    light += max(engine, seat) * (0.07 - light)
    light += tank * (paint * (0.7 + 0.6 * (v - 0.7)) - light)
    light += pipe * (0.6 - light)
    light += lamp * (0.9 - light)
    return max(max(wheel, max(disc, fork)), max(max(engine, seat), max(tank, max(pipe, lamp)))), light, lamp


@njit(cache=True, nogil=True, error_model="numpy")
def _motorbike_end(x: float, v: float, p: float, paint: float, front: bool) -> tuple[float, float, float]:
    """Return coverage, light and lamp of a motorbike from the front or from behind."""
    aside = abs(x)
    tyre = box(0.075 - aside, min(v, 0.6 - v), p, p)
    body = capsule(x, v, 0.0, 0.5, 0.0, 0.82, 0.19, p)
    bar = max(capsule(x, v, -0.36, 1.0, 0.36, 1.0, 0.03, p), capsule(aside, v, 0.34, 1.0, 0.42, 1.13, 0.025, p))
    mirror = capsule(aside, v, 0.4, 1.15, 0.46, 1.15, 0.05, p)
    lamp = capsule(x, v, -0.05, 0.9, 0.05, 0.9, 0.1 if front else 0.05, p)
    plate = 0.0 if front else box(0.11 - aside, 0.07 - abs(v - 0.66), p, p)
    light = 0.03 + bar * 0.1
    light += body * (paint * (0.5 + 0.6 * v) - light)
    light += mirror * (0.4 - light)
    light += plate * (0.7 - light)
    light += lamp * ((1.0 if front else 0.25) - light)
    return max(max(tyre, body), max(max(bar, mirror), max(lamp, plate))), light, lamp


@njit(cache=True, nogil=True, error_model="numpy")
def _motorcyclist(x: float, v: float, p: float, row: NDArray[np.float64], light: float) -> tuple[float, float]:
    """Return coverage and light of who rides a motorbike: leather and a helmet with a visor."""
    cloth = 0.08 + 0.5 * (row[TONE] - math.floor(row[TONE]))
    if row[TONE] >= 1.0:
        limbs = max(capsule(x, v, -0.16, 0.9, 0.2, 0.74, 0.09, p), capsule(x, v, 0.2, 0.74, 0.0, 0.36, 0.07, p))
        limbs = max(limbs, capsule(x, v, 0.08, 1.28, 0.38, 1.05, 0.055, p))
        coat = capsule(x, v, -0.2, 0.98, 0.06, 1.32, 0.17, p)
        head, visor = capsule(x, v, 0.15, 1.58, 0.17, 1.6, 0.14, p), capsule(x, v, 0.25, 1.58, 0.28, 1.6, 0.05, p)
    else:
        aside = abs(x)
        limbs = max(capsule(aside, v, 0.16, 0.9, 0.26, 0.7, 0.09, p), capsule(aside, v, 0.26, 0.7, 0.2, 0.32, 0.07, p))
        limbs = max(limbs, capsule(aside, v, 0.24, 1.32, 0.34, 1.03, 0.06, p))
        coat = capsule(x, v, 0.0, 0.98, 0.0, 1.26, 0.23, p)
        head, visor = capsule(x, v, 0.0, 1.57, 0.0, 1.6, 0.14, p), 0.0
        if row[FLIP] > 0.5:
            visor = box(0.11 - aside, 0.04 - abs(v - 1.58), p, p)
    light += limbs * (0.05 - light)
    light += coat * (cloth * (0.6 + 0.5 * (v - 0.9)) - light)
    light += head * (0.75 - cloth - light)
    light += visor * (0.03 - light)
    return max(max(limbs, coat), head), light


@njit(cache=True, nogil=True, error_model="numpy")
def motorbike(u: float, v: float, p: float, row: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return a motorbike, parked or ridden: from its end or, with a tone of 1 or more, from the side."""
    x, turned = u - 0.5 * row[LENGTH], row[FLIP] > 0.5
    if turned:
        x = -x
    if row[TONE] >= 1.0:
        cover, light, lamp = _motorbike_side(x, v, p, row[ALBEDO])
    else:
        cover, light, lamp = _motorbike_end(x, v, p, row[ALBEDO], turned)
        lamp *= 1.0 if turned else TAIL_LAMP
    if row[HEIGHT] > RIDDEN_M:
        body, light = _motorcyclist(x, v, p, row, light)
        cover = max(cover, body)
    return cover, light, lamp * row[GLOW]
