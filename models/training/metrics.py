"""Metrics of a run as JSON lines, as CSV and for TensorBoard; what a resumed run repeats is cut off first."""

import csv
import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from eventdet.errors import MissingExtraError, OutputError

__all__ = ["COLUMNS", "MetricsLog"]

COLUMNS = (
    "step",
    "total",
    "box",
    "objectness",
    "classes",
    "rate",
    "elapsed_s",
    "mAP50",
    "mAP50_95",
)
"""Of the CSV; a row of losses or of scores leaves the others empty."""


class MetricsLog:
    """Appends records to ``metrics.jsonl`` and ``metrics.csv`` of a folder, each line whole when it is there.

    Parameters
    ----------
    folder : Path
        Made when missing.
    after_step : int
        Records of later steps, which a killed run has left, are removed: they come again.
    tensorboard : bool
        Write ``tensorboard/`` as well.

    Raises
    ------
    OutputError
        When the folder cannot be written.
    MissingExtraError
        When TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, *, after_step: int = 0, tensorboard: bool = False) -> None:
        self._lines, self._table = folder / "metrics.jsonl", folder / "metrics.csv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            kept = [record for record in _read(self._lines) if record["step"] <= after_step]
            _replace(self._lines, "".join(json.dumps(record) + "\n" for record in kept))
            _replace(self._table, ",".join(COLUMNS) + "\r\n" + "".join(map(_row, kept)))
        except OSError as error:
            raise OutputError(f"{folder}: metrics cannot be written: {error.strerror or error}") from error
        self._board = _board(folder / "tensorboard", after_step) if tensorboard else None

    def write(self, record: Mapping[str, int | float]) -> None:
        """Append a record; its keys are of `COLUMNS`, ``step`` among them.

        Raises
        ------
        OutputError
            When a file cannot be written.
        """
        try:
            with self._lines.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(record) + "\n")
            with self._table.open("a", encoding="utf-8", newline="") as table:
                table.write(_row(record))
        except OSError as error:
            raise OutputError(f"{self._lines}: cannot be written: {error.strerror or error}") from error
        if self._board is not None:
            for name, value in record.items():
                if name != "step":
                    self._board.add_scalar(name, value, record["step"])
            self._board.flush()

    def close(self) -> None:
        """Close what is open."""
        if self._board is not None:
            self._board.close()


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the whole records of a file; a process that was killed may have left half of the last line."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not isinstance(record, dict) or not isinstance(record.get("step"), int):
            break
        records.append(record)
    return records


def _row(record: Mapping[str, Any]) -> str:
    text = StringIO()
    csv.writer(text).writerow([record.get(name, "") for name in COLUMNS])
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text, encoding="utf-8", newline="")
    unfinished.replace(path)


def _board(folder: Path, after_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("writing metrics for TensorBoard", extra="tensorboard") from error
    return SummaryWriter(str(folder), purge_step=after_step + 1)
