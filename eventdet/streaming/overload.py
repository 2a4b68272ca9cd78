"""What happens when the detector is late: decisions on values alone, so that a virtual clock can test them."""

from enum import Enum
from typing import NamedTuple

import numpy as np

from eventdet.events import Events

from .options import StreamOptions

__all__ = ["Decision", "Overload", "thinned"]


class Decision(Enum):
    """What becomes of a window."""

    RUN = "run"
    SKIP = "skip"
    THIN = "thin"


class Wait(NamedTuple):
    """How long a window has waited when the detector is free for it."""

    late_ns: int
    """Since its last event could be had; negative or zero: not at all."""

    period_ns: int
    """Until the next window can be had, from the same moment on."""


class Overload:
    """Decides about windows in their order.

    With ``latest``, a window that waited longer than the limit starts a jump, which ends at the newest window: the one
    whose successor is not there yet. A stream that is always a little late so jumps now and then, and is not kept
    forever just below the limit.

    Parameters
    ----------
    options : StreamOptions
        Policy and limit.
    """

    def __init__(self, options: StreamOptions) -> None:
        self._late = options.late
        self._limit_ns = None if options.max_latency_us is None else 1000 * options.max_latency_us
        self._is_jumping = False

    def decide(self, wait: Wait) -> Decision:
        """Return what becomes of the next window."""
        if self._late == "block":
            return Decision.RUN
        is_newest = wait.late_ns < wait.period_ns
        is_late = not is_newest if self._limit_ns is None else wait.late_ns > self._limit_ns
        if self._late == "thin":
            return Decision.THIN if is_late else Decision.RUN
        self._is_jumping = is_late or (self._is_jumping and not is_newest)
        return Decision.SKIP if self._is_jumping else Decision.RUN

    def land(self) -> None:
        """End a jump, since no window follows the one that was to be skipped."""
        self._is_jumping = False


def thinned(events: Events, share: float) -> Events:
    """Return the events without an evenly spread share of them, rounded in favour of keeping.

    Parameters
    ----------
    events : Events
        Of a window.
    share : float
        What is dropped, in (0, 1).
    """
    kept = len(events) - int(len(events) * share)
    return events[np.arange(kept) * len(events) // max(kept, 1)]
