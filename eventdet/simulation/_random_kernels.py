"""Random numbers as pure functions of a key and a counter, so that no order of work and no thread changes them."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_WORD = np.uint64(0xFFFF)
# Eight words, each even on 0..65535: their sum has this mean and this standard deviation.
_SUM_MEAN = 8 * 32767.5
_SUM_DEVIATION = (8 * (65536.0**2 - 1) / 12) ** 0.5


@njit(cache=True, nogil=True, error_model="numpy")
def hash64(value: np.uint64) -> np.uint64:
    """Return the splitmix64 hash of a uint64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True, error_model="numpy")
def uniform(key: np.uint64, counter: int) -> float:
    """Return a number in [0, 1): a pure function of key and counter."""
    word = hash64(key + np.uint64(counter) * _GOLDEN)
    return float(word >> np.uint64(11)) * 2.0**-53


@njit(cache=True, nogil=True, error_model="numpy")
def gaussian(key: np.uint64, counter: int) -> float:
    """Return a nearly normal number of mean 0 and variance 1, at most 4.9 from it; `counter` is below 2**62.

    The sum of eight 16-bit words of two hashes, which needs no logarithm and is exact in integers.
    """
    first = hash64(key + np.uint64(2 * counter) * _GOLDEN)
    second = hash64(key + np.uint64(2 * counter + 1) * _GOLDEN)
    total = np.uint64(0)
    for shift in (0, 16, 32, 48):
        total += (first >> np.uint64(shift)) & _WORD
        total += (second >> np.uint64(shift)) & _WORD
    return (float(total) - _SUM_MEAN) / _SUM_DEVIATION


@njit(cache=True, nogil=True, error_model="numpy")
def fill_uniform(key: np.uint64, out: NDArray[np.float64]) -> None:
    """Fill an array with independent numbers in [0, 1)."""
    for i in range(out.size):
        out[i] = uniform(key, i)
