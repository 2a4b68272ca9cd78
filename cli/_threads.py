"""How many threads torch takes, and how they wait for each other."""

import math
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventdet.sources import EventSource

__all__ = ["default_threads", "limit_spinning"]

_SPINS = 10_000
"""Some tens of microseconds: of 0, 1,000, 10,000, 30,000 and the 300,000 of GNU's OpenMP, the least with which a step
on a free machine takes no longer."""


def limit_spinning() -> None:
    """Let threads that wait go to sleep soon, unless the user has set how; to be called before torch is loaded.

    A thread that spins for a millisecond at each barrier of a step takes the processor from the one that it waits for,
    as soon as the machine has other work.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(_SPINS))


def default_threads(source: "EventSource", pace: float) -> int | None:
    """Return the threads of a stream that nobody chose: one where windows wait for time, None for all cores.

    Between windows that wait, a second thread falls asleep: waking it takes as long as it saves of a step of the
    default model, varies more, and any other process that has its core makes the first one wait.
    """
    from eventdet.sources import LiveSource

    return 1 if isinstance(source, LiveSource) or not math.isinf(pace) else None
