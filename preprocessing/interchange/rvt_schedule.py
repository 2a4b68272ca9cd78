"""When RVT looks: which label times it keeps, and where the windows that lead from one to the next end.

A window ends at each label time that is kept, so that nothing after the label is seen. Between two of them the ends
are spaced evenly, because Gen1's labels stray from their grid by up to two milliseconds. Arithmetic is in integers.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Schedule", "make_schedule"]

_FIRST_LABEL_US = 100_000
"""After the start; what comes earlier has no history to look back on."""

_JITTER_US = 2_000
"""A label time may stray so far from the grid that the label time before it sets."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """The windows of a recording, by their ends, and the label times among them."""

    label_times_us: NDArray[np.int64]
    """Shape (l,): label times that are kept, increasing."""

    ends_us: NDArray[np.int64]
    """Shape (n,): ends of the windows, increasing; the last one is the last label time."""

    @property
    def label_windows(self) -> NDArray[np.int64]:
        """Shape (l,): the window that ends at each label time."""
        return np.searchsorted(self.ends_us, self.label_times_us)


def make_schedule(
    label_stamps_us: NDArray[np.int64], *, t_first_us: int, step_us: int, label_period_us: int
) -> Schedule | None:
    """Return the windows that lead to the labels of a recording; None when no label is kept.

    Parameters
    ----------
    label_stamps_us : ndarray, shape (n,), int64
        Stamps of the labels, in any order, with repeats.
    t_first_us : int
        Stamp of the first event. The recording is taken to begin at the multiple of `label_period_us` before it,
        which is zero for a Gen1 file.
    step_us : int
        From one window's end to the next.
    label_period_us : int
        Distance of the label times that are kept; a multiple of it is a gap.

    Examples
    --------
    >>> import numpy as np
    >>> stamps = np.array([200_000, 451_000, 500_000], np.int64)
    >>> schedule = make_schedule(stamps, t_first_us=7, step_us=50_000, label_period_us=250_000)
    >>> schedule.ends_us.tolist()
    [100000, 150000, 200000, 250200, 300400, 350600, 400800, 451000]
    >>> schedule.label_windows.tolist()
    [2, 7]
    """
    begin_us = t_first_us // label_period_us * label_period_us
    stamps = np.unique(label_stamps_us)
    label_times = _on_grid(stamps[stamps >= begin_us + _FIRST_LABEL_US].tolist(), label_period_us)
    if not label_times:
        return None
    # The window that would begin with the recording is left out, as RVT does.
    lead = range(label_times[0] - step_us, begin_us, -step_us)[::-1][1:]
    ends = [*lead, label_times[0]]
    for before, after in pairwise(label_times):
        num_steps = max(1, round((after - before) / step_us))
        ends.extend(before + (after - before) * step // num_steps for step in range(1, num_steps + 1))
    return Schedule(np.array(label_times, np.int64), np.array(ends, np.int64))


def _on_grid(stamps_us: list[int], period_us: int) -> list[int]:
    """Return the first stamp, and each one that follows the last one kept by whole periods."""
    kept = stamps_us[:1]
    for stamp in stamps_us[1:]:
        num_periods = (stamp - kept[-1] + period_us // 2) // period_us
        if num_periods and abs(stamp - kept[-1] - num_periods * period_us) <= _JITTER_US:
            kept.append(stamp)
    return kept
