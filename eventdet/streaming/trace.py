"""A run as a Chrome trace: what each stage did when, for chrome://tracing or ui.perfetto.dev."""

import json
from collections import deque
from pathlib import Path
from typing import NamedTuple

from eventdet.errors import OutputError
from eventdet.sinks._files import PartFile, check_target, writing

__all__ = ["Span", "TraceLog"]

_MOST_WINDOWS = 10_000
"""Windows kept, the newest: about 8 MB of JSON, which the viewers still open."""

_READ_LANE, _DETECT_LANE = 1, 2


class Span(NamedTuple):
    """One stage of one window on the wall clock."""

    name: str
    """Name of the stage."""

    begin_ns: int
    """When it began, on the clock of `time.perf_counter_ns`."""

    duration_ns: int
    """How long it took."""


class TraceLog:
    """Keeps the spans of the newest windows of a run.

    Parameters
    ----------
    path : str or Path
        File that is written.
    most_windows : int
        Windows kept.

    Raises
    ------
    OptionError, OutputError
        When the file could not be written.
    """

    def __init__(self, path: str | Path, *, most_windows: int = _MOST_WINDOWS) -> None:
        self.path = check_target(path)
        """File that is written."""
        self._windows: deque[tuple[int, tuple[Span, ...]]] = deque(maxlen=most_windows)
        self.num_windows = 0
        """Windows seen; the newest of them are kept."""

        self.is_written = False
        """Whether the file has been written."""

    def add(self, seq: int, spans: tuple[Span, ...]) -> None:
        """Keep the spans of a window."""
        self._windows.append((seq, spans))
        self.num_windows += 1

    def records(self) -> list[dict[str, object]]:
        """Return the events of the trace as plain values, in the order of the windows."""
        origin = min((span.begin_ns for _, spans in self._windows for span in spans), default=0)
        return [
            {
                "name": span.name,
                "ph": "X",
                "ts": (span.begin_ns - origin) / 1e3,
                "dur": span.duration_ns / 1e3,
                "pid": 1,
                "tid": _READ_LANE if span.name in ("read", "window") else _DETECT_LANE,
                "args": {"seq": seq},
            }
            for seq, spans in self._windows
            for span in spans
        ]

    def write(self) -> None:
        """Write the trace to its file.

        Raises
        ------
        OutputError
            When the file cannot be written.
        """
        trace = {
            "displayTimeUnit": "ms",
            "otherData": {"windows": self.num_windows, "windows_kept": len(self._windows)},
            "traceEvents": self.records(),
        }
        part = PartFile(self.path)
        try:
            with writing(self.path):
                part.path.write_text(json.dumps(trace, separators=(",", ":")), encoding="utf-8")
        except OutputError:
            part.discard()
            raise
        part.keep()
        self.is_written = True
