import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eventdet.events import Events
from eventdet.models import StreamingDetector
from eventdet.sinks import WindowResult
from eventdet.streaming import Streamer, StreamOptions, StreamSummary
from eventdet.streaming.overload import Decision, Overload, Wait, thinned

from .support import SMALL, MemorySource, VirtualTime, make_options, small_detector, some_events

STRIDE_NS = 50_000_000


@pytest.fixture(scope="module")
def detector() -> StreamingDetector:
    return small_detector()


@pytest.fixture
def slowed(detector: StreamingDetector, monkeypatch: pytest.MonkeyPatch) -> tuple[VirtualTime, list[int]]:
    """Have a step take as many virtual milliseconds as the list says next, the last number for ever."""
    virtual, took_ms = VirtualTime(), [120]
    step = detector.step

    def slow_step(counts: torch.Tensor) -> tuple[torch.Tensor, ...]:
        virtual.now += 1_000_000 * (took_ms.pop(0) if len(took_ms) > 1 else took_ms[0])
        return step(counts)

    monkeypatch.setattr(detector, "step", slow_step)
    return virtual, took_ms


def _run(
    detector: StreamingDetector, virtual: VirtualTime, **changes: object
) -> tuple[list[WindowResult], StreamSummary, int]:
    source = MemorySource(some_events(SMALL, duration_us=2_000_000), SMALL)
    options = make_options(**({"pace": 1.0} | changes))
    streamer = Streamer(source, detector, options, clock=virtual.clock)
    results = list(streamer)
    return results, streamer.summary(), len(source.events)


def test_block_runs_every_window_and_says_how_late_it_is(
    detector: StreamingDetector, slowed: tuple[VirtualTime, list[int]]
) -> None:
    results, summary, num_events = _run(detector, slowed[0])
    assert [result.seq for result in results] == list(range(40))
    assert (summary.num_events, summary.events_dropped, summary.windows_skipped) == (num_events, 0, 0)
    # Each step of 120 ms adds 70 ms to what the window after it waits.
    assert [result.latency_ms["late"] for result in results] == [70.0 * k for k in range(40)]
    assert results[-1].latency_ms["total"] == 70 * 39 + 120


def test_latest_jumps_to_the_newest_window_and_counts_what_it_leaves_out(
    detector: StreamingDetector, slowed: tuple[VirtualTime, list[int]]
) -> None:
    results, summary, num_events = _run(detector, slowed[0], late="latest")
    # Free at 170, 290 (120 after 170), ... ms: the newest complete window then; windows end at 50, 100, ... ms.
    assert [result.seq for result in results[:6]] == [0, 2, 4, 7, 9, 12]
    assert max(result.latency_ms["late"] for result in results[:-1]) < 50
    # Nothing follows the last one: it is the newest, however late.
    assert (results[-1].seq, results[-1].latency_ms["late"]) == (39, 90.0)
    assert summary.num_windows + summary.windows_skipped == 40
    assert summary.num_events + summary.events_dropped == num_events
    assert results[-1].dropped <= summary.windows_skipped
    assert results[3].dropped == 4


def test_a_limit_is_what_a_window_may_wait_before_a_jump(
    detector: StreamingDetector, slowed: tuple[VirtualTime, list[int]]
) -> None:
    results, summary, num_events = _run(detector, slowed[0], late="latest", max_latency_us=200_000)
    assert [result.latency_ms["late"] for result in results[:3]] == [0.0, 70.0, 140.0]
    # The fourth would have waited 210 ms: on to the newest, complete since 10 ms.
    assert (results[3].seq, results[3].latency_ms["late"]) == (7, 10.0)
    assert max(result.latency_ms["late"] for result in results[:-1]) <= 200
    assert (results[-1].seq, results[-1].latency_ms["late"]) == (39, 210.0)
    assert summary.num_windows + summary.windows_skipped == 40
    assert summary.num_events + summary.events_dropped == num_events


