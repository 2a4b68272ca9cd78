"""How torch's threads wait for each other."""

import os

__all__ = ["limit_spinning"]

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
