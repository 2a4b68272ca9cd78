"""Numba kernels that find exact repeats of an event.

`last` holds, for each pixel and polarity, one more than the stamp of its last event, and zero before the first: events
come in time order, so a repeat has the stamp of the last one, however many other pixels fired between.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["count_duplicates", "drop_duplicates"]


@njit(cache=True, nogil=True)
def count_duplicates(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    width: int, last: NDArray[np.int64],
) -> int:  # fmt: skip
    """Return the number of repeats; `last` carries from batch to batch."""
    number = 0
    for i in range(len(t)):
        place = (np.int64(y[i]) * width + np.int64(x[i])) * 2 + np.int64(p[i])
        mark = t[i] + 1
        number += last[place] == mark
        last[place] = mark
    return number


@njit(cache=True, nogil=True)
def drop_duplicates(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8],
    width: int, last: NDArray[np.int64],
) -> int:  # fmt: skip
    """Move the events that repeat none to the front of the columns; return their number."""
    kept = 0
    for i in range(len(t)):
        place = (np.int64(y[i]) * width + np.int64(x[i])) * 2 + np.int64(p[i])
        mark = t[i] + 1
        t[kept], x[kept], y[kept], p[kept] = t[i], x[i], y[i], p[i]
        kept += last[place] != mark
        last[place] = mark
    return kept
