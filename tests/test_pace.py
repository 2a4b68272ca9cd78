import pytest

from eventdet.pace import Pacer


class FakeTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_ns = 1_000_000
        self.slept_s: list[float] = []

    def clock(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ns += round(seconds * 1e9)


def test_max_pace_never_sleeps() -> None:
    time = FakeTime()
    pacer = Pacer(float("inf"), clock=time.clock, sleep=time.sleep)
    assert pacer.wait_until(10**9, start_us=0) == time.now_ns
    assert time.slept_s == []


@pytest.mark.parametrize(("factor", "expected_ms"), [(1.0, 50.0), (2.0, 25.0), (0.5, 100.0)])
def test_a_window_is_handed_out_when_its_end_has_come(factor: float, expected_ms: float) -> None:
    time = FakeTime()
    pacer = Pacer(factor, clock=time.clock, sleep=time.sleep)
    available = pacer.wait_until(7_050_000, start_us=7_000_000)
    assert sum(time.slept_s) * 1e3 == pytest.approx(expected_ms)
    assert available == 1_000_000 + round(expected_ms * 1e6)


def test_coming_late_returns_when_the_data_was_due() -> None:
    time = FakeTime()
    pacer = Pacer(1.0, clock=time.clock, sleep=time.sleep)
    pacer.wait_until(50_000, start_us=0)
    time.now_ns += 200_000_000
    # The second window was due 100 ms after the start; we come 150 ms later than that, and do not sleep.
    sleeps = len(time.slept_s)
    assert pacer.wait_until(100_000, start_us=0) == 1_000_000 + 100_000_000
    assert len(time.slept_s) == sleeps


def test_a_stop_ends_the_wait_within_a_nap() -> None:
    time = FakeTime()
    pacer = Pacer(1.0, clock=time.clock, sleep=time.sleep, should_stop=lambda: sum(time.slept_s) > 1.0)
    pacer.wait_until(3_600_000_000, start_us=0)
    assert sum(time.slept_s) <= 1.0 + 2 * 0.05


def test_what_was_shown_already_is_not_waited_for_and_the_rest_is() -> None:
    time = FakeTime()
    pacer = Pacer(1.0, clock=time.clock, sleep=time.sleep, hurry_until_us=3_600_000_000)
    assert pacer.wait_until(3_600_000_000, start_us=3_599_950_000) == 1_000_000
    assert time.slept_s == []
    assert pacer.wait_until(3_600_050_000, start_us=3_600_000_000) == 1_000_000 + 50_000_000
    assert pacer.wait_until(3_600_100_000, start_us=3_600_050_000) == 1_000_000 + 100_000_000
