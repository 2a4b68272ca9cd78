"""RVT's schedule: which label times stay, and where the windows between them end."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.preprocessing.interchange.rvt_schedule import Schedule, make_schedule

PERIOD_US = 250_000
STEP_US = 50_000


def _schedule(stamps_us: list[int], *, t_first_us: int = 0) -> Schedule | None:
    return make_schedule(
        np.array(stamps_us, np.int64), t_first_us=t_first_us, step_us=STEP_US, label_period_us=PERIOD_US
    )


def test_windows_lead_to_the_first_label_without_the_very_first_one() -> None:
    # Back from 500 ms in steps of 50 ms down to 100 ms; the window that ends at 50 ms is left out.
    schedule = _schedule([500_000])
    assert schedule is not None
    assert schedule.ends_us.tolist() == list(range(100_000, 500_001, 50_000))
    assert schedule.label_windows.tolist() == [8]


def test_five_windows_lie_between_labels_of_4_hz_also_where_they_stray() -> None:
    schedule = _schedule([250_000, 501_999, 752_001])
    assert schedule is not None
    ends = schedule.ends_us[schedule.label_windows[0] :]
    # 251999 / 5 = 50399.8, 250002 / 5 = 50000.4, cut to whole microseconds.
    assert ends.tolist() == [
        250_000, 300_399, 350_799, 401_199, 451_599, 501_999,
        551_999, 601_999, 652_000, 702_000, 752_001,
    ]  # fmt: skip
    assert schedule.label_windows.tolist() == [3, 8, 13]


def test_a_gap_of_labels_is_filled_with_windows() -> None:
    schedule = _schedule([250_000, 1_000_000])
    assert schedule is not None
    assert schedule.ends_us.tolist() == list(range(100_000, 1_000_001, 50_000))


def test_labels_off_the_grid_or_too_early_are_left_out() -> None:
    # 99999 is before 100 ms; 502001 strays 2001 us from the label before; the grid goes on from 250000.
    schedule = _schedule([99_999, 250_000, 251_000, 502_001, 750_000])
    assert schedule is not None
    assert schedule.label_times_us.tolist() == [250_000, 750_000]


def test_no_label_after_the_start_gives_no_schedule() -> None:
    assert _schedule([]) is None
    assert _schedule([0, 99_999]) is None


def test_a_clock_that_does_not_begin_at_zero_begins_with_its_period() -> None:
    schedule = _schedule([10_500_000], t_first_us=10_249_999)
    assert schedule is not None
    assert schedule.ends_us.tolist() == list(range(10_100_000, 10_500_001, 50_000))


def _window_ends_of_rvt(label_times_us: list[int]) -> NDArray[np.int64]:
    """Return the ends of RVT's preprocessing for labels that it keeps, with the 250 ms of Gen1 between them."""
    ends = list(range(label_times_us[0], 0, -STEP_US))[::-1][1:]
    for before, after in pairwise(label_times_us):
        num_windows = round((after - before) / PERIOD_US) * (PERIOD_US // STEP_US)
        ends.extend(np.linspace(before, after, num_windows + 1).astype(np.int64)[1:].tolist())
    return np.array(ends)


@given(
    st.integers(100_000, 2_000_000),
    st.lists(st.tuples(st.integers(1, 8), st.integers(-2000, 2000)), max_size=20),
)
def test_windows_are_those_of_rvts_preprocessing(first_us: int, steps: list[tuple[int, int]]) -> None:
    label_times = [first_us]
    for num_periods, jitter_us in steps:
        label_times.append(label_times[-1] + num_periods * PERIOD_US + jitter_us)
    schedule = _schedule(label_times)
    assert schedule is not None
    assert schedule.label_times_us.tolist() == label_times
    # RVT cuts sums of floats to integers: what is a whole number may come out one below.
    expected = _window_ends_of_rvt(label_times)
    assert len(schedule.ends_us) == len(expected)
    assert np.all((schedule.ends_us - expected >= 0) & (schedule.ends_us - expected <= 1))


@given(st.lists(st.integers(0, 10_000_000), max_size=40), st.integers(0, 1_000_000))
def test_every_label_kept_ends_a_window_and_ends_increase(stamps_us: list[int], t_first_us: int) -> None:
    schedule = _schedule(stamps_us, t_first_us=t_first_us)
    if schedule is None:
        return
    assert set(schedule.label_times_us.tolist()) <= set(stamps_us)
    np.testing.assert_array_equal(schedule.ends_us[schedule.label_windows], schedule.label_times_us)
    assert schedule.ends_us[-1] == schedule.label_times_us[-1]
    steps = np.diff(schedule.ends_us)
    assert np.all(np.abs(steps - STEP_US) <= 401)
    for before, after in pairwise(schedule.label_times_us.tolist()):
        assert abs((after - before + PERIOD_US // 2) % PERIOD_US - PERIOD_US // 2) <= 2000
