"""Whether what is inside a stored recording agrees with itself: counts, order, index, extent."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError

from ._layout import LABEL_DTYPES, TRIGGER_DTYPES
from ._milliseconds import MillisecondIndex
from .representations import Representation
from .shard_reader import RowReader, open_rows
from .store import StoredRecording

__all__ = ["find_contradictions", "find_oddities"]

_BATCH_ROWS = 1 << 18
_WORD_BITS = (1 << 29) - 1
"""x, y and polarity; nothing else is set."""

Faults = Iterator[tuple[str, str]]
"""What it is about, within the recording, and what is wrong with it."""


def find_contradictions(recording: StoredRecording, *, deep: bool) -> Faults:
    """Yield what does not agree within a recording whose files are as they were sealed.

    Parameters
    ----------
    recording : StoredRecording
        Open recording.
    deep : bool
        Whether to read events and tensors too, not only how many there are.
    """
    parts = [("events", _check_events), ("labels", _check_labels), ("triggers", _check_triggers)]
    for name, check in parts:
        if (recording.path / name).is_dir():
            yield from _readable(name, check(recording, deep=deep))
    for name in recording.frame_names:
        yield from _readable(f"frames/{name}", _check_frames(recording, name, deep=deep))


def find_oddities(recording: StoredRecording) -> Faults:
    """Yield what is legal, yet seldom meant: labels out of the recording's time or off its sensor."""
    labels = recording.labels()
    if not len(labels):
        return
    early, late = labels.t < recording.t_first_us, labels.t > recording.t_last_us
    if count := np.count_nonzero(early | late):
        yield "labels", f"{count} of {len(labels)} lie before the first or after the last event"
    height, width = recording.sensor_size
    left, top, right, bottom = labels.xyxy.T
    if count := np.count_nonzero((left < 0) | (top < 0) | (right > width) | (bottom > height)):
        yield "labels", f"{count} of {len(labels)} reach beyond the sensor"


def _readable(name: str, faults: Faults) -> Faults:
    try:
        yield from faults
    except FormatError as error:
        yield name, error.message


def _check_events(recording: StoredRecording, *, deep: bool) -> Faults:
    stamps, words = (open_rows(recording.path / "events" / name) for name in ("t", "word"))
    count = recording.num_events
    for name, rows in (("events/t", stamps), ("events/word", words)):
        yield from _expect(name, rows, (count,), np.dtype("u4"))
    index = _read_all(open_rows(recording.path / "index" / "ms"))
    if index.ndim != 1 or not len(index) or index[0] != 0 or index[-1] != count or np.any(np.diff(index) < 0):
        yield "index/ms", f"must rise from 0 to {count}"
    elif deep and stamps.shape == words.shape == (count,):
        yield from _check_each_event(recording, stamps, words, index)


def _check_each_event(
    recording: StoredRecording, stamps: RowReader, words: RowReader, index: NDArray[np.int64]
) -> Faults:
    milliseconds, last = MillisecondIndex(), 0
    first_us, base_us = None, int(recording.attributes["t_base_us"])
    height, width = recording.sensor_size
    for begin in range(0, stamps.shape[0], _BATCH_ROWS):
        end = min(begin + _BATCH_ROWS, stamps.shape[0])
        t, word = stamps.read(begin, end).astype(np.int64), words.read(begin, end)
        if t[0] < last or np.any(np.diff(t) < 0):
            yield "events/t", f"stamps step back among events {begin} to {end}"
            return
        x, y = word & 0x3FFF, word >> 14 & 0x3FFF
        if np.any(word > _WORD_BITS) or x.max() >= width or y.max() >= height:
            yield "events/word", f"events lie off the {recording.sensor_size} sensor among {begin} to {end}"
        milliseconds.append(t)
        first_us, last = base_us + int(t[0]) if first_us is None else first_us, int(t[-1])
    if not np.array_equal(milliseconds.finish(), index):
        yield "index/ms", "differs from the stamps"
    if first_us is not None and (first_us, base_us + last) != (recording.t_first_us, recording.t_last_us):
        yield "events/t", f"spans {first_us} to {base_us + last} us, the attributes say otherwise"


def _check_labels(recording: StoredRecording, *, deep: bool) -> Faults:
    columns = {name: open_rows(recording.path / "labels" / name) for name in LABEL_DTYPES}
    shape = (int(recording.attributes.get("num_labels", 0)),)
    for name, rows in columns.items():
        yield from _expect(f"labels/{name}", rows, shape, LABEL_DTYPES[name])
    t = _read_all(columns["t"])
    if np.any(np.diff(t) < 0):
        yield "labels/t", "stamps step back"
    if not np.array_equal(_read_all(open_rows(recording.path / "index" / "label_t")), np.unique(t)):
        yield "index/label_t", "differs from the stamps of the labels"
    if deep:
        for rows in columns.values():
            _read_all(rows)


def _check_triggers(recording: StoredRecording, *, deep: bool) -> Faults:
    shape = (int(recording.attributes.get("num_triggers", 0)),)
    for name, dtype in TRIGGER_DTYPES.items():
        rows = open_rows(recording.path / "triggers" / name)
        yield from _expect(f"triggers/{name}", rows, shape, dtype)
        if deep:
            _read_all(rows)


def _check_frames(recording: StoredRecording, name: str, *, deep: bool) -> Faults:
    rows = open_rows(recording.path / "frames" / name)
    count = int(recording.attributes.get("num_frames", 0))
    try:
        representation = Representation.from_dict(rows.attributes)
        shape, dtype = representation.shape(recording.sensor_size), representation.dtype
    except OptionError:
        # A representation of somebody's own, whose module is not at hand: its tensors are what they are.
        shape, dtype = rows.shape[1:], rows.dtype
    yield from _expect(f"frames/{name}", rows, (count, *shape), dtype)
    for edge in ("start", "end"):
        listed = recording.path / "index" / f"window_{edge}"
        stamps = _read_all(open_rows(listed)) if listed.is_dir() else np.arange(count)
        if stamps.shape != (count,) or np.any(np.diff(stamps) < 0):
            yield f"index/window_{edge}", f"must be {count} stamps that rise"
    belonging = recording.path / "index" / "label_window"
    if belonging.is_dir():
        windows = _read_all(open_rows(belonging))
        if len(windows) != len(recording.label_windows[0]) or np.any((windows < -1) | (windows >= count)):
            yield "index/label_window", f"must name windows below {count}, one for each stamp of a label"
    for window in range(rows.shape[0] if deep else 0):
        rows.read(window, window + 1)


def _expect(name: str, rows: RowReader, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Faults:
    if rows.shape != shape or rows.dtype != dtype:
        yield name, f"must be {dtype} of shape {shape}, got {rows.dtype} {rows.shape}"


def _read_all(rows: RowReader) -> NDArray[Any]:
    return rows.read(0, rows.shape[0])
