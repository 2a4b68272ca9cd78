"""First passages of the voltage of every pixel over one step."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._random_kernels import gaussian, uniform

_NEVER = np.inf
_SURE_DEVIATIONS = 4.9
"""A barrier this many deviations away is not reached: the numbers drawn here go no farther."""
_MOST_PASSAGES = 64
"""Draws a pixel and step; a step of a scene crosses a few thresholds."""
_INSIDE = 0.98
"""A voltage that has not passed its barrier stays below this share of it."""


@njit(cache=True, nogil=True, error_model="numpy")
def exp_minus(z: float) -> float:
    """Return exp(-z) for z >= 0 within 0.2 % where it is above 0.1: a series in the denominator, to the eighth."""
    w = 0.125 * z
    root = 1.0 / (1.0 + w * (1.0 + w * (0.5 + w / 6.0)))
    square = root * root
    fourth = square * square
    return float(fourth * fourth)


@njit(cache=True, nogil=True, error_model="numpy")
def first_passage(distance: float, drift: float, variance: float, key: np.uint64, counter: int) -> float:
    """Draw when a Brownian motion with drift first passes a barrier at `distance` > 0; infinite for never.

    The time is inverse Gaussian (Michael, Schucany and Haas 1976): one of two roots of a quadratic, written here so
    that neither drift nor variance divides. Against the drift it is passed at all with probability
    exp(-2 distance |drift| / variance), and then as if the drift pointed the other way.
    """
    towards = abs(drift)
    if drift <= 0.0 and variance == 0.0:
        return _NEVER
    if drift < 0.0 and uniform(key, 4 * counter) >= exp_minus(2.0 * distance * towards / variance):
        return _NEVER
    normal = gaussian(key, 4 * counter + 1)
    spread = variance * normal * normal
    root = np.sqrt(spread * (4.0 * distance * towards + spread))
    early = 2.0 * distance * distance / (2.0 * distance * towards + spread + root)
    if uniform(key, 4 * counter + 1) * (distance + towards * early) <= distance:
        return float(early)
    return float(distance * distance / (towards * towards * early))


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _motion(light: float, before: float, seconds: float, numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Return drift and variance per second of a voltage while the light goes from `before` to `light`."""
    gain, dark, noise, photon_noise, leak, photo_leak = numbers
    mean = 0.5 * (light + before)
    drift = gain * (light - before) / (mean + dark) / seconds + leak + photo_leak * mean
    return drift, noise + photon_noise * (0.5 + dark) / 0.7071067811865476 * np.sqrt(mean) / (mean + dark)


@njit(cache=True, nogil=True, error_model="numpy")
def emit_passages(
    light: NDArray[np.float32],
    before: NDArray[np.float32],
    voltage: NDArray[np.float32],
    after: NDArray[np.float32],
    theta_on: NDArray[np.float32],
    theta_off: NDArray[np.float32],
    last: NDArray[np.int64],
    clock: NDArray[np.int64],
    numbers: NDArray[np.float64],
    key: np.uint64,
    out_t: NDArray[np.int64],
    out_i: NDArray[np.int64],
    out_p: NDArray[np.uint8],
) -> int:
    """Write the events of a step as far as there is room, and return how many there are.

    `numbers` are gain, dark light, noise, photon noise, leak and photo leak of the model. `voltage` is where each
    pixel stands and `after` gets where it ends. The two barriers are drawn as if apart from each other; the earlier
    passage counts.
    """
    start, stop, refractory = clock[0], clock[1], clock[2]
    seconds = 1e-6 * float(stop - start)
    count = 0
    for i in range(light.size):
        drift, variance = _motion(float(light[i]), float(before[i]), seconds, numbers)
        v = float(voltage[i])
        on, off = float(theta_on[i]), float(theta_off[i])
        silent_until = last[i] + refractory
        at = 0.0
        for draw in range(_MOST_PASSAGES):
            left = seconds - at
            reach = abs(drift) * left + _SURE_DEVIATIONS * np.sqrt(variance * left)
            counter = _MOST_PASSAGES * i + draw
            up = first_passage(on - v, drift, variance, key, 3 * counter) if on - v <= reach else _NEVER
            down = first_passage(off + v, -drift, variance, key, 3 * counter + 1) if off + v <= reach else _NEVER
            if min(up, down) > left:
                v += drift * left + np.sqrt(variance * left) * gaussian(key, 4 * (3 * counter + 2) + 1)
                v = max(-_INSIDE * off, min(_INSIDE * on, v))
                break
            at += min(up, down)
            v = 0.0
            t = start + max(1, int(np.ceil(1e6 * at)))
            if t < silent_until or t > stop:
                continue
            if count < out_t.size:
                out_t[count], out_i[count], out_p[count] = t, i, 1 if up <= down else 0
            count += 1
            silent_until = t + refractory
        after[i] = np.float32(v)
    return count
