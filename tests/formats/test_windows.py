from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats._windows import WindowCutter, WindowGrid, cut_windows, parse_windows


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
        assert cutter.num_held <= 2 * (grid.length_us or 0) // 10 + 2


def cut_by(grid: WindowGrid, stamps: list[int]) -> list[tuple[int, int, list[int]]]:
    windows = list(cut_windows([at(stamps)], grid))
    assert [window.seq for window in windows] == list(range(len(windows)))
    return [(window.t0_us, window.t1_us, window.events.t.tolist()) for window in windows]


def test_windows_by_count_end_just_after_their_last_event_and_follow_one_another() -> None:
    assert cut_by(parse_windows("2ev"), [3, 5, 40, 41, 90]) == [
        (3, 6, [3, 5]),
        (6, 42, [40, 41]),
        (42, 91, [90]),
    ]


def test_windows_by_count_do_not_part_events_of_one_stamp() -> None:
    assert cut_by(parse_windows("2ev"), [3, 5, 5, 5, 9]) == [(3, 6, [3, 5, 5, 5]), (6, 10, [9])]


def test_windows_by_count_with_a_stride_overlap() -> None:
    assert cut_by(parse_windows("3ev", "1ev"), [1, 2, 4, 8]) == [(1, 5, [1, 2, 4]), (2, 9, [2, 4, 8])]


def test_windows_by_time_or_count_end_with_whichever_is_first() -> None:
    assert cut_by(parse_windows("10us,3ev"), [12, 13, 14, 15, 40]) == [
        # Three events after 5 us; then ten microseconds with one, empty ones too.
        (10, 15, [12, 13, 14]),
        (15, 25, [15]),
        (25, 35, []),
        (35, 45, [40]),
    ]


def test_windows_by_count_between_start_and_stop_end_there() -> None:
    assert cut_by(parse_windows("2ev", start_us=5, stop_us=30), [3, 6, 7, 20, 50, 51]) == [
        (5, 8, [6, 7]),
        (8, 30, [20]),
    ]


@given(
    stamps=st.lists(st.integers(0, 80), min_size=1, max_size=40).map(sorted),
    cuts=st.lists(st.integers(0, 40), max_size=5),
    length=st.one_of(st.none(), st.integers(1, 30)),
    count=st.integers(1, 8),
    start=st.one_of(st.none(), st.integers(-10, 90)),
    stop=st.one_of(st.none(), st.integers(-10, 110)),
    data=st.data(),
)
def test_windows_by_count_do_not_depend_on_how_the_stream_is_cut(
    stamps: list[int],
    cuts: list[int],
    length: int | None,
    count: int,
    start: int | None,
    stop: int | None,
    data: st.DataObject,
) -> None:
    stride = None if length is None else data.draw(st.integers(1, length))
    step = data.draw(st.integers(1, count))
    edges = [0, *sorted(min(cut, len(stamps)) for cut in cuts), len(stamps)]
    events = at(stamps)
    batches = [events[first:last] for first, last in pairwise(edges)]
    grid = WindowGrid(length, stride, start, stop, count, step)
    windows = [(w.t0_us, w.t1_us, w.events.t.tolist()) for w in cut_windows(batches, grid)]

    def after(begin: int, until: int | None, number: int) -> int | None:
        full = [t + 1 for t in stamps if t >= begin][number - 1 : number]
        return min([*full, *([] if until is None else [until])], default=None)

    # The plain reference: the definition, window by window, on the whole stream.
    expected = []
    on_grid = stamps[0] if stride is None else stamps[0] // stride * stride
    begin = on_grid if start is None else start
    last = stamps[-1] if stop is None else stop - 1
    while begin <= last:
        full = after(begin, stop if length is None else begin + length, count)
        end = last + 1 if full is None else full
        expected.append((begin, end, [t for t in stamps if begin <= t < end]))
        if end > last:
            break
        following = after(begin, None if stride is None else begin + stride, step)
        begin = end if following is None else following
    assert windows == expected


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30).map(sorted), st.integers(1, 5))
def test_windows_by_count_that_follow_one_another_hold_every_event_once(stamps: list[int], count: int) -> None:
    windows = cut_by(parse_windows(f"{count}ev"), stamps)
    assert [t for _, _, held in windows for t in held] == stamps
    assert all(len(held) >= count and held[count - 1] == t1 - 1 for _, t1, held in windows[:-1])
    assert all(end == begin for (_, end, _), (begin, _, _) in pairwise(windows))


def test_a_window_by_count_waits_for_a_later_event_or_word_that_time_has_passed() -> None:
    cutter = WindowCutter(parse_windows("2ev"))
    assert not list(cutter.push(at([4, 7])))
    assert [window.events.t.tolist() for window in cutter.push(at([7]), now_us=8)] == [[4, 7, 7]]
    assert [window.events.t.tolist() for window in cutter.push(at([9, 10, 11]))] == [[9, 10]]
    assert cutter.num_held == 1


@pytest.mark.parametrize(
    ("window", "stride", "grid"),
    [
        ("50ms", None, WindowGrid(50_000, 50_000, None, None)),
        ("50ms", "100ms", WindowGrid(50_000, 100_000, None, None)),
        ("20000ev", None, WindowGrid(None, None, None, None, 20_000, 20_000)),
        ("20000ev", "5000ev", WindowGrid(None, None, None, None, 20_000, 5_000)),
        ("50ms,20000ev", "25ms,10000 ev", WindowGrid(50_000, 25_000, None, None, 20_000, 10_000)),
        ("20000ev,50ms", "25ms", WindowGrid(50_000, 25_000, None, None, 20_000, None)),
    ],
)
def test_parse_windows_gives_the_grid(window: str, stride: str | None, grid: WindowGrid) -> None:
    assert parse_windows(window, stride) == grid


@pytest.mark.parametrize(
    ("window", "stride", "message"),
    [
        ("50", None, "window must be a number with a unit"),
        ("50ms,20ms", None, "window must be a duration, a count or one of each"),
        ("5ev,5ev", None, "window must be a duration, a count or one of each"),
        ("0ev", None, "num_events must be > 0"),
        ("5ev", "10ms", "must be given in the same units"),
        ("10ms", "5ev", "must be given in the same units"),
        ("5ev", "6ev", "must not be beyond them, got 6 > 5"),
        ("10ms,5ev", "20ms", "must not be beyond them, got 20000 > 10000"),
    ],
)
def test_parse_windows_of_a_bad_text_raises(window: str, stride: str | None, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_windows(window, stride)


def test_a_grid_of_neither_length_nor_count_raises() -> None:
    with pytest.raises(OptionError, match="need a length or a number of events"):
        WindowCutter(WindowGrid(None, None, None, None))
