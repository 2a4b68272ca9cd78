"""Windows and labels: which window belongs to a label, and windows that end where a label stands."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.formats import Window

__all__ = ["WindowRow", "newest_windows", "windows_ending_at"]


def windows_ending_at(batches: Iterable[Events], ends: Iterable[int], *, length_us: int) -> Iterator[Window]:
    """Yield the windows ``[end - length, end)``, empty ones too; all batches are taken, whatever the windows need.

    Parameters
    ----------
    batches : iterable of Events
        Consecutive batches in the order of time, with columns of their own.
    ends : iterable of int
        Ends of the windows, increasing, microseconds.
    length_us : int
        Length of a window.
    """
    coming = iter(batches)
    held: list[Events] = []
    for seq, end_us in enumerate(ends):
        start_us = end_us - length_us
        while not held or held[-1].t[-1] < end_us:
            batch = next(coming, None)
            if batch is None:
                break
            held.append(batch)
            held = [one for one in held if one.t[-1] >= start_us]
        yield Window(seq, start_us, end_us, Events.concatenate(one.between(start_us, end_us) for one in held))
    for _ in coming:
        pass


class WindowRow(NamedTuple):
    """Windows of one length at one distance: number k spans ``[start + k * stride, start + k * stride + window)``."""

    start_us: int
    """Start of window 0."""

    window_us: int
    """Length of a window."""

    stride_us: int
    """From one start to the next."""

    num_windows: int = 0
    """How many there are."""


def newest_windows(stamps: NDArray[np.int64], row: WindowRow) -> NDArray[np.int64]:
    """Return for each stamp the number of the newest window that has ended by then, -1 where none has; shape (n,)."""
    newest = (stamps - row.start_us - row.window_us) // row.stride_us
    return np.clip(newest, -1, row.num_windows - 1)
