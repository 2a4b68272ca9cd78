"""The bus between pixels and stamps."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet import Events, OptionError
from eventdet.simulation import ReadoutModel
from eventdet.simulation._readout_kernels import serve
from eventdet.simulation.readout import Readout, in_time_order


def burst(*stamps: int) -> Events:
    return Events.from_columns(t=stamps, x=range(len(stamps)), y=[0] * len(stamps), p=[0] * len(stamps))


def test_an_ideal_readout_changes_nothing() -> None:
    events = burst(5, 5, 9)
    assert Readout(ReadoutModel(), seed=1).release(events, stop_us=10) is events


def test_a_full_bus_stamps_events_one_by_one() -> None:
    # 200,000 a second: one each 5 us.
    readout = Readout(ReadoutModel(capacity_hz=200_000), seed=1)
    assert readout.release(burst(10, 10, 10, 30), stop_us=40).t.tolist() == [10, 15, 20, 30]
    assert readout.num_lost == 0


def test_events_that_would_wait_too_long_are_lost_and_counted() -> None:
    readout = Readout(ReadoutModel(capacity_hz=200_000, backlog_us=7), seed=1)
    released = readout.release(burst(10, 10, 10, 10), stop_us=40)
    assert released.t.tolist() == [10, 15]
    assert released.x.tolist() == [0, 1]
    assert readout.num_lost == 2


def test_the_queue_of_one_step_delays_the_next() -> None:
    readout = Readout(ReadoutModel(capacity_hz=200_000), seed=1)
    assert readout.release(burst(10, 10, 10), stop_us=10).t.tolist() == [10, 15, 20]
    assert readout.release(burst(11), stop_us=20).t.tolist() == [25]


def test_jitter_delays_by_less_than_its_limit_and_loses_nothing() -> None:
    readout = Readout(ReadoutModel(jitter_us=50.0), seed=3)
    pieces = [readout.release(burst(*range(1000 * k + 1, 1000 * k + 1001)), stop_us=1000 * (k + 1)) for k in range(4)]
    pieces.append(readout.release(burst(), stop_us=10_000))
    joined = Events.concatenate(pieces)
    assert len(joined) == 4000
    assert joined.is_sorted()
    fired = np.concatenate([np.arange(1000 * k + 1, 1000 * k + 1001) for k in range(4)])
    # x tells the place within its burst; a delay is rounded up to the next microsecond.
    block = np.repeat(np.arange(4), 1000)
    order = np.lexsort((joined.t, joined.x))
    assert sorted(joined.x.tolist()) == sorted((fired - 1 - 1000 * block).tolist())
    delays = joined.t[order] - fired.reshape(4, 1000).T.ravel()
    assert delays.min() >= 0
    assert delays.max() <= 51
    assert 20 < delays.mean() < 31


@pytest.mark.parametrize("change", [{"jitter_us": -1.0}, {"capacity_hz": 0.0}, {"backlog_us": math.nan}], ids=str)
def test_a_readout_outside_its_limits_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(change))} must be >="):
        ReadoutModel(**change)


@settings(deadline=None)
@given(st.lists(st.integers(0, 50_000), max_size=30), st.integers(0, 5000), st.integers(0, 20_000))
def test_serving_agrees_with_a_queue_written_down_plainly(gaps: list[int], service: int, backlog: int) -> None:
    arrivals = np.cumsum(np.array(gaps, np.int64))
    stamp, kept = np.zeros(len(gaps), np.int64), np.zeros(len(gaps), np.bool_)
    free = serve(arrivals, service, backlog, 700, stamp, kept)
    expected_free = 700
    expected: list[int | None] = []
    for arrival in arrivals.tolist():
        begin = max(expected_free, arrival)
        if begin - arrival > backlog:
            expected.append(None)
            continue
        expected.append(math.ceil(begin / 1000))
        expected_free = begin + service
    assert free == expected_free
    assert [int(t) if k else None for t, k in zip(stamp, kept, strict=True)] == expected


def test_equal_stamps_keep_their_order_when_sorted() -> None:
    ordered = in_time_order(burst(7, 3, 7, 3), 0)
    assert ordered.x.tolist() == [1, 3, 0, 2]
    late = in_time_order(burst(200_000, 100_000), 0)
    assert late.t.tolist() == [100_000, 200_000]
