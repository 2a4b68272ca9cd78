"""The camera model against formulas and a plain reference."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet import Events, OptionError, SensorSize
from eventdet.simulation import ATIS, NOISE_FREE, EventSensor, SensorModel
from eventdet.simulation._sensor_kernels import add_receptor_noise, count_crossings, emit_crossings, front_end

ONE = SensorSize(1, 1)
DARK = NOISE_FREE.dark_light


def picture(light: float, size: SensorSize = ONE) -> NDArray[np.float32]:
    return np.full(tuple(size), light, np.float32)


@pytest.mark.parametrize("contrast", [0.5, 1.5, 3.5, 7.25], ids=str)
@pytest.mark.parametrize("polarity", [0, 1])
def test_a_step_of_k_thresholds_gives_floor_k_events_at_computed_times(contrast: float, polarity: int) -> None:
    theta = NOISE_FREE.threshold_on if polarity else NOISE_FREE.threshold_off
    sensor = EventSensor(NOISE_FREE, size=ONE, seed=0)
    ratio = math.exp(contrast * theta if polarity else -contrast * theta)
    sensor.step(picture(0.5 - DARK), t_us=1000)
    events = sensor.step(picture(0.5 * ratio - DARK), t_us=5000)
    # ln(light) runs straight over 4000 us and reaches the j-th threshold after the share j / contrast.
    expected = [1000 + 4000 * j / contrast for j in range(1, math.floor(contrast) + 1)]
    assert events.p.tolist() == [polarity] * math.floor(contrast)
    np.testing.assert_allclose(events.t, expected, atol=1.0)


def test_a_moving_bar_gives_the_same_events_at_every_edge() -> None:
    # A bar 3 pixels wide, brighter by 2.5 ON thresholds, moves by one pixel each 1000 us over 12 pixels.
    size = SensorSize(1, 12)
    theta = NOISE_FREE.threshold_on
    model = dataclasses.replace(NOISE_FREE, threshold_off=theta)
    sensor = EventSensor(model, size=size, seed=0)
    # Only the three pixels that start inside the bar leave it here: the memory of the others stands at two thresholds
    # and not at the light, and would come back to where it began.
    for k in range(4):
        light = picture(0.2 - DARK, size)
        light[0, k : k + 3] = 0.2 * math.exp(2.5 * theta) - DARK
        events = sensor.step(light, t_us=1000 * k)
        if k:
            # Two thresholds at 0.4 and 0.8 of the way: ON in front, OFF behind.
            assert events.t.tolist() == pytest.approx([1000 * (k - 1) + at for at in (400, 400, 800, 800)], abs=1)
            assert sorted(zip(events.x.tolist(), events.p.tolist(), strict=True)) == [(k - 1, 0)] * 2 + [(k + 2, 1)] * 2


@pytest.mark.parametrize("contrast", [1.25, 2.5, 3.75], ids=str)
def test_a_sinusoid_gives_its_crossings_at_the_arcsine(contrast: float) -> None:
    # ln(light) = A sin(2 pi f t): the n-th threshold is crossed up at asin(n theta / A) / (2 pi f) and again down.
    theta, hertz = 0.2, 20.0
    model = dataclasses.replace(NOISE_FREE, threshold_on=theta, threshold_off=theta)
    sensor = EventSensor(model, size=ONE, seed=0)
    turn = 2 * math.pi * hertz

    def light(t_us: int) -> NDArray[np.float32]:
        return picture(0.3 * math.exp(contrast * theta * math.sin(turn * t_us / 1e6)) - DARK)

    events = Events.concatenate(sensor.step(light(t_us), t_us=t_us) for t_us in range(0, 50_001, 100))
    rise = [math.asin(n / contrast) / turn for n in range(1, math.floor(contrast) + 1)]
    # After the n-th ON event the memory stands at n: the next OFF event is one threshold below the last ON event.
    top = math.floor(contrast)
    fall = [math.pi / turn - math.asin(n / contrast) / turn for n in range(top - 1, -top - 1, -1)]
    again = [2 * math.pi / turn - math.asin(n / contrast) / turn for n in range(top - 1, -1, -1)]
    expected = [t * 1e6 for t in (*rise, *fall, *again)]
    assert events.p.tolist() == [1] * top + [0] * 2 * top + [1] * top
    np.testing.assert_allclose(events.t, np.ceil(expected), atol=1.0)


def test_a_constant_picture_without_noise_gives_no_event() -> None:
    size = SensorSize(8, 9)
    sensor = EventSensor(dataclasses.replace(NOISE_FREE, start_spread=1.0), size=size, seed=3)
    light = np.linspace(0, 1, 72, dtype=np.float32).reshape(8, 9)
    assert sum(len(sensor.step(light, t_us=t)) for t in range(0, 100_000, 5000)) == 0


def test_the_leak_of_a_constant_picture_gives_on_events_at_its_rate() -> None:
    # 2 Hz over 3 s: six ON events a pixel, seven where the start lies just below a crossing.
    sensor = EventSensor(dataclasses.replace(NOISE_FREE, leak_hz=2.0), size=SensorSize(2, 2), seed=0)
    events = Events.concatenate(sensor.step(picture(0.3, SensorSize(2, 2)), t_us=t) for t in range(0, 3_100_000, 5000))
    assert events.p.all()
    assert np.bincount(events.y.astype(np.int64) * 2 + events.x, minlength=4).tolist() == [6] * 4


def test_shot_noise_in_the_dark_has_its_rate_and_a_quarter_in_full_light() -> None:
    size = SensorSize(100, 100)
    counts = []
    for light in (0.0, 1.0):
        sensor = EventSensor(dataclasses.replace(NOISE_FREE, shot_noise_hz=5.0), size=size, seed=1)
        counts.append(sum(len(sensor.step(picture(light, size), t_us=t)) for t in range(0, 1_000_001, 5000)))
    # 50000 expected in the dark (four standard deviations are 900) and 12500 in the light (450).
    assert abs(counts[0] - 50_000) < 1000
    assert abs(counts[1] - 12_500) < 500


def test_hot_pixels_fire_at_their_rate_and_nobody_else_does() -> None:
    size = SensorSize(50, 50)
    model = dataclasses.replace(NOISE_FREE, hot_pixel_share=0.02, hot_pixel_hz=50.0)
    sensor = EventSensor(model, size=size, seed=1)
    events = Events.concatenate(sensor.step(picture(0.2, size), t_us=t) for t in range(0, 2_000_001, 5000))
    counts = np.bincount(events.y.astype(np.int64) * 50 + events.x, minlength=2500)
    # 50 of 2500 pixels are expected, 100 events each in 2 s.
    assert 25 < np.count_nonzero(counts) < 80
    assert abs(counts[counts > 0].mean() - 100) < 8


def test_events_closer_than_the_refractory_time_are_lost_but_the_memory_moves() -> None:
    model = dataclasses.replace(NOISE_FREE, refractory_us=1500)
    sensor = EventSensor(model, size=ONE, seed=0)
    sensor.step(picture(0.1 - DARK), t_us=0)
    # Four thresholds at 1000, 2000, 3000, 4000 us: the second and fourth come too early.
    events = sensor.step(picture(0.1 * math.exp(4.0001 * model.threshold_on) - DARK), t_us=4000)
    assert events.t.tolist() == pytest.approx([1000, 3000], abs=1)
    assert len(sensor.step(picture(0.1 * math.exp(4.0001 * model.threshold_on) - DARK), t_us=10_000)) == 0


def test_thresholds_of_the_atis_differ_from_pixel_to_pixel() -> None:
    size = SensorSize(60, 60)
    sensor = EventSensor(dataclasses.replace(NOISE_FREE, threshold_spread=0.05), size=size, seed=1)
    sensor.step(picture(0.1, size), t_us=0)
    first = sensor.step(picture(0.1 * math.exp(0.235), size), t_us=1000)
    # A step of about the mean threshold fires about half of the pixels.
    assert 0.3 < len(first) / 3600 < 0.7


def test_the_low_pass_delays_the_answer() -> None:
    slow = dataclasses.replace(NOISE_FREE, cutoff_hz=10.0)
    counts = []
    for model in (NOISE_FREE, slow):
        sensor = EventSensor(model, size=ONE, seed=0)
        sensor.step(picture(0.1), t_us=0)
        counts.append([len(sensor.step(picture(0.5), t_us=t)) for t in (1000, 200_000)])
    # ln(5) is 6.8 thresholds: all at once without filter; with it only later.
    assert counts[0] == [6, 0]
    assert counts[1][0] < 3
    assert sum(counts[1]) == 6


def test_receptor_noise_has_its_deviation_and_grows_in_the_dark() -> None:
    size = SensorSize(100, 100)
    light = np.full(10_000, 0.5, np.float32)
    light[5000:] = 0.125
    level, wander = np.zeros(10_000, np.float32), np.zeros(10_000, np.float32)
    seen, previous = level.copy(), level.copy()
    for key in range(200):
        add_receptor_noise(light, level, wander, seen, previous, 0.8, 0.1 * 0.6, np.uint64(1000 * key))
    # Half of full light: 0.1. A quarter of that light: twice as much. Standard error 1 %.
    assert seen[:5000].std() == pytest.approx(0.1, rel=0.04)
    assert seen[5000:].std() == pytest.approx(0.2, rel=0.04)
    # 0.8 of it outlives a step.
    assert np.corrcoef(seen, previous)[0, 1] == pytest.approx(0.8, abs=0.03)
    sensor = EventSensor(dataclasses.replace(NOISE_FREE, receptor_noise=0.15), size=size, seed=0)
    events = Events.concatenate(sensor.step(picture(0.5, size), t_us=t) for t in range(0, 500_001, 2000))
    order = np.lexsort((events.t, events.y.astype(np.int64) * 100 + events.x))
    pixel, p = (events.y.astype(np.int64) * 100 + events.x)[order], events.p[order]
    same = pixel[1:] == pixel[:-1]
    # The noise comes back: after ON mostly follows OFF.
    assert len(events) > 5000
    assert np.mean((p[1:] == p[:-1])[same]) < 0.3


def test_events_of_a_step_are_sorted_and_inside_it() -> None:
    size = SensorSize(20, 30)
    sensor = EventSensor(ATIS.randomised(5), size=size, seed=5)
    rng = np.random.default_rng(0)
    sensor.step(rng.random((20, 30), np.float32), t_us=100)
    for t0, t1 in ((100, 4000), (4000, 4001), (4001, 200_000)):
        events = sensor.step(rng.random((20, 30), np.float32), t_us=t1)
        assert events.is_sorted()
        assert len(events) == 0 or (events.t.min() > t0 and events.t.max() <= t1)


@pytest.mark.parametrize(
    "light",
    [picture(0.5, SensorSize(2, 1)), np.zeros((1, 1)), picture(-0.1), picture(math.nan), picture(math.inf)],
    ids=["shape", "dtype", "negative", "nan", "infinite"],
)
def test_a_picture_outside_the_rule_is_refused(light: NDArray[np.float32]) -> None:
    with pytest.raises(OptionError, match="light must be"):
        EventSensor(ATIS, size=ONE, seed=0).step(light, t_us=0)


def test_a_picture_that_is_not_later_is_refused() -> None:
    sensor = EventSensor(ATIS, size=ONE, seed=0)
    sensor.step(picture(0.5), t_us=10)
    with pytest.raises(OptionError, match="t_us must be later"):
        sensor.step(picture(0.5), t_us=10)


@pytest.mark.parametrize(
    "change", [{"threshold_on": 0.0}, {"leak_hz": -1.0}, {"cutoff_hz": math.nan}, {"refractory_us": -1}], ids=str
)
def test_a_model_outside_its_limits_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(change))} must be >="):
        dataclasses.replace(ATIS, **change)  # type: ignore[arg-type]  # one mapping for fields of two types


@pytest.mark.parametrize("seed", range(20))
def test_randomised_models_stay_in_the_range_of_real_cameras(seed: int) -> None:
    model = ATIS.randomised(seed)
    assert model == ATIS.randomised(seed)
    assert 0.15 < model.threshold_on < 0.4
    assert 0.15 < model.threshold_off < 0.4
    assert 15 < model.cutoff_hz < 300
    assert isinstance(model, SensorModel)


def test_front_end_takes_the_logarithm_and_the_low_pass() -> None:
    light = np.geomspace(1e-3, 50, 5000).astype(np.float32)
    start = np.linspace(-3, 3, 5000, dtype=np.float32)
    level, previous = start.copy(), np.zeros_like(start)
    front_end(light, light.view(np.int32), level, previous, np.float32(0.7))
    w = 0.7 * np.clip(2.0 * light.astype(np.float64), 0.05, 1.5)
    remains = 1 / (1 + w + w**2 / 2 + w**3 / 6)
    target = np.log(light.astype(np.float64))
    np.testing.assert_array_equal(previous, start)
    np.testing.assert_allclose(level, target + remains * (start - target), atol=3e-6)


Pixel = tuple[float, float, float]
PIXELS = st.lists(
    st.tuples(st.floats(-3, 3, width=32), st.floats(-3, 3, width=32), st.floats(-0.1875, 0.1875, width=32)),
    max_size=12,
)


def reference_events(pixels: list[Pixel], on: np.float32, off: np.float32, refractory: int) -> list[list[int]]:
    events = []
    for i, (before, after, offset) in enumerate(pixels):
        a, b = np.float32(before), np.float32(after)
        memory = np.float32(a + np.float32(offset))
        last = -(10**12)
        step, polarity = (on, 1) if b - memory >= on else (-off, 0)
        while (b - memory >= step) if polarity else (memory - b >= off):
            memory = np.float32(memory + step)
            share = 1.0 if a == b else min(1.0, max(0.0, (float(memory) - float(a)) / float(b - a)))
            t = 1000 + max(1, math.ceil(share * 3000))
            if t - last >= refractory:
                events.append([t, i, polarity])
                last = t
    return events


@settings(deadline=None)
@given(PIXELS, st.integers(0, 2000))
def test_crossings_of_any_pixels_agree_with_the_plain_reference(pixels: list[Pixel], refractory: int) -> None:
    table = np.array(pixels, np.float32).reshape(-1, 3)
    previous, level, offset = (np.ascontiguousarray(column) for column in table.T)
    on, off = np.full(len(table), 0.21, np.float32), np.full(len(table), 0.26, np.float32)
    memory = previous + offset
    total = count_crossings(level, memory, on, off, np.float32(0.0))
    t, pixel, p = np.zeros(total, np.int64), np.zeros(total, np.int64), np.zeros(total, np.uint8)
    last = np.full(len(table), -(10**12), np.int64)
    clock = np.array([1000, 4000, refractory], np.int64)
    kept = emit_crossings(level, previous, memory, on, off, last, clock, t, pixel, p)
    got = np.column_stack([t, pixel, p])[:kept].tolist()
    assert got == reference_events(pixels, np.float32(0.21), np.float32(0.26), refractory)
