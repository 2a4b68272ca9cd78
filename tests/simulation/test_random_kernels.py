"""The generator of the kernels against the one in Python."""

import numpy as np

from eventdet.simulation._random_kernels import fill_uniform, gaussian, hash64, uniform
from eventdet.simulation.reproducible import mix64

_GOLDEN = 0x9E3779B97F4A7C15


def test_hash_of_the_kernels_is_the_hash_in_python() -> None:
    for value in (0, 1, _GOLDEN, 2**64 - 1):
        assert int(hash64(np.uint64(value))) == mix64(value)


def test_uniform_numbers_are_the_top_bits_of_the_hash() -> None:
    numbers = np.empty(5)
    fill_uniform(np.uint64(42), numbers)
    assert numbers.tolist() == [(mix64(42 + k * _GOLDEN) >> 11) * 2.0**-53 for k in range(5)]
    assert uniform(np.uint64(42), 3) == numbers[3]


def test_gaussian_numbers_have_the_moments_of_a_normal_one() -> None:
    numbers = np.array([gaussian(np.uint64(7), k) for k in range(20_000)])
    # Standard errors: 0.007 of the mean, 0.005 of the deviation; kurtosis of eight uniform numbers is 3 - 1.2 / 8.
    assert abs(numbers.mean()) < 0.03
    assert abs(numbers.std() - 1.0) < 0.02
    assert abs((numbers**4).mean() - 2.85) < 0.15
    assert np.abs(numbers).max() < 4.9
