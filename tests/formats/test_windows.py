from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats._windows import WindowCutter, WindowGrid, cut_windows


def at(stamps: list[int]) -> Events:
    zeros = np.zeros(len(stamps), int)
    return Events.from_columns(t=stamps, x=zeros, y=zeros, p=zeros)


def cut(stamps: list[int], length: int, stride: int, start: int | None = None, stop: int | None = None) -> list[
    tuple[int, int, list[int]]
]:  # fmt: skip
    windows = list(cut_windows([at(stamps)] if stamps else [], WindowGrid(length, stride, start, stop)))
    assert [window.seq for window in windows] == list(range(len(windows)))
    return [(window.t0_us, window.t1_us, window.events.t.tolist()) for window in windows]


def test_windows_start_on_the_grid_and_end_with_the_last_event() -> None:
    assert cut([23, 29, 30, 51], 10, 10) == [
        (20, 30, [23, 29]),
        (30, 40, [30]),
        (40, 50, []),
        (50, 60, [51]),
    ]


def test_windows_with_an_event_on_the_last_edge_hold_it() -> None:
    assert cut([0, 10], 10, 10) == [(0, 10, [0]), (10, 20, [10])]


def test_windows_that_overlap_share_events_and_stop_once_all_is_covered() -> None:
    assert cut([1, 6, 12], 10, 5) == [(0, 10, [1, 6]), (5, 15, [6, 12])]


def test_windows_with_gaps_leave_events_out() -> None:
    assert cut([1, 6, 12, 18], 5, 10) == [(0, 5, [1]), (10, 15, [12])]


def test_windows_between_start_and_stop_cover_it_though_empty() -> None:
    assert cut([15], 10, 10, start=5, stop=40) == [(5, 15, []), (15, 25, [15]), (25, 35, []), (35, 45, [])]
    assert cut([15, 99], 10, 10, start=20, stop=30) == [(20, 30, [])]
    assert cut([], 10, 10, start=0, stop=20) == [(0, 10, []), (10, 20, [])]


def test_windows_of_nothing_or_beyond_the_end_are_none() -> None:
    assert cut([], 10, 10) == []
    assert cut([5], 10, 10, start=20) == []
    assert cut([5], 10, 10, start=0, stop=0) == []


@pytest.mark.parametrize(("length", "stride", "name"), [(0, 5, "length_us"), (5, -1, "stride_us")])
def test_windows_of_no_length_or_stride_raise(length: int, stride: int, name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} must be > 0"):
        cut([1], length, stride)


@given(
    stamps=st.lists(st.integers(0, 120), max_size=30).map(sorted),
    cuts=st.lists(st.integers(0, 30), max_size=5),
    length=st.integers(1, 30),
    stride=st.integers(1, 30),
    start=st.one_of(st.none(), st.integers(-20, 140)),
    stop=st.one_of(st.none(), st.integers(-20, 160)),
)
def test_windows_do_not_depend_on_how_the_stream_is_cut(
    stamps: list[int], cuts: list[int], length: int, stride: int, start: int | None, stop: int | None
) -> None:
    edges = [0, *sorted(min(cut, len(stamps)) for cut in cuts), len(stamps)]
    events = at(stamps)
    batches = [events[first:last] for first, last in pairwise(edges)]
    windows = list(cut_windows(batches, WindowGrid(length, stride, start, stop)))
    # The plain reference: try every window number, keep those that the definition asks for.
    expected = []
    if stamps or (start is not None and stop is not None):
        first = stamps[0] // stride * stride if start is None else start
        end = stamps[-1] if stop is None else stop - 1
        number = 0
        while first + number * stride <= end:
            t0 = first + number * stride
            expected.append((number, t0, t0 + length, [t for t in stamps if t0 <= t < t0 + length]))
            if t0 + length > end:
                break
            number += 1
    assert [(*window[:3], window.events.t.tolist()) for window in windows] == expected


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=5), st.integers(0, 12)), max_size=12),
    st.integers(1, 15),
    st.integers(1, 15),
)
def test_heartbeats_bring_windows_earlier_and_change_none(
    batches: list[tuple[list[int], int]], length: int, stride: int
) -> None:
    now, whole, windows = 0, [], []
    cutter = WindowCutter(WindowGrid(length, stride, None, None))
    for steps, silence in batches:
        stamps = [now := now + step for step in steps]
        whole += stamps
        windows += list(cutter.push(at(stamps)))
        now += silence
        windows += list(cutter.push(at([]), now_us=now))
        if windows:
            # Everything that ends by now has come, and nothing else.
            assert windows[-1].t1_us <= now < windows[-1].t1_us + stride
    windows += list(cutter.finish())
    expected = list(cut_windows([at(whole)], WindowGrid(length, stride, None, None)))
    for window, other in zip(windows, expected, strict=False):
        assert window[:3] == other[:3]
        assert window.events.t.tolist() == other.events.t.tolist()
    # Silence behind the last event may have closed windows that a file does not have, with no event of their own.
    assert len(windows) >= len(expected)
    if stride >= length:
        assert all(not len(window.events) for window in windows[len(expected) :])


def test_a_cutter_is_finished_with_the_last_window_before_its_stop() -> None:
    cutter = WindowCutter(WindowGrid(10, 10, None, 30))
    assert not cutter.is_finished
    assert [window.seq for window in cutter.push(at([5]), now_us=20)] == [0, 1]
    assert (cutter.is_finished, cutter.num_held) == (False, 0)
    assert [window.seq for window in cutter.push(at([40]))] == [2]
    assert cutter.is_finished


@pytest.mark.parametrize(("start", "stop", "num_pulled"), [(0, 20, 3), (None, 20, 3), (0, 25, 4), (30, 30, 0)])
def test_windows_with_a_stop_ask_for_no_batch_beyond_it(start: int | None, stop: int, num_pulled: int) -> None:
    # Batch k holds the events at 10 k and 10 k + 5: the first event at or after the end of the last window ends it.
    pulled = []

    def batches() -> Iterator[Events]:
        for first in range(0, 1000, 10):
            pulled.append(first)
            yield at([first, first + 5])

    windows = list(cut_windows(batches(), WindowGrid(10, 10, start, stop)))
    assert len(windows) == -(-(stop - (start or 0)) // 10)
    assert len(pulled) == num_pulled


@pytest.mark.parametrize(
    "grid",
    [WindowGrid(10, 10, 900, None), WindowGrid(10, 500, 0, None), WindowGrid(20, 10, None, 800)],
    ids=["late-start", "gaps", "overlap"],
)
def test_a_cutter_holds_no_more_than_one_window_and_one_batch(grid: WindowGrid) -> None:
    cutter = WindowCutter(grid)
    for first in range(0, 1000, 10):
        for _ in cutter.push(at([first, first + 5])):
            pass
        # Two events every 10 us.
        assert cutter.num_held <= 2 * grid.length_us // 10 + 2