def test_thin_drops_the_stated_share_of_late_windows_and_no_window(
    detector: StreamingDetector, slowed: tuple[VirtualTime, list[int]]
) -> None:
    results, summary, num_events = _run(detector, slowed[0], late="thin", thin=0.25)
    assert [result.seq for result in results] == list(range(40))
    assert summary.num_events + summary.events_dropped == num_events
    full = sum(result.num_events for result in results if result.latency_ms["late"] < 50)
    assert summary.events_dropped == pytest.approx(0.25 * (num_events - full), abs=len(results))
    assert results[-1].dropped_events == summary.events_dropped


@pytest.mark.parametrize("late", ["latest", "thin"])
def test_a_detector_in_time_loses_nothing(
    detector: StreamingDetector, slowed: tuple[VirtualTime, list[int]], late: str
) -> None:
    slowed[1][:] = [20]
    results, summary, num_events = _run(detector, slowed[0], late=late)
    assert (len(results), summary.num_events, summary.events_dropped) == (40, num_events, 0)
    assert {result.latency_ms["late"] for result in results} == {0.0}


def test_a_hole_of_five_windows_clears_the_state_and_one_of_four_does_not(
    detector: StreamingDetector, slowed: tuple[VirtualTime, list[int]]
) -> None:
    # The warm-up takes the first number. 290 ms leave out the windows that end at 100 to 250 ms.
    slowed[1][:] = [1, 290, 20, 310, 20]
    results, summary, _ = _run(detector, slowed[0], late="latest")
    assert [(result.seq, result.reset_reason) for result in results[:5]] == [
        (0, "start"), (5, ""), (6, ""), (12, "gap"), (13, ""),
    ]  # fmt: skip
    assert summary.resets == {"start": 1, "gap": 1}


@given(
    st.sampled_from(["block", "latest", "thin"]),
    st.one_of(st.none(), st.integers(1, 500)),
    st.lists(st.integers(0, 400), min_size=1, max_size=60),
)
def test_every_window_is_run_or_skipped_and_a_jump_ends_at_the_newest(
    late: str, limit_ms: int | None, took_ms: list[int]
) -> None:
    limit_us = None if late == "block" or limit_ms is None else 1000 * limit_ms
    overload = Overload(StreamOptions(late=late, max_latency_us=limit_us))
    free_ns, previous = 0, Decision.RUN
    for number, duration_ms in enumerate(took_ms):
        late_ns = max(0, free_ns - number * STRIDE_NS)
        decision = overload.decide(Wait(late_ns, STRIDE_NS))
        free_ns = max(free_ns, number * STRIDE_NS)
        if decision is not Decision.SKIP:
            free_ns += 1_000_000 * duration_ms
        assert late == "latest" or decision is not Decision.SKIP
        if late == "latest" and previous is Decision.SKIP:
            # A jump goes on while the next window is there too.
            assert (decision is Decision.SKIP) == (late_ns >= STRIDE_NS or late_ns > 1000 * (limit_us or 50_000))
        if late_ns == 0:
            assert decision is Decision.RUN
        previous = decision


@given(st.integers(0, 2000), st.floats(0.01, 0.99))
def test_thinning_keeps_the_share_and_spreads_it(num_events: int, share: float) -> None:
    t = np.arange(num_events)
    events = Events.from_columns(t=t, x=t % 7, y=t % 5, p=t % 2)
    kept = thinned(events, share)
    assert len(kept) == num_events - int(num_events * share)
    if len(kept) > 1:
        gaps = np.diff(kept.t)
        assert gaps.min() >= 1
        assert gaps.max() - gaps.min() <= 1


def test_what_an_earlier_run_has_shown_is_not_waited_for() -> None:
    virtual = VirtualTime()
    source = MemorySource(some_events(SMALL), SMALL)
    streamer = Streamer(source, small_detector(), make_options(window_us=50_000, pace=1.0), clock=virtual.clock)
    streamer.hurry_until(300_000)
    moments = [(result.t_us, virtual.now) for result in streamer]
    assert moments == [(50_000 * k, 0) for k in range(1, 7)] + [(350_000, 50_000_000), (400_000, 100_000_000)]
