"""Statistics of a patch, counted by hand."""

import math

import pytest

from eventdet import Events, SensorSize
from eventdet.simulation.statistics import measure_patch


def test_statistics_of_a_few_events_are_those_counted_by_hand() -> None:
    events = Events.from_columns(
        t=[1_000, 3_000, 4_000, 9_000, 40_000], x=[0, 0, 1, 0, 3], y=[0, 0, 0, 0, 1], p=[1, 0, 1, 0, 1]
    )
    found = measure_patch(events, SensorSize(2, 4), duration_us=100_000)
    # Five events on eight pixels in a tenth of a second; three pixels have fired.
    assert found.rate == pytest.approx(5 / 8 / 0.1)
    assert found.on_share == pytest.approx(3 / 5)
    assert found.active_share == pytest.approx(3 / 8)
    assert found.events_per_active == pytest.approx(5 / 3)
    # Pixel (0, 0) fired ON, OFF, OFF with 2 and 6 ms between.
    assert found.interval_p50_ms == pytest.approx(4.0)
    assert found.interval_p10_ms == pytest.approx(2.4)
    assert found.same_polarity == pytest.approx(1 / 2)
    # The event at 4 ms has a neighbour at 3 ms, that at 9 ms has it at 4 ms; the other three are alone.
    assert found.isolated == pytest.approx(3 / 5)
    # Counts are 3, 1, 1 and five zeros: 0.99 * 7 = 6.93 of the way, between 1 and 3.
    assert found.count_p99 == pytest.approx(1 + 0.93 * 2)


def test_statistics_of_a_silent_patch_are_zero_or_not_a_number() -> None:
    found = measure_patch(Events.empty(), SensorSize(2, 4), duration_us=100_000)
    assert (found.rate, found.active_share, found.count_p99) == (0.0, 0.0, 0.0)
    unknown = (found.on_share, found.events_per_active, found.interval_p50_ms, found.same_polarity, found.isolated)
    assert all(math.isnan(value) for value in unknown)
