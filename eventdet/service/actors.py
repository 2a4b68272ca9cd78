"""Sources over the workers of a Dask cluster, as actors.

An actor is a `StreamProcess` on the machine that Dask chose for it: the same worker as without a cluster. Detections do
not come back through Dask, whose scheduler is no broker: give each source a ZeroMQ or MQTT output.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eventdet.errors import InputError, MissingExtraError

from .sources import SourceSpec
from .workers import StreamProcess, WorkerStatus

__all__ = ["ClusterSupervisor", "StreamActor", "connected"]

_POLL_S = 0.1
_CONNECT_S = 10.0


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect to a scheduler while the body runs.

    Raises
    ------
    MissingExtraError
        When Dask is not installed.
    InputError
        When the scheduler does not answer.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError("streaming on a cluster", extra="cluster") from error
    try:
        client = Client(address, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise InputError(f"cluster {address}: {error}", hint="give the address that dask scheduler prints") from error
    with client:
        yield client


class StreamActor:
    """Runs one source on a worker of a cluster.

    Parameters
    ----------
    spec : SourceSpec
        What runs; its paths are those of the worker's machine.
    max_restarts : int
        Crashes in a row after which it is given up.
    """

    def __init__(self, spec: SourceSpec, max_restarts: int = 10) -> None:
        self._process = StreamProcess(spec, max_restarts=max_restarts)
        self._thread = threading.Thread(target=self._run, name=f"eventdet {spec.name}", daemon=True)
        self._thread.start()

    def status(self) -> WorkerStatus:
        """Return how the source is now."""
        return self._process.status

    def stop(self) -> None:
        """Ask the source to finalise its outputs and end."""
        self._process.stop()

    def _run(self) -> None:
        while not self._process.poll().is_over:
            time.sleep(_POLL_S)


class ClusterSupervisor:
    """Runs sources as actors until all are over; a source whose Dask worker is lost is started on another.

    Parameters
    ----------
    specs : sequence of SourceSpec
        What runs.
    client : distributed.Client
        Connected to the cluster.
    max_restarts : int
        Crashes of one source in a row after which it is given up.

    """

    def __init__(self, specs: Sequence[SourceSpec], client: Any, *, max_restarts: int = 10) -> None:
        self._specs = list(specs)
        self._client = client
        self._max_restarts = max_restarts
        self._is_stopping = False
        self._moves = dict.fromkeys((spec.name for spec in specs), 0)
        self._actors = {spec.name: self._place(spec) for spec in specs}
        self._statuses = {spec.name: WorkerStatus(spec.name) for spec in specs}

    @property
    def statuses(self) -> list[WorkerStatus]:
        """How each source was when it was last asked."""
        return list(self._statuses.values())

    def run(self) -> list[WorkerStatus]:
        """Run until every source is over, and return how each ended."""
        asked_to_stop: set[str] = set()
        while not all(status.is_over for status in self._statuses.values()):
            for spec in self._specs:
                if self._statuses[spec.name].is_over:
                    continue
                if self._is_stopping and spec.name not in asked_to_stop:
                    asked_to_stop.add(spec.name)
                    self._ask(spec, "stop")
                status = self._ask(spec, "status")
                if status is not None:
                    status.restarts += self._moves[spec.name]
                    self._statuses[spec.name] = status
            time.sleep(_POLL_S)
        return self.statuses

    def stop(self) -> None:
        """End every source soon, with its outputs finalised; a signal's handler may call it."""
        self._is_stopping = True

    def _place(self, spec: SourceSpec) -> Any:
        return self._client.submit(StreamActor, spec, self._max_restarts, actor=True, pure=False).result()

    def _ask(self, spec: SourceSpec, name: str) -> WorkerStatus | None:
        """Call a method of the actor; when its worker is gone, place the source anew and return None."""
        try:
            answer: WorkerStatus | None = getattr(self._actors[spec.name], name)().result()
        except (OSError, ValueError):
            self._moves[spec.name] += 1
            self._actors[spec.name] = self._place(spec.restarted(self._moves[spec.name]))
            return None
        return answer
