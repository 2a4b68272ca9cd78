"""Detections read back from the files that sinks write."""

import json
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError, OptionError
from eventdet.formats import read_boxes
from eventdet.geometry import SensorSize

from .jsonl import JSONL_VERSION, SUMMARY_TYPE
from .result import StreamHeader

__all__ = ["SavedWindows", "read_detections", "read_windows"]


class SavedWindows(NamedTuple):
    """What a file of JSON lines says of its windows, those without boxes included."""

    header: StreamHeader
    """What holds for the stream."""

    t_us: NDArray[np.int64]
    """Shape (n,): ends of the windows, microseconds."""

    latency_us: NDArray[np.int64] | None
    """Shape (n,): total latency of each; None when a window does not tell its own."""

    boxes: Boxes
    """All boxes in file order, stamped with the end of their window."""


def read_detections(path: str | Path) -> tuple[StreamHeader | None, Boxes]:
    """Return the header and the boxes of a file of detections.

    Parameters
    ----------
    path : str or Path
        ``.jsonl`` of `eventdet.sinks.open_sink`, or ``.npy`` in Prophesee's layout.

    Returns
    -------
    header : StreamHeader or None
        What holds for the stream; None for ``.npy``, which has none.
    boxes : Boxes
        All boxes in file order, stamped with the end of their window.

    Raises
    ------
    InputError
        When the file cannot be read.
    FormatError
        When a line is not a record of the known version; the message names the line.
    OptionError
        When the suffix is neither of the two.
    """
    file = Path(path)
    if file.suffix == ".npy":
        return None, read_boxes(file)
    if file.suffix != ".jsonl":
        raise OptionError(f"{file}: detections must be .jsonl or .npy, got {file.suffix or 'no suffix'!r}")
    windows = read_windows(file)
    return windows.header, windows.boxes


def read_windows(path: str | Path) -> SavedWindows:
    """Return every window of a file of JSON lines; raises `InputError` and `FormatError` as `read_detections` does."""
    file = Path(path)
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
    if not lines:
        raise FormatError(f"{file}: empty file, the header record is missing")
    header = _parse_header(_parse_line(lines[0], f"{file}: line 1"), f"{file}: line 1")
    stamps, latencies, parts = [], [], []
    for number, line in enumerate(lines[1:], start=2):
        where = f"{file}: line {number}"
        record = _parse_line(line, where)
        if record.get("type") != SUMMARY_TYPE:
            t_us, latency_us, boxes = _parse_window(record, where)
            stamps.append(t_us)
            latencies.append(latency_us)
            parts.append(boxes)
    known = [latency_us for latency_us in latencies if latency_us is not None]
    measured = np.array(known, np.int64) if len(known) == len(latencies) else None
    return SavedWindows(header, np.array(stamps, np.int64), measured, Boxes.concatenate(parts))


def _parse_line(line: bytes, where: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise FormatError(
            f"{where}: not a JSON record: {error}", hint="cut the file before this line to read the rest"
        ) from error
    if not isinstance(record, dict):
        raise FormatError(f"{where}: a record must be a JSON object, got {type(record).__name__}")
    return record


def _parse_header(record: dict[str, object], where: str) -> StreamHeader:
    if record.get("type") != "header" or record.get("v") != JSONL_VERSION:
        raise FormatError(
            f"{where}: must be a header record of version {JSONL_VERSION}, "
            f"got type {record.get('type')!r} and version {record.get('v')!r}"
        )
    try:
        # The casts carry no promise: a value of another type fails in the conversions or in StreamHeader.
        size = cast("dict[str, int]", record["sensor_size"])
        return StreamHeader(
            source=str(record["source"]),
            format=str(record["format"]),
            sensor_size=SensorSize(int(size["height"]), int(size["width"])),
            class_names=tuple(map(str, cast("list[str]", record["class_names"]))),
            window_us=int(cast("int", record["window_us"])),
            stride_us=int(cast("int", record["stride_us"])),
            model=str(record["model"]),
            weights_hash=str(record["weights_hash"]),
            state=str(record["state"]),
            synthetic=bool(record["synthetic"]),
            eventdet_version=str(record["eventdet_version"]),
            hardware=str(record.get("hardware", "")),
            window_events=_optional_int(record.get("window_events")),
            stride_events=_optional_int(record.get("stride_events")),
            rules=str(record.get("rules", "")),
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: broken header record: {_reason(error)}") from error


def _optional_int(value: object) -> int | None:
    return None if value is None else int(cast("int", value))


def _parse_window(record: dict[str, object], where: str) -> tuple[int, int | None, Boxes]:
    """Return the end of a window, its total latency in microseconds if it has one, and its boxes."""
    try:
        t_us = int(cast("int", record["t_us"]))
        total_ms = cast("dict[str, float]", record.get("latency_ms", {})).get("total")
        rows = cast("list[dict[str, Any]]", record["boxes"])
        boxes = Boxes.from_xywh(
            [row["xywh"] for row in rows],
            t=t_us,
            class_id=[row["class_id"] for row in rows],
            score=[row["score"] for row in rows],
            track_id=[-1 if row["track_id"] is None else row["track_id"] for row in rows],
        )
        return t_us, None if total_ms is None else round(1e3 * total_ms), boxes
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: broken window record: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
