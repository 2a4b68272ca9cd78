"""One step of every pixel of an event camera.

The level of a pixel is the low-passed logarithm of its light. A pixel with memory M fires ON when its level reaches
M + theta_on and OFF when it falls to M - theta_off, and M moves by that threshold each time.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._random_kernels import gaussian, uniform

_EXPONENT_BIAS = 127
_MANTISSA = 0x7FFFFF
_MANTISSA_SCALE = np.float32(2.0**-23)
_LN2 = np.float32(0.6931471805599453)
_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_SIXTH = np.float32(1.0 / 6.0)
_DIMMEST = 0.2
"""Light, relative to half of full light, below which the photoreceptor's noise no longer grows: its bandwidth falls."""
# log2(1 + m) = m + m (1 - m) q(m) on [0, 1]: exact at both ends, so that the logarithm is continuous at powers of two.
# Least-squares fit of q at Chebyshev nodes; the error of the logarithm is below 3e-6.
_Q0 = np.float32(0.44267623)
_Q1 = np.float32(-0.27800974)
_Q2 = np.float32(0.19588208)
_Q3 = np.float32(-0.13028875)
_Q4 = np.float32(0.06350488)
_Q5 = np.float32(-0.01512545)


@njit(cache=True, nogil=True, error_model="numpy")
def front_end(
    light: NDArray[np.float32],
    bits: NDArray[np.int32],
    level: NDArray[np.float32],
    previous: NDArray[np.float32],
    cutoff_turns: np.float32,
) -> None:
    """Move `level` towards ln(light) by a first-order low-pass; `previous` keeps where it was.

    `bits` views `light` as int32: the logarithm is read off its exponent and a polynomial in its mantissa.
    `cutoff_turns` is 2 pi cutoff dt at half of full light; the cutoff follows the light, as a photoreceptor's does.
    """
    for i in range(light.size):
        word = bits[i]
        exponent = np.float32((word >> 23) - _EXPONENT_BIAS)
        m = np.float32(word & _MANTISSA) * _MANTISSA_SCALE
        q = _Q0 + m * (_Q1 + m * (_Q2 + m * (_Q3 + m * (_Q4 + m * _Q5))))
        target = (exponent + m + m * (_ONE - m) * q) * _LN2
        w = cutoff_turns * min(np.float32(1.5), max(np.float32(0.05), light[i] + light[i]))
        # 1 - exp(-w) with exp by three terms of its series in the denominator: stable for every w, exact at 0 and inf.
        remains = _ONE / (_ONE + w * (_ONE + w * (_HALF + w * _SIXTH)))
        old = level[i]
        previous[i] = old
        level[i] = target + remains * (old - target)


@njit(cache=True, nogil=True, error_model="numpy")
def add_receptor_noise(
    light: NDArray[np.float32],
    level: NDArray[np.float32],
    wander: NDArray[np.float32],
    seen: NDArray[np.float32],
    previous: NDArray[np.float32],
    remains: float,
    kick: float,
    key: np.uint64,
) -> None:
    """Let the noise of each photoreceptor wander on and add it to its level; `previous` keeps what was seen before.

    The noise is an Ornstein-Uhlenbeck process: the share `remains` of it outlives the step and `kick` is the standard
    deviation of what comes new, at half of full light. It grows with the inverse root of the light, as that of photons.
    """
    for i in range(level.size):
        dim = max(_DIMMEST, 2.0 * light[i])
        wander[i] = np.float32(remains * wander[i] + kick / np.sqrt(dim) * gaussian(key, i))
        previous[i] = seen[i]
        seen[i] = level[i] + wander[i]


@njit(cache=True, nogil=True, error_model="numpy")
def count_crossings(
    level: NDArray[np.float32],
    memory: NDArray[np.float32],
    theta_on: NDArray[np.float32],
    theta_off: NDArray[np.float32],
    leak: np.float32,
) -> int:
    """Lower each memory by its leak and return how many thresholds all pixels will cross."""
    count = 0
    for i in range(level.size):
        memory[i] -= leak * theta_on[i]
        r = memory[i]
        if level[i] - r >= theta_on[i]:
            while level[i] - r >= theta_on[i]:
                r += theta_on[i]
                count += 1
        elif r - level[i] >= theta_off[i]:
            while r - level[i] >= theta_off[i]:
                r -= theta_off[i]
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def emit_crossings(
    level: NDArray[np.float32],
    previous: NDArray[np.float32],
    memory: NDArray[np.float32],
    theta_on: NDArray[np.float32],
    theta_off: NDArray[np.float32],
    last: NDArray[np.int64],
    clock: NDArray[np.int64],
    out_t: NDArray[np.int64],
    out_i: NDArray[np.int64],
    out_p: NDArray[np.uint8],
) -> int:
    """Write the events of the crossings and return their number; `clock` is (start, stop, refractory) in us.

    The level runs straight from `previous` to `level`. A crossing during the refractory time is lost, but the memory
    still moves: otherwise the pixel would fire twice as soon as it may again.
    """
    start, stop, refractory = clock[0], clock[1], clock[2]
    count = 0
    for i in range(level.size):
        b = level[i]
        r = memory[i]
        if b - r >= theta_on[i]:
            polarity, step = 1, theta_on[i]
        elif r - b >= theta_off[i]:
            polarity, step = 0, -theta_off[i]
        else:
            continue
        span = b - previous[i]
        while (b - r >= step) if polarity == 1 else (b - r <= step):
            r += step
            share = 1.0 if span == 0.0 else (float(r) - float(previous[i])) / float(span)
            share = min(1.0, max(0.0, share))
            t = start + max(1, int(np.ceil(share * (stop - start))))
            if t - last[i] >= refractory:
                out_t[count] = t
                out_i[count] = i
                out_p[count] = polarity
                count += 1
                last[i] = t
        memory[i] = r
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def emit_noise(
    light: NDArray[np.float32],
    level: NDArray[np.float32],
    memory: NDArray[np.float32],
    last: NDArray[np.int64],
    clock: NDArray[np.int64],
    key: np.uint64,
    pixels: NDArray[np.int64],
    out_t: NDArray[np.int64],
    out_i: NDArray[np.int64],
    out_p: NDArray[np.uint8],
) -> int:
    """Write one noise event for each entry of `pixels` (-1: any pixel) and return how many were kept.

    A pixel drawn at random is kept less often the brighter it is, down to a quarter: shot noise. A kept event brings
    the memory to the level, as every event of a pixel does.
    """
    start, stop, refractory = clock[0], clock[1], clock[2]
    count = 0
    for k in range(pixels.size):
        i = pixels[k]
        if i < 0:
            i = int(uniform(key, 4 * k) * light.size)
            if uniform(key, 4 * k + 1) >= 1.0 - 0.75 * min(1.0, light[i]):
                continue
        t = start + 1 + int(uniform(key, 4 * k + 2) * (stop - start))
        if t - last[i] < refractory:
            continue
        out_t[count] = t
        out_i[count] = i
        out_p[count] = 1 if uniform(key, 4 * k + 3) < 0.5 else 0
        count += 1
        last[i] = t
        memory[i] = level[i]
    return count
