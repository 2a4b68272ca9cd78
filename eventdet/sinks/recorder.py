"""Events to a file beside the detections: the recording of a live stream.

The file is written by a thread, since to encode and compress would take time from the detector. The queue is bounded:
when the disk cannot keep up, the loop waits, as it does for every file.
"""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from eventdet.errors import EventdetError, OutputError
from eventdet.events import Events
from eventdet.formats import EventOrigin, TranscodeSummary, output_format, write_events

from ._files import check_target

__all__ = ["EventRecorder"]

_QUEUE_BATCHES = 64


class EventRecorder:
    """Writes batches of events to an event file; leaving its block finalises it.

    Parameters
    ----------
    target : str
        Event file; its ending names the format.
    origin : EventOrigin
        Tells what a file says besides the events.

    Raises
    ------
    OptionError, OutputError
        When no such file can be written.
    """

    def __init__(self, target: str, origin: EventOrigin) -> None:
        self.check(target)
        self.target = target
        """The file as the user named it."""
        self.summary: TranscodeSummary | None = None
        """What was written, once it is."""
        self._origin = origin
        self._queue: queue.Queue[Events | None] = queue.Queue(_QUEUE_BATCHES)
        self._error: EventdetError | None = None
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="eventdet recorder", daemon=True)
        self._thread.start()

    @staticmethod
    def check(target: str) -> None:
        """Look whether an event file could be written; raises as the constructor does, and touches nothing."""
        output_format(Path(target))
        check_target(target)

    def write(self, events: Events) -> None:
        """Take the next events.

        Raises
        ------
        OutputError
            When the file could not be written.
        """
        if len(events) and self._is_open:
            self._put(events)

    def close(self) -> None:
        """Finalise the file; a second call does nothing.

        Raises
        ------
        OutputError
            When the file could not be written.
        """
        if self._is_open:
            self._is_open = False
            self._put(None)
            self._thread.join()
            self._raise()

    def __enter__(self) -> Self:
        """Return the recorder."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finalise the file."""
        self.close()

    def _put(self, events: Events | None) -> None:
        while self._thread.is_alive():
            try:
                self._queue.put(events, timeout=0.1)
                return
            except queue.Full:
                continue
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            self._is_open = False
            raise self._error

    def _run(self) -> None:
        try:
            self.summary = write_events(self._origin, self._batches(), self.target)
        except EventdetError as error:
            self._error = error
        except OSError as error:
            self._error = OutputError(f"output {self.target} cannot be written: {error.strerror or error}")

    def _batches(self) -> Iterator[Events]:
        while (events := self._queue.get()) is not None:
            yield events
