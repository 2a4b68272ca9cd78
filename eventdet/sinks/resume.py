"""Where an earlier run stopped, found in what it wrote, and how much of each of its outputs stays.

A process can be killed between any two writes. JSON lines are written last of all outputs, so that the last whole
window in them is in every other output too; what the others have beyond it is cut off, and comes again.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from eventdet.errors import InputError, OptionError

from .jsonl import SUMMARY_TYPE, header_record
from .registry import is_line_file
from .result import StreamHeader
from .tables import CSV_COLUMNS

__all__ = ["ResumePlan", "plan_resume"]

_CSV_NAMES = ",".join(CSV_COLUMNS).encode() + b"\n"

_MAY_DIFFER = frozenset({"hardware", "eventdet_version"})
"""What a header may say otherwise after a restart; of the hardware, the machine and its threads alone."""


@dataclass(frozen=True, slots=True)
class ResumePlan:
    """How outputs of an earlier run are continued."""

    next_seq: int
    """Number of the first window that is not in them yet."""

    stop_us: int
    """End of the last window in them, microseconds; 0 without one."""

    keep_bytes: dict[str, int]
    """By target: bytes of the earlier file that stay."""

    renumber: bool = False
    """Whether windows are numbered on from `next_seq`, as those of a live source, rather than left out below it."""


class _Scan(NamedTuple):
    next_seq: int
    stop_us: int
    num_boxes: int


def plan_resume(targets: Sequence[str], *, header: StreamHeader, renumber: bool = False) -> ResumePlan:
    """Return how the outputs of an earlier run are continued; nothing is changed by that.

    Parameters
    ----------
    targets : sequence of str
        Outputs of the run.
    header : StreamHeader
        Of the run that continues; it must agree with that of the earlier one.
    renumber : bool
        Whether windows are numbered on, as those of a live source.

    Returns
    -------
    ResumePlan
        For ``Outputs(..., resume=plan)``. Where there is nothing to continue it starts at window 0.

    Raises
    ------
    OptionError
        When there is no ``.jsonl`` output, an output cannot be continued, is not of the earlier run or lacks boxes of
        it, or the earlier run had other settings.
    InputError
        When an earlier file cannot be read.
    """
    files = [target for target in targets if target != "-" and "://" not in target]
    for target in files:
        if not is_line_file(target):
            raise OptionError(
                f"output {target} cannot be continued, only .jsonl, .csv and .txt can", hint="leave it or --resume out"
            )
    records = [target for target in files if Path(target).suffix.lower() == ".jsonl"]
    if not records:
        raise OptionError(
            "--resume needs a .jsonl output, which says where the earlier run stopped", hint="add -o detections.jsonl"
        )
    scans = [_scan(Path(target), header) for target in records]
    first = min(scans)
    keep = {target: _kept_bytes(Path(target), first) for target in files} if first.next_seq else {}
    return ResumePlan(first.next_seq, first.stop_us, keep, renumber)


def _scan(path: Path, header: StreamHeader) -> _Scan:
    """Return what a file of JSON lines ends with, after finding that its header agrees."""
    scan = _Scan(0, 0, 0)
    for number, line in enumerate(_whole_lines(path)):
        record = _record(line)
        if record is None:
            break
        if not number:
            _check_header(path, record, header)
        elif record.get("type") != SUMMARY_TYPE:
            scan = _Scan(record["seq"] + 1, record["t_us"], scan.num_boxes + len(record["boxes"]))
    return scan


def _check_header(path: Path, record: dict[str, object], header: StreamHeader) -> None:
    wanted = json.loads(json.dumps(header_record(header)))
    for field in fields(header):
        name = field.name
        if name not in _MAY_DIFFER and record.get(name) != wanted[name]:
            raise OptionError(
                f"{path}: the earlier run had {name} {record.get(name)!r}, this one has {wanted[name]!r}",
                hint="give the same options, or leave --resume out",
            )
    before, now = _arithmetic(str(record.get("hardware", ""))), _arithmetic(header.hardware)
    # A file of an older version may not say; what is not known is no ground to refuse a service its restart.
    if before and now and before != now:
        raise OptionError(
            f"{path}: the earlier run computed in {before}, this one in {now}",
            hint="give the same --dtype and --runtime by name, or leave --resume out",
        )


def _arithmetic(hardware: str) -> str:
    """Return precision and runtime, which come last in "AMD EPYC, 2 cores, 2 threads, openvino float32"; or nothing."""
    return hardware.rpartition(" threads, ")[2] if " threads, " in hardware else ""


def _kept_bytes(path: Path, scan: _Scan) -> int:
    """Return how many bytes at the start of a file are of the windows that a scan found.

    A table has a row for each of their boxes. One that was not an output of the earlier run lacks some: to go on in it
    would leave a hole that nobody sees.
    """
    kind = path.suffix.lower()
    if not path.exists():
        raise _not_continued(path, f"is missing, the .jsonl has windows up to {scan.next_seq - 1}")
    lines = _whole_lines(path)
    if kind != ".jsonl":
        _check_table(path, lines[0] if lines else b"")
    # The first line is a header but for MOT text.
    start = 0 if kind == ".txt" else 1
    seq_of = {".jsonl": _seq_of_record, ".csv": _seq_of_row, ".txt": _seq_of_track}[kind]
    rows = list(takewhile(lambda line: 0 <= seq_of(line) < scan.next_seq, lines[start:]))
    if kind != ".jsonl" and len(rows) != scan.num_boxes:
        raise _not_continued(
            path, f"has {len(rows)} boxes up to window {scan.next_seq - 1}, the .jsonl has {scan.num_boxes}"
        )
    return sum(map(len, [*lines[:start], *rows]))


def _check_table(path: Path, first: bytes) -> None:
    """Find out whether a table began as its sink begins one; MOT text has no header, and no line without a box."""
    is_ours = first == _CSV_NAMES if path.suffix.lower() == ".csv" else not first or _seq_of_track(first) >= 0
    if not is_ours:
        raise _not_continued(path, "line 1 is not that of an output of stream" if first else "is empty")


def _not_continued(path: Path, reason: str) -> OptionError:
    return OptionError(f"{path}: {reason}", hint="leave this output out, or start anew without --resume")


def _seq_of_record(line: bytes) -> int:
    record = _record(line)
    return -1 if record is None or record.get("type") == SUMMARY_TYPE else record["seq"]


def _seq_of_row(line: bytes) -> int:
    return _whole_number(next(csv.reader([line.decode()]), [""])[0])


def _seq_of_track(line: bytes) -> int:
    return _whole_number(line.partition(b",")[0].decode()) - 1


def _whole_number(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def _record(line: bytes) -> dict[str, Any] | None:
    """Return a record, None for what is none: the line that a crash of the machine left."""
    try:
        record = json.loads(line)
        if record.get("type") not in ("header", SUMMARY_TYPE):
            record["seq"], record["t_us"] = int(record["seq"]), int(record["t_us"])
            record["boxes"] = list(record["boxes"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return record  # type: ignore[no-any-return]  # an object: it has the method get


def _whole_lines(path: Path) -> list[bytes]:
    """Return the lines that end, none when there is no such file."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]
