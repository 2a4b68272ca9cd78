"""Sources over processes: one worker each, started again when it crashes, stopped with a signal.

A worker is the command ``eventdet stream`` itself: what runs under a supervisor, on a cluster and alone is the same,
and a crash of one source, in whatever library, takes no other with it. Its JSON log lines tell how far it is.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from .metrics import Health, Sample
from .sources import SourceSpec

__all__ = ["Log", "StreamProcess", "Supervisor", "WorkerStatus", "worker_health", "worker_samples"]

COMMAND = (sys.executable, "-m", "eventdet.service._worker_main")
"""What a worker's process runs; the number of the supervisor's process and the arguments follow."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0
"""A worker that ran this long had no trouble to start: its next crash is a first one."""

_STOP_S = 30.0
"""How long a worker may take to finalise its outputs before it is killed."""

_POLL_S = 0.05

_USAGE, _BAD_INPUT, _MISSING_EXTRA, _INTERRUPTED = 2, 3, 4, 130
"""Exit codes of the command."""

RUNNING, WAITING, DONE, FAILED, STOPPED = "running", "waiting", "done", "failed", "stopped"
_OVER = (DONE, FAILED, STOPPED)

Log = Callable[[str, dict[str, Any]], None]
"""Takes the name of a source and a record of its log."""


@dataclass(slots=True)
class WorkerStatus:
    """How one source is."""

    name: str
    """Name of the source."""

    state: str = WAITING
    """``running``, ``waiting`` (for a restart), ``done``, ``failed`` or ``stopped``."""

    pid: int = 0
    """Process that runs it, or ran it last."""

    restarts: int = 0
    """Times that it was started again."""

    exit_code: int | None = None
    """Of the process that ended last; negative: the signal that killed it."""

    num_windows: int = 0
    """Windows delivered by the present or last process."""

    num_events: int = 0
    """Events in them."""

    num_boxes: int = 0
    """Detections."""

    message: str = ""
    """Last error that it told."""

    @property
    def is_over(self) -> bool:
        """Whether it will not run any more."""
        return self.state in _OVER


