"""The bus that reads events out, one after the other."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ._random_kernels import uniform


@njit(cache=True, nogil=True, error_model="numpy")
def delay(t: NDArray[np.int64], jitter_ns: int, key: np.uint64, arrival_ns: NDArray[np.int64]) -> None:
    """Write when the request of each event reaches the bus, in nanoseconds: up to the jitter after its stamp."""
    for k in range(t.size):
        arrival_ns[k] = 1000 * t[k] + int(uniform(key, k) * jitter_ns)


@njit(cache=True, nogil=True, error_model="numpy")
def serve(
    arrival_ns: NDArray[np.int64],
    service_ns: int,
    backlog_ns: int,
    free_ns: int,
    stamp: NDArray[np.int64],
    kept: NDArray[np.bool_],
) -> int:
    """Stamp requests in the order in which they come, and return when the bus is free again.

    The bus takes `service_ns` for each. A request that would wait longer than `backlog_ns` is not kept. Stamps are
    whole microseconds, rounded up.
    """
    for k in range(arrival_ns.size):
        begin = max(free_ns, arrival_ns[k])
        kept[k] = begin - arrival_ns[k] <= backlog_ns
        if kept[k]:
            free_ns = begin + service_ns
            stamp[k] = (begin + 999) // 1000
    return free_ns
