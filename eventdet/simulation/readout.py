"""From the moment a pixel fires to the stamp its event gets: jitter, and a bus of limited speed."""

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events

from .reproducible import Draws
from .sensor_models import ReadoutModel

__all__ = ["Readout", "in_time_order"]

_NANOSECONDS = 1_000_000_000


def in_time_order(events: Events, start_us: int) -> Events:
    """Return the events of one step sorted by stamp; equal stamps keep their order."""
    # Offsets in 16 bits are sorted by radix, several times as fast; a step of a scene is at most 10 ms.
    offset = events.t - start_us
    dense = offset.astype(np.uint16) if len(events) and offset.max() < 1 << 16 else offset
    return events[np.argsort(dense, kind="stable")]


class Readout:
    """A first-in first-out queue of events, fed step by step.

    Parameters
    ----------
    model : ReadoutModel
        Jitter, speed and longest queue.
    seed : int
        Chooses the jitter.
    """

    def __init__(self, model: ReadoutModel, *, seed: int) -> None:
        self._model = model
        self._draw = Draws(seed, "sensor readout")
        self._waiting = Events.empty()
        self._waiting_ns = np.empty(0, np.int64)
        self._free_ns = -(2**62)
        self.num_lost = 0
        """Events that found the queue full."""

    def release(self, events: Events, *, stop_us: int) -> Events:
        """Return what reaches the bus by `stop_us`, stamped when it is read out.

        Parameters
        ----------
        events : Events
            All that fired since the step before, in time order.
        stop_us : int
            End of the step in microseconds.

        Returns
        -------
        Events
            In time order, from call to call too. The queue that stands at `stop_us` has later stamps.
        """
        if self._model.is_ideal:
            return events
        requests, arrival_ns = self._requests(events)
        due = int(arrival_ns.searchsorted(1000 * stop_us, side="right"))
        self._waiting, self._waiting_ns = requests[due:], arrival_ns[due:]
        return self._serve(requests[:due], arrival_ns[:due])

    def _requests(self, events: Events) -> tuple[Events, NDArray[np.int64]]:
        from ._readout_kernels import delay

        arrival_ns = np.empty(len(events), np.int64)
        delay(events.t, round(1000 * self._model.jitter_us), np.uint64(self._draw.bits()), arrival_ns)
        joined_ns = np.concatenate([self._waiting_ns, arrival_ns])
        order = np.argsort(joined_ns, kind="stable")
        return Events.concatenate([self._waiting, events])[order], joined_ns[order]

    def _serve(self, requests: Events, arrival_ns: NDArray[np.int64]) -> Events:
        from ._readout_kernels import serve

        stamp, kept = np.zeros(len(requests), np.int64), np.zeros(len(requests), np.bool_)
        service_ns = int(_NANOSECONDS / self._model.capacity_hz)
        backlog_ns = int(1000 * min(self._model.backlog_us, 1e12))
        self._free_ns = int(serve(arrival_ns, service_ns, backlog_ns, self._free_ns, stamp, kept))
        self.num_lost += len(requests) - int(np.count_nonzero(kept))
        return Events(stamp[kept], requests.x[kept], requests.y[kept], requests.p[kept])
