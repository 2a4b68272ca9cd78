"""What every sink can do."""

from types import TracebackType
from typing import Protocol, Self

from .result import StreamTotals, WindowResult

__all__ = ["Sink"]


class Sink(Protocol):
    """Takes the results of a stream, one window at a time.

    A sink is a context manager: leaving the block finalises its output, after an exception too.
    """

    target: str
    """Where the output goes, as the user wrote it."""

    note: str
    """What the user should know about the output; empty when all is as expected."""

    greeting: str = ""
    """What the user should know before the first window, such as where to look."""

    is_done: bool = False
    """Whether further results are of no use, since whoever read them has gone."""

    def write(self, result: WindowResult) -> None:
        """Take the detections of the next window.

        Raises
        ------
        OutputError
            When they cannot be written; the sink is then to be discarded.
        """

    def conclude(self, totals: StreamTotals) -> None:
        """Take what the stream was in all, after its last window; a sink without a place for it does nothing."""

    def close(self) -> None:
        """Finalise the output; a second call does nothing.

        Raises
        ------
        OutputError
            When it cannot be finalised; an earlier file of the same name is then left.
        """

    def discard(self) -> None:
        """Give the output up and leave an earlier file of the same name, where that is still there."""

    def __enter__(self) -> Self:
        """Return the sink."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finalise the output."""
        self.close()
