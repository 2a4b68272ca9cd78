"""Windows and labels: which window belongs to a label, and windows that end where a label stands."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.formats import Window

__all__ = ["newest_grid_windows", "newest_windows", "windows_ending_at"]


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


def newest_windows(stamps: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each stamp the number of the newest window that has ended by then, -1 where none has; shape (n,).

    The ends of the windows, in their order, do not decrease.
    """
    return np.searchsorted(ends, stamps, side="right") - 1


def newest_grid_windows(
    stamps: NDArray[np.int64], num_windows: int, first_end_us: int, *, stride_us: int
) -> NDArray[np.int64]:
    """Return the same for windows whose ends lie a stride apart, without a list of them.

    Examples
    --------
    >>> newest_grid_windows(np.array([9, 10, 19, 20, 99]), 3, 10, stride_us=10).tolist()
    [-1, 0, 0, 1, 2]
    """
    return np.clip((stamps - first_end_us) // stride_us, -1, num_windows - 1)
