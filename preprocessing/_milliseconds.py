"""The index of milliseconds: where each begins among the events."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["MillisecondIndex"]


class MillisecondIndex:
    """Built from consecutive batches of stamps."""

    def __init__(self) -> None:
        self._starts: list[NDArray[np.int64]] = []
        self._num_indexed = 0
        self.num_events = 0
        """Events so far."""

    def append(self, offsets: NDArray[np.integer]) -> None:
        """Take note of the next stamps, microseconds after the first of all, in the order of time."""
        if not len(offsets):
            return
        # A millisecond whose first event is not in this batch waits for the batch that has it.
        stop = int(offsets[-1]) // 1000 + 1
        starts = np.arange(self._num_indexed, stop, dtype=np.int64) * 1000
        self._starts.append(np.searchsorted(offsets, starts) + self.num_events)
        self._num_indexed = stop
        self.num_events += len(offsets)

    def finish(self) -> NDArray[np.int64]:
        """Return the first event at or after each millisecond, and in the end the number of events, shape (m + 1,)."""
        return np.concatenate([*self._starts, [self.num_events]]).astype(np.int64)
