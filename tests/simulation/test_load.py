"""Recordings brought to a rate."""

import numpy as np
import pytest

from eventdet import Events, SensorSize
from eventdet.simulation import SimulationConfig, simulate
from eventdet.simulation.load import EventLoad

SIZE = SensorSize(10, 20)


def stream(*stamps: int) -> Events:
    return Events.from_columns(t=stamps, x=[0] * len(stamps), y=[0] * len(stamps), p=[1] * len(stamps))


def test_too_many_events_are_thinned_at_even_distances() -> None:
    load = EventLoad(4000.0, size=SIZE, seed=1)
    assert load.apply(stream(*range(100, 900, 100)), start_us=0, stop_us=1000).t.tolist() == [100, 300, 500, 700]


def test_too_few_events_are_filled_up_with_noise_and_kept() -> None:
    load = EventLoad(1e6, size=SIZE, seed=1)
    filled = load.apply(stream(300, 700), start_us=0, stop_us=1000)
    assert len(filled) == 1000
    assert filled.is_sorted()
    assert {300, 700} <= set(filled.t[(filled.x == 0) & (filled.y == 0) & (filled.p == 1)].tolist())
    assert filled.t.min() > 0
    assert filled.t.max() <= 1000
    # Every pixel expects five of them.
    assert np.bincount(filled.y.astype(np.int64) * 20 + filled.x, minlength=200).max() < 20
    assert 0.4 < filled.p.mean() < 0.6


def test_steps_shorter_than_an_event_add_up_to_the_rate() -> None:
    load = EventLoad(100.0, size=SIZE, seed=1)
    counts = [len(load.apply(stream(), start_us=t, stop_us=t + 4000)) for t in range(0, 1_000_000, 4000)]
    assert sum(counts) == 100
    assert max(counts) == 1


def test_noise_never_falls_behind_what_a_slow_readout_stamped_late() -> None:
    load = EventLoad(1e4, size=SIZE, seed=1)
    first = load.apply(stream(*range(991, 1011)), start_us=0, stop_us=1000)
    assert first.t[-1] > 1000
    assert load.apply(stream(), start_us=1000, stop_us=2000).t.min() >= first.t[-1]


@pytest.mark.parametrize("rate_hz", [2e4, 5e6], ids=["thin", "full"])
def test_a_recording_has_the_wanted_rate_in_every_ten_milliseconds(rate_hz: float) -> None:
    events = simulate(SimulationConfig(3, 60_000, rate_hz=rate_hz)).events
    counts = np.histogram(events.t, bins=np.arange(1, 60_002, 10_000))[0]
    # Steps of 1 to 8 ms have their share exactly; within one the scene decides.
    assert counts.sum() == pytest.approx(0.06 * rate_hz, rel=0.01, abs=30)
    assert (np.abs(counts - 0.01 * rate_hz) < 0.3 * rate_hz * 0.008 + 30).all()
