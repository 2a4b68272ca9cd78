"""Detections as JSON lines: a header record, one record a window, and a closing record with the totals.

A window without detections is a record too; rates could not be recomputed otherwise. Each record leaves in one piece,
so that whoever follows the file sees whole lines; a file without the closing record is of a run that failed or was
killed, or is still being written.
"""

import json

from eventdet.boxes import Boxes

from ._lines import LineFile, LineWriter, StandardOutput
from .base import Sink
from .result import StreamHeader, StreamTotals, TrackColumns, WindowResult

__all__ = [
    "JSONL_VERSION",
    "PIXEL_DIGITS",
    "SCORE_DIGITS",
    "SUMMARY_TYPE",
    "JsonlSink",
    "header_record",
    "result_record",
    "totals_record",
]

JSONL_VERSION = 1
"""Version of the record layout; raised when a reader of the old one would misread the new one."""

SUMMARY_TYPE = "summary"
"""Type of the closing record."""

PIXEL_DIGITS = 2
"""Decimals of a coordinate: well below what a label is accurate to."""

SCORE_DIGITS = 4
"""Decimals of a score."""

_LATENCY_DIGITS = 3
"""Decimals of a millisecond: microseconds."""

_SECOND_DIGITS = 6
"""Decimals of a second: microseconds."""


def header_record(header: StreamHeader) -> dict[str, object]:
    """Return the first record of a file as plain values."""
    return {
        "type": "header",
        "v": JSONL_VERSION,
        "source": header.source,
        "format": header.format,
        "sensor_size": {"height": header.sensor_size.height, "width": header.sensor_size.width},
        "class_names": list(header.class_names),
        "window_us": header.window_us,
        "stride_us": header.stride_us,
        "model": header.model,
        "weights_hash": header.weights_hash,
        "state": header.state,
        "synthetic": header.synthetic,
        "eventdet_version": header.eventdet_version,
        "hardware": header.hardware,
        "window_events": header.window_events,
        "stride_events": header.stride_events,
        "rules": header.rules,
    }


def result_record(result: WindowResult, class_names: tuple[str, ...]) -> dict[str, object]:
    """Return the record of a window as plain values."""
    return {
        "t_us": int(result.t_us),
        "t0_us": int(result.t0_us),
        "seq": int(result.seq),
        "n_events": int(result.num_events),
        "latency_ms": {stage: round(float(ms), _LATENCY_DIGITS) for stage, ms in result.latency_ms.items()},
        "dropped": int(result.dropped),
        "dropped_events": int(result.dropped_events),
        "state_reset": result.state_reset,
        "reset_reason": result.reset_reason or None,
        "boxes": _with_tracks(_box_records(result.boxes, class_names), result.tracks),
    }


def totals_record(totals: StreamTotals) -> dict[str, object]:
    """Return the closing record as plain values."""
    return {
        "type": SUMMARY_TYPE,
        "n_windows": int(totals.num_windows),
        "n_events": int(totals.num_events),
        "n_boxes": int(totals.num_boxes),
        "repairs": {name: int(count) for name, count in totals.repairs.items()},
        "recorded_s": round(float(totals.recorded_s), _SECOND_DIGITS),
        "wall_s": round(float(totals.wall_s), _SECOND_DIGITS),
        "windows_skipped": int(totals.windows_skipped),
        "events_dropped": int(totals.events_dropped),
    }


def _with_tracks(boxes: list[dict[str, object]], tracks: TrackColumns | None) -> list[dict[str, object]]:
    if tracks is not None:
        columns = (tracks.age_us.tolist(), tracks.velocity.tolist(), tracks.is_predicted.tolist())
        for box, age_us, velocity, is_predicted in zip(boxes, *columns, strict=True):
            box["track_age_us"] = age_us
            box["velocity"] = [round(value, PIXEL_DIGITS) for value in velocity]
            box["predicted"] = is_predicted
    return boxes


def _box_records(boxes: Boxes, class_names: tuple[str, ...]) -> list[dict[str, object]]:
    columns = (boxes.xywh, boxes.score, boxes.class_id, boxes.track_id)
    return [
        {
            "xywh": [round(value, PIXEL_DIGITS) for value in xywh],
            "score": round(score, SCORE_DIGITS),
            "class_id": class_id,
            "name": class_names[class_id] if 0 <= class_id < len(class_names) else None,
            "track_id": track_id if track_id >= 0 else None,
        }
        for xywh, score, class_id, track_id in zip(*(column.tolist() for column in columns), strict=True)
    ]


class JsonlSink(Sink):
    """Write JSON lines to a file, or to the standard output for the target ``-``.

    Parameters
    ----------
    target : str
        Path, or ``-``.
    header : StreamHeader
        Written at once, before the first window.
    keep_bytes : int
        Bytes of an earlier file that are continued, its header among them; 0: start anew.

    Raises
    ------
    OptionError, OutputError
        When the target cannot be written.
    """

    def __init__(self, target: str, *, header: StreamHeader, keep_bytes: int = 0) -> None:
        self.target = target
        self.note = ""
        self._class_names = header.class_names
        self._lines: LineWriter = StandardOutput() if target == "-" else LineFile(target, keep_bytes=keep_bytes)
        if not keep_bytes:
            self._write(header_record(header))

    def write(self, result: WindowResult) -> None:
        """Append the record of a window."""
        self._write(result_record(result, self._class_names))

    def conclude(self, totals: StreamTotals) -> None:
        """Append the closing record."""
        self._write(totals_record(totals))

    def close(self) -> None:
        """Close the file; the standard output stays open."""
        self._lines.close()

    def discard(self) -> None:
        """Close the file, which keeps the lines that it has."""
        self._lines.close()

    def _write(self, record: dict[str, object]) -> None:
        self._lines.append(json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n")
        if self._lines.is_done:
            self.is_done = True
            self.note = "its reader left before the end"
