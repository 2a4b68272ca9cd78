"""Detections read back from the files that sinks write."""

import json
from pathlib import Path
from typing import Any, cast

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError, OptionError
from eventdet.formats import read_boxes
from eventdet.geometry import SensorSize

from .jsonl import JSONL_VERSION, SUMMARY_TYPE
from .result import StreamHeader

__all__ = ["read_detections"]


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
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error
    if not lines:
        raise FormatError(f"{file}: empty file, the header record is missing")
    header = _parse_header(_parse_line(lines[0], f"{file}: line 1"), f"{file}: line 1")
    parts = []
    for number, line in enumerate(lines[1:], start=2):
        where = f"{file}: line {number}"
        record = _parse_line(line, where)
        if record.get("type") != SUMMARY_TYPE:
            parts.append(_parse_boxes(record, where))
    return header, Boxes.concatenate(parts)


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
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: broken header record: {_reason(error)}") from error


def _parse_boxes(record: dict[str, object], where: str) -> Boxes:
    try:
        t_us = int(cast("int", record["t_us"]))
        rows = cast("list[dict[str, Any]]", record["boxes"])
        return Boxes.from_xywh(
            [row["xywh"] for row in rows],
            t=t_us,
            class_id=[row["class_id"] for row in rows],
            score=[row["score"] for row in rows],
            track_id=[-1 if row["track_id"] is None else row["track_id"] for row in rows],
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise FormatError(f"{where}: broken window record: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
