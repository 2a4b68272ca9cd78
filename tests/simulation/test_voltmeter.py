"""The second camera model against formulas of Brownian motion."""

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet import Events, OptionError, SensorSize
from eventdet.simulation import VOLTMETER, VoltmeterModel, VoltmeterSensor, make_sensor
from eventdet.simulation._voltmeter_kernels import exp_minus, first_passage

ONE = SensorSize(1, 1)
SILENT = VoltmeterModel(
    gain=4.2, noise_hz=0.0, photon_noise_hz=0.0, leak_hz=0.0, photo_leak_hz=0.0, threshold_spread=0.0, refractory_us=0
)


def picture(light: float, size: SensorSize = ONE) -> NDArray[np.float32]:
    return np.full(tuple(size), light, np.float32)


def passages(distance: float, drift: float, variance: float, count: int = 20_000) -> NDArray[np.float64]:
    return np.array([first_passage(distance, drift, variance, np.uint64(5), k) for k in range(count)])


def test_passages_towards_the_drift_have_mean_and_variance_of_the_inverse_gaussian() -> None:
    # Mean a / m, variance a s / m^3.
    times = passages(0.6, 3.0, 0.4)
    assert times.mean() == pytest.approx(0.2, rel=0.02)
    assert times.var() == pytest.approx(0.6 * 0.4 / 27, rel=0.08)


def test_passages_against_the_drift_happen_with_their_probability() -> None:
    times = passages(0.5, -1.0, 1.5)
    passed = np.isfinite(times)
    assert passed.mean() == pytest.approx(math.exp(-2 * 0.5 * 1.0 / 1.5), abs=0.015)
    assert times[passed].mean() == pytest.approx(0.5, rel=0.05)


def test_passages_without_drift_have_the_median_of_the_levy_distribution() -> None:
    # P(T < t) = 2 (1 - Phi(a / sqrt(s t))): one half at a / sqrt(s t) = 0.6745.
    times = passages(0.7, 0.0, 2.0)
    # Sums of eight numbers are a little flatter in the middle than a normal one.
    assert np.median(times) == pytest.approx((0.7 / 0.6745) ** 2 / 2.0, rel=0.07)


def test_passages_without_noise_are_on_the_straight_line() -> None:
    assert first_passage(0.6, 3.0, 0.0, np.uint64(1), 0) == pytest.approx(0.2)
    assert first_passage(0.6, -3.0, 0.0, np.uint64(1), 0) == math.inf
    assert first_passage(0.6, 0.0, 0.0, np.uint64(1), 0) == math.inf


def test_exp_minus_is_near_the_library_where_it_matters() -> None:
    z = np.linspace(0.0, 2.3, 200)
    np.testing.assert_allclose([exp_minus(value) for value in z], np.exp(-z), rtol=2e-3)
    assert exp_minus(60.0) < 1e-6


@pytest.mark.parametrize(("before", "after"), [(0.1, 0.25), (0.5, 0.2)], ids=["brighter", "darker"])
def test_a_step_without_noise_gives_events_at_even_times(before: float, after: float) -> None:
    sensor = make_sensor(SILENT, size=ONE, seed=0)
    assert len(sensor.step(picture(before), t_us=1000)) == 0
    events = sensor.step(picture(after), t_us=5000)
    thresholds = SILENT.gain * abs(after - before) / ((before + after) / 2 + SILENT.dark_light)
    assert events.p.tolist() == [int(after > before)] * math.floor(thresholds)
    expected = [1000 + 4000 * k / thresholds for k in range(1, math.floor(thresholds) + 1)]
    np.testing.assert_allclose(events.t, expected, atol=1.0)


def test_what_is_left_of_a_step_counts_in_the_next() -> None:
    sensor = make_sensor(dataclasses.replace(SILENT, dark_light=1e-6), size=ONE, seed=0)
    # 0.7 thresholds three times: 0.7, 1.4, 2.1.
    lights = [0.2]
    for _ in range(3):
        share = 0.7 / SILENT.gain
        lights.append(lights[-1] * (1 + share / 2) / (1 - share / 2))
    counts = [len(sensor.step(picture(light), t_us=1000 * k)) for k, light in enumerate(lights)]
    assert counts == [0, 0, 1, 1]


def test_noise_of_a_constant_picture_has_the_rate_of_its_variance() -> None:
    # From 0 to +-1 takes 1 / variance on average, so that many events a second.
    size = SensorSize(60, 60)
    sensor = VoltmeterSensor(dataclasses.replace(SILENT, noise_hz=8.0), size=size, seed=0)
    events = Events.concatenate(sensor.step(picture(0.3, size), t_us=t) for t in range(0, 1_000_001, 1000))
    # The two barriers are drawn apart from each other, which costs some.
    assert len(events) / 3600 == pytest.approx(8.0, rel=0.15)
    assert events.p.mean() == pytest.approx(0.5, abs=0.02)
    assert events.is_sorted()


def test_a_burst_beyond_the_first_room_is_whole() -> None:
    size = SensorSize(100, 100)
    sensor = VoltmeterSensor(dataclasses.replace(SILENT, dark_light=1e-6), size=size, seed=0)
    sensor.step(picture(0.1, size), t_us=0)
    # 4.2 * 0.1 / 0.15 = 2.8 thresholds at each of 10,000 pixels.
    events = sensor.step(picture(0.2, size), t_us=1000)
    assert len(events) == 20_000
    assert np.bincount(events.y.astype(np.int64) * 100 + events.x).tolist() == [2] * 10_000


def test_events_closer_than_the_refractory_time_are_lost() -> None:
    sensor = make_sensor(dataclasses.replace(SILENT, dark_light=1e-6, refractory_us=1200), size=ONE, seed=0)
    sensor.step(picture(0.1), t_us=0)
    # 4.2 * 0.2 / 0.2 = 4.2 thresholds in 4200 us: at 1000, 2000, 3000, 4000.
    assert sensor.step(picture(0.3), t_us=4200).t.tolist() == pytest.approx([1000, 3000], abs=1)


@pytest.mark.parametrize("seed", range(5))
def test_randomised_models_repeat_and_differ(seed: int) -> None:
    model = VOLTMETER.randomised(seed)
    assert model == VOLTMETER.randomised(seed) != VOLTMETER.randomised(seed + 1)
    assert 3.9 < model.gain < 6.4


def test_a_model_outside_its_limits_is_refused() -> None:
    with pytest.raises(OptionError, match=r"gain must be >= 0\.01"):
        VoltmeterModel(gain=0.0)
