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
from .workers import STOPPED, Log, StreamProcess, WorkerStatus

__all__ = ["ClusterSupervisor", "StreamActor", "connected"]

_POLL_S = 0.1
_CONNECT_S = 10.0
_PLACE_S = 10.0
_CALL_S = 10.0
"""Longest wait for a worker to answer; it does nothing but look at a process."""


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
    """Runs one source on a worker of a cluster, once it is told to.

    Nothing starts by itself: Dask makes the actors of a lost worker anew, without having been asked to, and a second
    process for one source would write over the outputs of the first.

    Parameters
    ----------
    spec : SourceSpec
        What runs; its paths are those of the worker's machine.
    max_restarts : int
        Crashes in a row after which it is given up.
    """

    def __init__(self, spec: SourceSpec, max_restarts: int = 10) -> None:
        self._process = StreamProcess(spec, max_restarts=max_restarts)

    def start(self) -> None:
        """Start the source."""
        threading.Thread(target=self._run, name="eventdet actor", daemon=True).start()

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
    log : callable
        Takes the name of a source and a record of where it runs, or that no worker has it; not what it says itself.
    """

    def __init__(
        self,
        specs: Sequence[SourceSpec],
        client: Any,
        *,
        max_restarts: int = 10,
        log: Log = lambda _name, _record: None,
    ) -> None:
        self._specs = list(specs)
        self._client = client
        self._max_restarts = max_restarts
        self._log = log
        self._is_stopping = False
        self._moves = dict.fromkeys((spec.name for spec in specs), 0)
        self._actors: dict[str, Any] = {}
        self._statuses = {spec.name: WorkerStatus(spec.name) for spec in specs}
        self._places = dict.fromkeys((spec.name for spec in specs), "")

    @property
    def statuses(self) -> list[WorkerStatus]:
        """How each source was when it was last asked."""
        return list(self._statuses.values())

    def run(self) -> list[WorkerStatus]:
        """Run until every source is over, and return how each ended."""
        asked_to_stop: set[str] = set()
        while waiting := [spec for spec in self._specs if not self._statuses[spec.name].is_over]:
            for spec in waiting:
                if self._is_stopping and spec.name not in self._actors:
                    self._statuses[spec.name].state = STOPPED
                    continue
                try:
                    self._attend(spec, asked_to_stop)
                except (OSError, RuntimeError, ValueError):
                    # Dask says in each of these ways that the worker is lost; a call that hangs times out, an OSError.
                    asked_to_stop.discard(spec.name)
                    if self._actors.pop(spec.name, None) is not None:
                        self._moves[spec.name] += 1
                    self._tell(spec.name, "waits: no worker of the cluster has it")
            time.sleep(_POLL_S)
        return self.statuses

    def stop(self) -> None:
        """End every source soon, with its outputs finalised; a signal's handler may call it."""
        self._is_stopping = True

    def _attend(self, spec: SourceSpec, asked_to_stop: set[str]) -> None:
        """Do for one source what is due; raises when its worker is lost, or none is there to take it."""
        moves = self._moves[spec.name]
        if spec.name not in self._actors:
            wanted = spec.restarted(moves) if moves else spec
            future = self._client.submit(StreamActor, wanted, self._max_restarts, actor=True, pure=False)
            actor = future.result(timeout=_PLACE_S)
            self._actors[spec.name] = actor
            actor.start().result(timeout=_CALL_S)
            self._tell(spec.name, f"runs on {next(iter(self._client.who_has([future])[future.key]), 'the cluster')}")
        actor = self._actors[spec.name]
        if self._is_stopping and spec.name not in asked_to_stop:
            asked_to_stop.add(spec.name)
            actor.stop().result(timeout=_CALL_S)
        status: WorkerStatus = actor.status().result(timeout=_CALL_S)
        status.restarts += moves
        self._statuses[spec.name] = status

    def _tell(self, name: str, place: str) -> None:
        if self._places[name] != place:
            self._places[name] = place
            self._log(name, {"level": "info", "event": "place", "message": place})
