"""Arithmetic that gives the same bits on every machine.

The digest of a recording must not depend on the CPU, the C library or the NumPy version. So the simulator draws from
its own counter-based generator and builds its few transcendental functions from ``+ - *`` and rounding, which IEEE 754
defines to the last bit; libm and SIMD versions of ``sin`` and ``exp`` differ between machines in the last place.
"""

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Draws", "exp2", "mix64", "sine", "sine_at"]

_T = TypeVar("_T")
_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_LN2 = 0.6931471805599453
_EXP2_TERMS = 16


def mix64(value: int) -> int:
    """Return a 64-bit hash of an integer: the finaliser of splitmix64 (Steele, Lea, Flood 2014, figure 16).

    Examples
    --------
    >>> hex(mix64(0x9E3779B97F4A7C15))
    '0xe220a8397b1dcdaf'
    """
    value &= _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def exp2(exponent: float) -> float:
    """Return two to the power of `exponent`, by its Taylor series between whole powers."""
    whole = math.floor(exponent)
    x = (exponent - whole) * _LN2
    total = 1.0
    for term in range(_EXP2_TERMS, 0, -1):
        total = 1.0 + total * x / term
    return math.ldexp(total, whole)


def sine(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sine-like wave of period 1, within 0.0011 of ``sin(2 pi turns)`` and smooth where parabolas meet.

    Parameters
    ----------
    turns : ndarray, float64
        Angle in full turns, any shape.

    Returns
    -------
    ndarray, float64
        Same shape, in [-1, 1].
    """
    x = turns - np.floor(turns + 0.5)
    wave = 8.0 * x - 16.0 * x * np.abs(x)
    result: NDArray[np.float64] = 0.775 * wave + 0.225 * wave * np.abs(wave)
    return result


def sine_at(turns: float) -> float:
    """Return :func:`sine` of one number, to the bit: a tenth of the time that an array of one takes."""
    x = turns - math.floor(turns + 0.5)
    wave = 8.0 * x - 16.0 * x * abs(x)
    return 0.775 * wave + 0.225 * wave * abs(wave)


class Draws:
    """A stream of random numbers, a pure function of seed, name and position.

    Parameters
    ----------
    seed : int
        Any integer; its low 64 bits count.
    stream : str
        Name of the stream: one seed gives independent numbers to each part, so that a new draw in one part does not
        change the others.
    """

    def __init__(self, seed: int, stream: str) -> None:
        self._state = mix64(seed)
        for byte in stream.encode():
            self._state = mix64(self._state ^ byte)

    def bits(self) -> int:
        """Return the next 64 random bits."""
        self._state = (self._state + _GOLDEN) & _MASK
        return mix64(self._state)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return a number in [low, high)."""
        return low + (high - low) * ((self.bits() >> 11) * 2.0**-53)

    def octaves(self, low: float, octaves: float) -> float:
        """Return a number whose logarithm is uniform, from `low` to ``low * 2**octaves``."""
        return low * exp2(self.uniform(0.0, octaves))

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self.uniform() < probability

    def choice(self, options: Sequence[_T]) -> _T:
        """Return one of the options."""
        return options[int(self.uniform() * len(options))]
