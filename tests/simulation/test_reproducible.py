"""The simulator's own generator and functions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.simulation.reproducible import Draws, exp2, mix64, sine, sine_at


def test_mix64_of_splitmix_states_gives_its_published_outputs() -> None:
    # First outputs of splitmix64 from state 0, as printed by the reference implementation (Vigna, splitmix64.c).
    golden = 0x9E3779B97F4A7C15
    assert [mix64(golden * k) for k in (1, 2, 3)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


@given(st.floats(-40, 40))
def test_exp2_of_any_exponent_is_close_to_the_library(exponent: float) -> None:
    assert exp2(exponent) == pytest.approx(math.pow(2.0, exponent), rel=1e-14)


def test_exp2_of_whole_numbers_is_exact() -> None:
    assert [exp2(k) for k in (-3, 0, 1, 10)] == [0.125, 1.0, 2.0, 1024.0]


def test_sine_over_several_turns_stays_near_the_true_one() -> None:
    turns = np.linspace(-3, 3, 10_001)
    assert np.abs(sine(turns) - np.sin(2 * np.pi * turns)).max() < 0.0011


@given(st.floats(-1e6, 1e6))
def test_sine_of_one_number_is_that_of_an_array_to_the_bit(turns: float) -> None:
    assert sine_at(turns) == sine(np.array([turns]))[0]


def test_draws_of_one_seed_and_stream_repeat() -> None:
    first, second = Draws(7, "a"), Draws(7, "a")
    assert [first.bits() for _ in range(5)] == [second.bits() for _ in range(5)]


def test_draws_of_another_seed_or_stream_differ() -> None:
    heads = {Draws(seed, stream).bits() for seed in (0, 1, -1, 2**63) for stream in ("a", "b", "ab")}
    assert len(heads) == 12


def test_uniform_draws_fill_their_interval_evenly() -> None:
    draw = Draws(3, "even")
    numbers = np.array([draw.uniform(2.0, 6.0) for _ in range(4000)])
    assert 2.0 <= numbers.min() < 2.01
    assert 5.99 < numbers.max() < 6.0
    # Mean 4, standard error 4 / sqrt(12 * 4000) = 0.018; four of these.
    assert abs(numbers.mean() - 4.0) < 0.073


def test_octaves_draws_stay_between_low_and_its_power() -> None:
    draw = Draws(3, "octaves")
    numbers = [draw.octaves(0.5, 3.0) for _ in range(1000)]
    assert min(numbers) >= 0.5
    assert max(numbers) < 4.0
    # Half of them lie below the geometric mean sqrt(0.5 * 4).
    assert 430 < sum(number < math.sqrt(2.0) for number in numbers) < 570


def test_choice_reaches_every_option() -> None:
    draw = Draws(1, "choice")
    assert {draw.choice("xyz") for _ in range(100)} == set("xyz")


def test_chance_of_zero_and_one_is_certain() -> None:
    draw = Draws(1, "chance")
    assert not any(draw.chance(0.0) for _ in range(100))
    assert all(draw.chance(1.0) for _ in range(100))
