"""Which window belongs to a label: never one that holds an event after it."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eventdet.events import Events
from eventdet.preprocessing._alignment import newest_grid_windows, newest_windows, windows_ending_at


def _events(t: list[int]) -> Events:
    zeros = np.zeros(len(t), np.uint16)
    return Events(np.array(t, np.int64), zeros, zeros, zeros.astype(np.uint8))


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=60).map(sorted),
    st.lists(st.integers(0, 60), max_size=3).map(sorted),
    st.lists(st.integers(-50, 400), unique=True, max_size=12).map(sorted),
    st.integers(1, 120),
)
def test_windows_ending_at_stamps_hold_the_events_before_them(
    t: list[int], cuts: list[int], ends: list[int], length_us: int
) -> None:
    edges = [0, *cuts, len(t)]
    batches = [_events(t[low:high]) for low, high in pairwise(edges) if t[low:high]]
    taken: list[Events] = []

    def counted() -> Iterator[Events]:
        for batch in batches:
            taken.append(batch)
            yield batch

    windows = list(windows_ending_at(counted(), ends, length_us=length_us))
    assert [(window.seq, window.t0_us, window.t1_us) for window in windows] == [
        (number, end - length_us, end) for number, end in enumerate(ends)
    ]
    for window in windows:
        assert window.events.t.tolist() == [stamp for stamp in t if window.t0_us <= stamp < window.t1_us]
    assert sum(map(len, taken)) == len(t)


@given(st.lists(st.integers(-100, 1000), max_size=20), st.lists(st.integers(-20, 900), max_size=12).map(sorted))
def test_newest_window_is_the_last_that_has_ended(stamps: list[int], ends: list[int]) -> None:
    expected = [sum(end <= stamp for end in ends) - 1 for stamp in stamps]
    assert newest_windows(np.array(stamps, np.int64), np.array(ends, np.int64)).tolist() == expected


@given(st.lists(st.integers(-50, 200), max_size=20), st.integers(0, 9), st.integers(-20, 50), st.integers(1, 30))
def test_newest_windows_of_a_grid_are_those_of_its_ends(
    stamps: list[int], num_windows: int, first_end_us: int, stride_us: int
) -> None:
    ends = first_end_us + stride_us * np.arange(num_windows)
    got = newest_grid_windows(np.array(stamps, np.int64), num_windows, first_end_us, stride_us=stride_us)
    assert got.tolist() == newest_windows(np.array(stamps, np.int64), ends).tolist()
