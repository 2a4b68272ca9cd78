"""Whether the membranes may live on from one window to the next."""

from eventdet.formats import Window

__all__ = ["Continuity"]

_MEMORY_STEPS = 5
"""A hole this many windows long breaks the membranes off: each step keeps a quarter, 0.25**5 is a thousandth."""


class Continuity:
    """Follows the windows that are run, and tells why the state has to be cleared before one.

    Parameters
    ----------
    every : int or None
        Windows between resets by schedule; None: there is no schedule.
    stride_us : int or None
        From one window's start to the next; None: a window begins where the one before ends.
    """

    def __init__(self, every: int | None, stride_us: int | None) -> None:
        self._every = every
        self._stride_us = stride_us
        self._last: Window | None = None
        self._num_since = 0
        self._reconnects = 0
        self._broken = "start"

    def break_off(self, reason: str) -> None:
        """Have the state cleared before the next window, for a reason of the caller's."""
        self._broken = reason

    def reason(self, window: Window, reconnects: int = 0) -> str:
        """Return why the state is to be cleared before a window, the next one that is run; empty: it is kept.

        Parameters
        ----------
        window : Window
            What is run next.
        reconnects : int
            Times that the link of the source was broken so far.
        """
        reason = self._broken or self._break_before(window)
        if not reason and reconnects != self._reconnects:
            reason = "gap"
        if not reason and self._every is not None and self._num_since >= self._every:
            reason = "schedule"
        self._broken = ""
        self._last, self._reconnects = window, reconnects
        self._num_since = 1 if reason else self._num_since + 1
        return reason

    def _break_before(self, window: Window) -> str:
        if self._last is None:
            return ""
        if window.t0_us < self._last.t0_us:
            return "backward"
        due_us = self._last.t1_us if self._stride_us is None else self._last.t0_us + self._stride_us
        hole_us = window.t0_us - due_us
        length_us = max(window.t1_us - window.t0_us, self._last.t1_us - self._last.t0_us)
        return "gap" if hole_us >= _MEMORY_STEPS * length_us else ""
