"""Detections as JSON lines: a header record, then one record a window.

A window without detections is a record too; rates could not be recomputed otherwise. Each record leaves in one piece,
so that whoever follows the file sees whole lines.
"""

import json
import sys
from pathlib import Path
from typing import BinaryIO

from eventdet.boxes import Boxes

from .base import Sink, prepare_target
from .result import StreamHeader, WindowResult

__all__ = ["JSONL_VERSION", "JsonlSink", "header_record", "result_record"]

JSONL_VERSION = 1
"""Version of the record layout; raised when a reader of the old one would misread the new one."""

_PIXEL_DIGITS = 2
"""Decimals of a coordinate: well below what a label is accurate to."""

_SCORE_DIGITS = 4
_LATENCY_DIGITS = 3
"""Decimals of a millisecond: microseconds."""


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
        "state_reset": bool(result.state_reset),
        "boxes": _box_records(result.boxes, class_names),
    }


def _box_records(boxes: Boxes, class_names: tuple[str, ...]) -> list[dict[str, object]]:
    columns = (boxes.xywh, boxes.score, boxes.class_id, boxes.track_id)
    return [
        {
            "xywh": [round(value, _PIXEL_DIGITS) for value in xywh],
            "score": round(score, _SCORE_DIGITS),
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

    Raises
    ------
    OptionError, InputError
        When the target cannot be written.
    """

    def __init__(self, target: str, *, header: StreamHeader) -> None:
        self.target = target
        self.note = ""
        self._class_names = header.class_names
        self._owns_stream = target != "-"
        self._stream: BinaryIO = self._open(prepare_target(target)) if self._owns_stream else sys.stdout.buffer
        self._write_line(header_record(header))

    @staticmethod
    def _open(path: Path) -> BinaryIO:
        return path.open("wb")

    def write(self, result: WindowResult) -> None:
        """Append the record of a window."""
        self._write_line(result_record(result, self._class_names))

    def close(self) -> None:
        """Close the file; the standard output stays open."""
        if self._owns_stream:
            self._stream.close()

    def _write_line(self, record: dict[str, object]) -> None:
        self._stream.write(json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n")
        self._stream.flush()
