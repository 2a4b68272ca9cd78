"""Detections as text, a box a line: CSV, and the text of the Multiple Object Tracking benchmark.

Both grow in place, so that they can be followed. A window without boxes leaves no line: for rates take JSON lines.
"""

import csv
import io
from collections.abc import Sequence

from eventdet.boxes import Boxes

from ._lines import LineFile
from .base import Sink
from .jsonl import PIXEL_DIGITS, SCORE_DIGITS
from .result import StreamHeader, StreamTotals, WindowResult

__all__ = ["CSV_COLUMNS", "CsvSink", "MotSink"]

CSV_COLUMNS = ("seq", "t0_us", "t_us", "x", "y", "w", "h", "score", "class_id", "name", "track_id")
"""Columns of a CSV file: window, box (left, top, width, height in pixels), and what it is."""


class CsvSink(Sink):
    """Write one line a box, under a line with the names of the columns.

    Parameters
    ----------
    target : str
        Path.
    header : StreamHeader
        Class names.
    keep_bytes : int
        Bytes of an earlier file that are continued; 0: start anew.

    Raises
    ------
    OptionError, OutputError
        When the target cannot be written.
    """

    def __init__(self, target: str, *, header: StreamHeader, keep_bytes: int = 0) -> None:
        self.target = target
        self.note = ""
        self._class_names = header.class_names
        self._lines = LineFile(target, keep_bytes=keep_bytes)
        if not keep_bytes:
            self._lines.append(_csv_lines([CSV_COLUMNS]))

    def write(self, result: WindowResult) -> None:
        """Append the boxes of a window, all in one piece."""
        if not len(result.boxes):
            return
        stamps = (result.seq, result.t0_us, result.t_us)
        rows = []
        for *xywh, score, class_id, track_id in _plain_rows(result.boxes):
            name = self._class_names[class_id] if 0 <= class_id < len(self._class_names) else ""
            rows.append((*stamps, *xywh, score, class_id, name, track_id if track_id >= 0 else ""))
        self._lines.append(_csv_lines(rows))

    def conclude(self, totals: StreamTotals) -> None:
        """Do nothing: a table has no place for totals."""

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def discard(self) -> None:
        """Close the file, which keeps the lines that it has."""
        self._lines.close()


class MotSink(Sink):
    """Write one line a box as the MOT benchmark's tools read it.

    ``frame, id, left, top, width, height, score, class, -1, -1``: frames, classes and pixels count from 1 (Milan et
    al., 2016, "MOT16", table 6); a box without a track has the id -1.

    Parameters
    ----------
    target : str
        Path.
    keep_bytes : int
        Bytes of an earlier file that are continued.

    Raises
    ------
    OptionError, OutputError
        When the target cannot be written.
    """

    def __init__(self, target: str, *, keep_bytes: int = 0) -> None:
        self.target = target
        self.note = ""
        self._lines = LineFile(target, keep_bytes=keep_bytes)

    def write(self, result: WindowResult) -> None:
        """Append the boxes of a window, all in one piece."""
        lines = [
            f"{result.seq + 1},{track_id},{x + 1:g},{y + 1:g},{w:g},{h:g},{score:g},{class_id + 1},-1,-1\n"
            for x, y, w, h, score, class_id, track_id in _plain_rows(result.boxes)
        ]
        if lines:
            self._lines.append("".join(lines).encode())

    def conclude(self, totals: StreamTotals) -> None:
        """Do nothing: the layout has no place for totals."""

    def close(self) -> None:
        """Close the file."""
        self._lines.close()

    def discard(self) -> None:
        """Close the file, which keeps the lines that it has."""
        self._lines.close()


def _plain_rows(boxes: Boxes) -> list[tuple[float, float, float, float, float, int, int]]:
    """Return left, top, width, height, score, class and track of each box, rounded as in JSON lines."""
    columns = (boxes.xywh.tolist(), boxes.score.tolist(), boxes.class_id.tolist(), boxes.track_id.tolist())
    return [
        (
            *(round(value, PIXEL_DIGITS) for value in xywh),
            round(score, SCORE_DIGITS),
            class_id,
            track_id,
        )
        for xywh, score, class_id, track_id in zip(*columns, strict=True)
    ]


def _csv_lines(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
