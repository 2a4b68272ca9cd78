"""Numba kernels of the filters: each marks in `keep` which events stay, and carries its state in arrays.

Maps of stamps hold one more than the stamp, and zero before the first event of a pixel. Maps that look at neighbours
have a border of one pixel, so that no edge needs a test.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["keep_at_limited_rate", "keep_rested", "keep_supported", "keep_thinned", "keep_where", "keep_without_hot"]

MICROEVENTS = 1_000_000
"""An event costs a million units, so that a rate in events per second fills the bucket by whole units a microsecond."""


@njit(cache=True, nogil=True)
def keep_supported(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16],
    within_us: int, support: NDArray[np.int64], keep: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Keep events with an event of one of the eight neighbours at most `within_us` before; `support` has a border."""
    for i in range(len(t)):
        row = np.int64(y[i]) + 1
        column = np.int64(x[i]) + 1
        mark = t[i] + 1
        seen = support[row, column]
        keep[i] = seen > 0 and mark - seen <= within_us
        # A pixel does not support itself: its own place keeps what its neighbours wrote.
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                support[row + dy, column + dx] = mark
        support[row, column] = seen


@njit(cache=True, nogil=True)
def keep_rested(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16],
    rest_us: int, last: NDArray[np.int64], keep: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Keep events that come `rest_us` or more after the last one kept of their pixel."""
    for i in range(len(t)):
        seen = last[y[i], x[i]]
        mark = t[i] + 1
        keep[i] = seen == 0 or mark - seen >= rest_us
        if keep[i]:
            last[y[i], x[i]] = mark


@njit(cache=True, nogil=True)
def keep_without_hot(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16],
    rule: NDArray[np.int64], period: NDArray[np.int64], counts: NDArray[np.int64], hot: NDArray[np.bool_],
    keep: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Keep events of pixels that were not hot in the period before.

    `rule` holds the length of a period, the count above which a pixel may be hot, and how many times the mean of its
    neighbours it must count; `period` the number of the current one. `counts` has a border.
    """
    for i in range(len(t)):
        number = t[i] // rule[0]
        if number != period[0]:
            _mark_hot(counts, rule[1], rule[2], hot)
            if number != period[0] + 1:
                hot[:] = False
            counts[:] = 0
            period[0] = number
        keep[i] = not hot[y[i], x[i]]
        counts[np.int64(y[i]) + 1, np.int64(x[i]) + 1] += 1


@njit(cache=True, nogil=True)
def _mark_hot(counts: NDArray[np.int64], limit: np.int64, ratio: np.int64, hot: NDArray[np.bool_]) -> None:
    for row in range(hot.shape[0]):
        for column in range(hot.shape[1]):
            own = counts[row + 1, column + 1]
            hot[row, column] = False
            if own > limit:
                around = np.int64(0)
                for dy in range(3):
                    for dx in range(3):
                        around += counts[row + dy, column + dx]
                hot[row, column] = own * 8 > ratio * (around - own)


@njit(cache=True, nogil=True)
def keep_where(x: NDArray[np.uint16], y: NDArray[np.uint16], mask: NDArray[np.bool_], keep: NDArray[np.bool_]) -> None:
    """Keep events of the pixels that are true in `mask`."""
    for i in range(len(x)):
        keep[i] = mask[y[i], x[i]]


@njit(cache=True, nogil=True)
def keep_thinned(
    x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    gain: int, cost: int, credit: NDArray[np.int64], keep: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Keep one of every ``cost / gain`` events of each pixel and polarity; `credit` has shape (2, height, width)."""
    for i in range(len(x)):
        saved = credit[p[i], y[i], x[i]] + gain
        keep[i] = saved >= cost
        credit[p[i], y[i], x[i]] = saved - cost if keep[i] else saved


@njit(cache=True, nogil=True)
def keep_at_limited_rate(
    t: NDArray[np.int64], rate: int, capacity: int, bucket: NDArray[np.int64], keep: NDArray[np.bool_]
) -> None:
    """Keep events while the bucket holds one; `bucket` is its content and the last stamp."""
    content, last = bucket[0], bucket[1]
    longest = capacity // rate + 1
    for i in range(len(t)):
        content = min(content + min(t[i] - last, longest) * rate, capacity)
        last = t[i]
        keep[i] = content >= MICROEVENTS
        if keep[i]:
            content -= MICROEVENTS
    bucket[0], bucket[1] = content, last
