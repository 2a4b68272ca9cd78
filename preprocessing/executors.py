"""Where the tasks of a conversion run: in this process, in several, or on a Dask cluster.

A task is one recording and idempotent, and what it returns is small. A process that dies takes no result with it but
those of its tasks, which run again; one that kills its process every time is told and left out.
"""

from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeAlias

from eventdet.errors import EventdetError, MissingExtraError, OptionError, OutputError
from eventdet.processes import process_pool

from ._convert_one import ConversionTask, OnEvents, convert_recording
from .conversion import Outcome

if TYPE_CHECKING:
    import distributed

__all__ = ["DaskExecutor", "Executor", "ProcessExecutor", "SerialExecutor"]

_MOST_BREAKDOWNS = 3
"""Times that a pool may break before every task gets a process of its own."""

_DASK_RETRIES = 3
"""Times that a task is run again when its worker dies."""

_PRELOADED = ["zarr", "eventdet.preprocessing._convert_one"]
"""Imported once, by the server that the processes are forked from."""

Outcomes: TypeAlias = Generator[Outcome, None, None]


class Executor(Protocol):
    """Runs tasks, in any order."""

    def run(self, tasks: Sequence[ConversionTask]) -> Outcomes:
        """Yield what came of each task as it ends; closing the generator drops those that have not begun."""


class SerialExecutor:
    """One task after the other, in this process.

    Parameters
    ----------
    on_events : callable, optional
        Told how many events of the current recording have been read.
    """

    def __init__(self, on_events: OnEvents | None = None) -> None:
        self._on_events = on_events

    def run(self, tasks: Sequence[ConversionTask]) -> Outcomes:
        """Yield what came of each task, in order."""
        for task in tasks:
            yield convert_recording(task, self._on_events)


class ProcessExecutor:
    """Several processes of this machine.

    Parameters
    ----------
    num_processes : int
        How many, > 0.

    Raises
    ------
    OptionError
        When there are none.
    """

    def __init__(self, num_processes: int) -> None:
        if num_processes < 1:
            raise OptionError(f"jobs must be > 0, got {num_processes}")
        self._num_processes = num_processes

    def run(self, tasks: Sequence[ConversionTask]) -> Outcomes:
        """Yield what came of each task as it ends."""
        left = {task.job.name: task for task in tasks}
        for _ in range(_MOST_BREAKDOWNS):
            if not left:
                return
            for outcome in _run_in_pool(list(left.values()), self._num_processes):
                del left[outcome.name]
                yield outcome
        # One of them kills whatever runs it: alone, it takes no other along.
        for task in left.values():
            yield next(_run_in_pool([task], 1), None) or _killed(task)


def _run_in_pool(tasks: Sequence[ConversionTask], num_processes: int) -> Outcomes:
    """Yield the outcomes until all are there or the pool breaks."""
    pool = process_pool(min(num_processes, len(tasks)), preload=_PRELOADED)
    try:
        futures = [pool.submit(convert_recording, task) for task in tasks]
        yield from _as_completed(futures)
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _as_completed(futures: Sequence[Future[Outcome]]) -> Outcomes:
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        # Those that ended well first: a broken pool breaks the others.
        yield from (future.result() for future in sorted(done, key=lambda one: one.exception() is not None))


def _killed(task: ConversionTask) -> Outcome:
    error = EventdetError(f"{task.job.source}: its process was killed each time", hint="is there enough memory?")
    return Outcome(task.job.name, task.job.source, written=False, attributes={}, num_bytes=0, error=error)


class DaskExecutor:
    """The workers of a Dask cluster; they see the same files under the same paths.

    Parameters
    ----------
    address : str
        Of a scheduler, such as ``tcp://host:8786``, or ``local`` for workers on this machine.
    num_workers : int
        Workers of ``local``.

    Raises
    ------
    MissingExtraError
        When the extra ``cluster`` is not installed.
    """

    def __init__(self, address: str, num_workers: int = 1) -> None:
        try:
            import distributed
        except ImportError as error:
            raise MissingExtraError("a Dask cluster", extra="cluster") from error
        self._distributed = distributed
        self._address = address
        self._num_workers = num_workers

    def run(self, tasks: Sequence[ConversionTask]) -> Outcomes:
        """Yield what came of each task as it ends.

        Raises
        ------
        OutputError
            When the scheduler cannot be reached.
        """
        with self._connect() as client:
            submitted: dict[str, ConversionTask] = {}

            def submit(task: ConversionTask) -> "distributed.Future":
                future = client.submit(convert_recording, task, pure=False, retries=_DASK_RETRIES)
                submitted[future.key] = task
                return future

            coming = iter(tasks)
            # A short queue: a worker that dies brings all that it was given under suspicion.
            ahead = 2 * max(1, len(client.scheduler_info()["workers"]))
            running = self._distributed.as_completed(submit(task) for task in islice(coming, ahead))
            for future in running:
                yield self._outcome(future, submitted.pop(future.key))
                for task in islice(coming, 1):
                    running.add(submit(task))

    def _outcome(self, future: "distributed.Future", task: ConversionTask) -> Outcome:
        try:
            outcome: Outcome = future.result()
        except self._distributed.KilledWorker:
            return _killed(task)
        return outcome

    def _connect(self) -> "distributed.Client":
        if self._address == "local":
            # The dashboard would need bokeh, and a port.
            return self._distributed.Client(
                n_workers=self._num_workers, threads_per_worker=1, dashboard_address=None, processes=True
            )
        try:
            return self._distributed.Client(self._address)
        except (OSError, ValueError) as error:
            raise OutputError(
                f"Dask scheduler {self._address}: cannot be reached ({error})", hint="like tcp://host:8786, or local"
            ) from error