class StreamProcess:
    """One source in a process of its own; `poll` does what is due.

    Parameters
    ----------
    spec : SourceSpec
        What runs.
    max_restarts : int
        Crashes in a row after which it is given up.
    log : callable
        Takes each record of its log, from a thread.
    """

    def __init__(self, spec: SourceSpec, *, max_restarts: int = 10, log: Log = lambda _name, _record: None) -> None:
        self.spec = spec
        """What runs."""
        self._status = WorkerStatus(spec.name)
        self._max_restarts = max_restarts
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._lock = threading.Lock()
        self._crashes = 0
        self._started_s = 0.0
        self._due_s = 0.0
        self._is_stopping = False
        self._deadline_s = float("inf")

    @property
    def status(self) -> WorkerStatus:
        """How it is now, a copy; any thread may ask."""
        with self._lock:
            return replace(self._status)

    def poll(self) -> WorkerStatus:
        """Start, restart or give up what is due, and return how it is."""
        if self._process is None:
            self._start_when_due()
        elif (code := self._process.poll()) is not None:
            self._ended(code)
        elif self._is_stopping and time.monotonic() > self._deadline_s:
            self._process.kill()
        return self.status

    def stop(self) -> None:
        """Ask it to finalise its outputs and end, soon; `poll` goes on until it has."""
        if self._is_stopping:
            return
        self._is_stopping = True
        self._deadline_s = time.monotonic() + _STOP_S
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End it now; nothing runs afterwards."""
        self._is_stopping = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self.poll()

    def _start_when_due(self) -> None:
        if self._status.is_over or (not self._is_stopping and time.monotonic() < self._due_s):
            return
        if self._is_stopping:
            self._set(state=STOPPED)
            return
        restarts = self._status.restarts + (self._status.exit_code is not None)
        spec = self.spec.restarted(restarts) if restarts else self.spec
        command = [*COMMAND, str(os.getpid()), "stream", "--log-format=json", *spec.arguments]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
        )
        self._process = process
        self._started_s = time.monotonic()
        self._set(state=RUNNING, pid=process.pid, restarts=restarts, num_windows=0, num_events=0, num_boxes=0)
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    def _ended(self, code: int) -> None:
        if self._reader is not None:
            self._reader.join()
        self._process = None
        ran_s = time.monotonic() - self._started_s
        self._crashes = 1 if ran_s > _STEADY_S else self._crashes + 1
        state = self._next_state(code)
        if state == WAITING:
            self._due_s = time.monotonic() + min(_FIRST_PAUSE_S * 2 ** (self._crashes - 1), _LONGEST_PAUSE_S)
        self._set(state=state, exit_code=code)

    def _next_state(self, code: int) -> str:
        if code == 0:
            return DONE
        # A process that was asked before it could listen ends by the signal itself, and had opened nothing.
        if code == _INTERRUPTED or (self._is_stopping and code == -signal.SIGTERM):
            return STOPPED
        if self._is_stopping:
            return FAILED
        # What was called wrongly is wrong again; a camera may come back, a missing file does not.
        hopeless = {_USAGE, _MISSING_EXTRA} if self.spec.is_live else {_USAGE, _MISSING_EXTRA, _BAD_INPUT}
        return FAILED if code in hopeless or self._crashes > self._max_restarts else WAITING

    def _read(self, process: "subprocess.Popen[str]") -> None:
        for line in process.stderr or ():
            try:
                record = json.loads(line)
                record["event"]
            except (KeyError, TypeError, ValueError):
                # A library, or a traceback: of use to whoever looks for the reason.
                record = {"level": "error", "event": "stderr", "message": line.rstrip()}
            self._take(record)
            self._log(self.spec.name, record)
        if process.stderr is not None:
            process.stderr.close()

    def _take(self, record: dict[str, Any]) -> None:
        counts = {
            name: record[name]
            for name in ("num_windows", "num_events", "num_boxes")
            if isinstance(record.get(name), int)
        }
        if record.get("level") == "error" and record.get("message"):
            counts["message"] = str(record["message"])
        self._set(**counts)

    def _set(self, **values: object) -> None:
        with self._lock:
            for name, value in values.items():
                setattr(self._status, name, value)


class Supervisor:
    """Runs sources until all are over.

    Parameters
    ----------
    specs : sequence of SourceSpec
        What runs.
    max_restarts : int
        Crashes of one source in a row after which it is given up.
    log : callable
        Takes the name of a source and each record of its log, from threads.
    """

    def __init__(
        self, specs: Sequence[SourceSpec], *, max_restarts: int = 10, log: Log = lambda _name, _record: None
    ) -> None:
        self.workers = [StreamProcess(spec, max_restarts=max_restarts, log=log) for spec in specs]
        """One a source."""
        self._is_stopping = False

    @property
    def statuses(self) -> list[WorkerStatus]:
        """How each source is; any thread may ask."""
        return [worker.status for worker in self.workers]

    def run(self) -> list[WorkerStatus]:
        """Run until every source is done, failed or stopped, and return how each ended."""
        try:
            while True:
                if self._is_stopping:
                    for worker in self.workers:
                        worker.stop()
                statuses = [worker.poll() for worker in self.workers]
                if all(status.is_over for status in statuses):
                    return statuses
                time.sleep(_POLL_S)
        finally:
            for worker in self.workers:
                worker.kill()

    def stop(self) -> None:
        """End every source soon, with its outputs finalised; a signal's handler may call it."""
        self._is_stopping = True


def worker_health(statuses: Iterable[WorkerStatus]) -> Health:
    """Return whether no source has failed or waits for a restart."""
    states = {status.name: status.state for status in statuses}
    return Health(not {FAILED, WAITING} & set(states.values()), {"sources": states})


def worker_samples(statuses: Iterable[WorkerStatus]) -> Iterable[Sample]:
    """Return the counts of all sources for ``/metrics``."""
    for status in statuses:
        labels = {"source": status.name}
        up = float(status.state == RUNNING)
        yield Sample("worker_up", up, "Whether the source runs.", "gauge", labels)
        yield Sample("worker_restarts", status.restarts, "Times that it was started again.", "counter", labels)
        for name in ("windows", "events", "boxes"):
            count = asdict(status)[f"num_{name}"]
            # A process that was started again counts from 0, as counters may.
            yield Sample(f"worker_{name}", count, f"{name.capitalize()} of its process.", "counter", labels)
