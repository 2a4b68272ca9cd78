"""All outputs of one run as one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from eventdet.errors import EventdetError, OutputError

from .base import Sink
from .delivery import DeliveryReport, NetworkSink
from .registry import check_targets, is_line_file, open_sink
from .result import StreamHeader, StreamTotals, WindowResult
from .resume import ResumePlan
from .web import WebSink

__all__ = ["Outputs"]


class Outputs:
    """Sinks that hold the same windows: a window goes to all of them.

    One that fails does not take the others with it: they get the window too and are finalised, and then its error is
    raised. As a context manager it finalises all when the block is left; where not even one window was written before
    an error, earlier files of the same names are left.

    Parameters
    ----------
    targets : sequence of str
        As `eventdet.sinks.open_sink` takes them; all are checked before the first is opened.
    header : StreamHeader
        What holds for the whole stream.
    allow_remote : bool
        Whether an address may be one of another machine, or be reached from there.
    resume : ResumePlan, optional
        How to continue the outputs of an earlier run; by default they start anew.
    inputs : sequence of Path
        What the run reads, which no target may be.
    other_files : sequence of str
        What else the run will write, which none of the targets may be.

    Raises
    ------
    OptionError, OutputError, MissingExtraError
        When a target is not one, cannot be written, is given twice, or is what the stream reads; then none is touched.
    """

    def __init__(
        self,
        targets: Sequence[str],
        *,
        header: StreamHeader,
        allow_remote: bool = False,
        resume: ResumePlan | None = None,
        inputs: Sequence[Path] = (),
        other_files: Sequence[str] = (),
    ) -> None:
        check_targets(targets, header=header, allow_remote=allow_remote, inputs=inputs, other_files=other_files)
        self.sinks: list[Sink] = []
        """Those that have not failed."""
        self._num_windows = 0
        self._failures: list[EventdetError] = []
        self._resume = resume
        try:
            for target in sorted(targets, key=_order):
                keep_bytes = resume.keep_bytes.get(target, 0) if resume else 0
                sink = open_sink(target, header=header, allow_remote=allow_remote, keep_bytes=keep_bytes)
                self.sinks.append(sink)
        except EventdetError:
            self.discard()
            raise

    @property
    def is_done(self) -> bool:
        """Whether there are outputs, and whoever read them has gone."""
        return bool(self.sinks) and all(sink.is_done for sink in self.sinks)

    @property
    def deliveries(self) -> dict[str, DeliveryReport]:
        """What became of the windows of each output on a network, by target; any thread may ask."""
        return {sink.target: sink.report for sink in list(self.sinks) if isinstance(sink, NetworkSink | WebSink)}

    def write(self, result: WindowResult) -> None:
        """Give a window to every sink, but for one that the earlier run has written already.

        Raises
        ------
        EventdetError
            What a sink that failed raised.
        """
        if self._resume is not None:
            if self._resume.renumber:
                result = replace(result, seq=result.seq + self._resume.next_seq)
            elif result.seq < self._resume.next_seq:
                return
        self._num_windows += 1
        self._each(lambda sink: sink.write(result))

    def conclude(self, totals: StreamTotals) -> None:
        """Tell every sink what the stream was in all; raises as `write` does."""
        self._each(lambda sink: sink.conclude(totals))

    def close(self) -> None:
        """Finalise every sink; raises as `write` does."""
        self._each(lambda sink: sink.close())

    def discard(self) -> None:
        """Give every output up."""
        for sink in self.sinks:
            sink.discard()

    def __enter__(self) -> Self:
        """Return the outputs."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Finalise every output, or give them up when the first window failed."""
        if kind is not None and not self._num_windows:
            self.discard()
        else:
            self.close()

    def _each(self, action: Callable[[Sink], None]) -> None:
        failed = len(self._failures)
        for sink in list(self.sinks):
            try:
                action(sink)
            except EventdetError as error:
                self._failures.append(error)
                self.sinks.remove(sink)
                sink.discard()
        if len(self._failures) > failed:
            first = self._failures[0]
            if len(self._failures) == 1:
                raise first
            raise OutputError("; ".join(failure.message for failure in self._failures)) from first


def _order(target: str) -> int:
    """Lines are written in place: they come last, when nothing else can fail; JSON lines last of all.

    A window that stands in them stands in every other output then, whatever moment the process is killed at.
    """
    if target == "-" or target.lower().endswith(".jsonl"):
        return 2
    return 1 if is_line_file(target) else 0
