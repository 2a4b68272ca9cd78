"""Replay speed: when a window of recorded time may be handed out on the wall clock."""

import math
import time
from collections.abc import Callable

__all__ = ["Pacer"]

_LONGEST_NAP_S = 0.05
"""A signal does not end a sleep; this is how long it may take to be noticed."""


def _never() -> bool:
    return False


class Pacer:
    """Holds a replay back to a speed; never catches up by dropping.

    Parameters
    ----------
    factor : float
        Recorded seconds per wall second; ``inf`` never waits.
    clock : callable
        Returns wall time in nanoseconds.
    sleep : callable
        Waits for the given seconds.
    should_stop : callable
        Returns whether to wait no longer; asked every 50 ms.
    hurry_until_us : int, optional
        Recorded time up to which it does not wait: what an earlier run has shown already.
    """

    def __init__(
        self,
        factor: float,
        *,
        clock: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], None] = time.sleep,
        should_stop: Callable[[], bool] = _never,
        hurry_until_us: int | None = None,
    ) -> None:
        self._factor = factor
        self._clock = clock
        self._sleep = sleep
        self._should_stop = should_stop
        self._hurry_until_us = hurry_until_us
        self._origin: tuple[int, int] | None = None

    def wait_until(self, t_us: int, *, start_us: int) -> int:
        """Wait until the recorded moment `t_us` has come.

        Parameters
        ----------
        t_us : int
            Recorded time that must have passed.
        start_us : int
            Recorded time at which the replay began; read on the first call that waits only.

        Returns
        -------
        int
            Wall time in nanoseconds at which the data was available: the due time when paced (also when we come
            late, so that lateness shows as latency), the present when not.
        """
        now = self._clock()
        if math.isinf(self._factor) or (self._hurry_until_us is not None and t_us <= self._hurry_until_us):
            return now
        if self._origin is None:
            self._origin = (now, start_us)
        origin_ns, origin_us = self._origin
        due = origin_ns + round((t_us - origin_us) * 1000 / self._factor)
        while now < due and not self._should_stop():
            self._sleep(min(_LONGEST_NAP_S, (due - now) / 1e9))
            now = self._clock()
        return due
