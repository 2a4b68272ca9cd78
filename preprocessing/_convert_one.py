"""Convert one recording: the task that every executor runs, here or in another process.

It is idempotent and says what came of it in a small value, errors included, so that it can be run again wherever the
process that ran it died.
"""

import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import EventdetError, InputError
from eventdet.events import Events
from eventdet.filters import EventFilter, FilteredRecording, move_boxes
from eventdet.formats import Recording, Window, cut_windows, open_recording
from eventdet.formats.label_presets import LABEL_PRESETS
from eventdet.formats.prophesee_boxes import read_label_file
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.triggers import Triggers

from ._alignment import newest_grid_windows, newest_windows, windows_ending_at
from ._checksums import digest_of_file, find_damaged_files
from .conversion import Outcome
from .locations import is_local, upload
from .options import ConvertOptions
from .planning import ConversionJob
from .store import is_store, open_stored_recording
from .store_writer import EventColumns, RecordingWriter, recording_writer, remove_leftovers

__all__ = ["ConversionTask", "OnEvents", "OtherSourceError", "convert_recording", "describe_file", "is_up_to_date"]

_BATCH_EVENTS = 1 << 18
"""Read at once: with what is made of them on the way, some 10 MB."""

_WINDOWS_A_REPORT = 64
"""Windows from one word of progress to the next: some 10 ms of work at VGA, so that an interrupt is seen at once."""

OnEvents = Callable[[int], None]
"""Takes how many events of the recording have been read so far."""


class OtherSourceError(InputError):
    """What is stored was made from another recording, and stays."""


class ConversionTask(NamedTuple):
    """What a process needs to know to convert one recording."""

    job: ConversionJob
    """Where the recording is and goes."""

    output: Path
    """The store."""

    options: ConvertOptions
    """What to write."""


def convert_recording(task: ConversionTask, on_events: OnEvents | None = None) -> Outcome:
    """Convert one recording unless it is up to date, and return what came of it, an error too."""
    job, target = task.job, task.output / task.job.name
    try:
        wanted: dict[str, Any] = {"params_hash": task.options.digest, "source": _describe_source(job)}
        if is_local(target):
            remove_leftovers(target)
        is_current = is_up_to_date(target, wanted)
        replaced = _replaced_source(task, wanted["source"])
        if not is_current:
            _write_anywhere(task, wanted, on_events or (lambda _: None))
        attributes = open_stored_recording(target).attributes
        num_bytes = sum(file["size"] for file in attributes["files"].values())
        return Outcome(job.name, job.source, not is_current, attributes, num_bytes, replaced=replaced)
    except EventdetError as error:
        return Outcome(job.name, job.source, written=False, attributes={}, num_bytes=0, error=error)


def _describe_source(job: ConversionJob) -> dict[str, Any]:
    """Return name, size and SHA-256 of the files that a recording is made from."""
    described = describe_file(job.source)
    described["labels"] = None if job.labels is None else describe_file(job.labels)
    return described


def describe_file(path: Path) -> dict[str, Any]:
    """Return name, size and SHA-256 of a file; raises InputError when it cannot be read."""
    try:
        return {"name": path.name, "size": path.stat().st_size, "sha256": digest_of_file(path)}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def is_up_to_date(target: Path, wanted: dict[str, Any]) -> bool:
    """Return whether the recording is there, made from the same bytes in the same way, with all its files."""
    if not is_store(target):
        return False
    attributes = open_stored_recording(target).attributes
    is_wanted = all(attributes.get(name) == value for name, value in wanted.items())
    return is_wanted and not any(find_damaged_files(target, deep=False))


def _replaced_source(task: ConversionTask, source: dict[str, Any]) -> str:
    """Return which other bytes the stored recording was made from, an empty string if it was from the same ones.

    A store does not keep folders: a changed file and another one of the same name look alike, and are told. Another
    name and other bytes are another recording, unless that one is converted now too: a file that came later may be the
    first to take a place, and the other one then keeps its suffix.

    Raises
    ------
    OtherSourceError
        When it was made from another recording.
    """
    target = task.output / task.job.name
    stored = open_stored_recording(target).attributes.get("source") if is_store(target) else None
    if not isinstance(stored, Mapping) or stored.get("sha256") == source["sha256"]:
        return ""
    if stored.get("name") not in {source["name"], *task.job.alike}:
        raise OtherSourceError(
            f"{task.job.source}: {task.job.name} was made from another recording, {stored.get('name')}, and stays",
            hint="give both to one command or another output, or remove it: eventdet store rm",
        )
    return f"SHA-256 {str(stored.get('sha256'))[:12]}, {stored.get('size')} bytes"


@dataclass(frozen=True, slots=True)
class _Source:
    """An opened recording: the part and the labels that are wanted."""

    recording: Recording
    filters: list[EventFilter]
    original_size: SensorSize
    start_us: int | None
    stop_us: int | None

    @classmethod
    def open(cls, path: Path, options: ConvertOptions) -> "_Source":
        original = open_recording(path, sensor_size=options.sensor_size, policy=options.policy)
        filters = options.parse_filters()
        # The first stamp of a filtered recording would depend on the filters.
        first_us = original.t_first_us if options.takes_part else 0
        return cls(
            FilteredRecording(original, filters) if filters else original,
            filters,
            original.sensor_size,
            None if options.start_us is None else first_us + options.start_us,
            None if options.end_us is None else first_us + options.end_us,
        )

    def batches(self, on_triggers: Callable[[Triggers], None]) -> Iterator[Events]:
        """Yield the events of the part, in the order of time."""
        if self.start_us is None and self.stop_us is None:
            return self.recording.chunks(_BATCH_EVENTS, on_triggers=on_triggers)
        triggers = self.recording.triggers()
        on_triggers(triggers[self._is_inside(triggers.t)])
        return self.recording.span(self.start_us, self.stop_us)

    def labels(self, path: Path | None, options: ConvertOptions, *, training: bool) -> tuple[Boxes, dict[str, int]]:
        """Return the labels that are wanted, where the filters move them, and how many were dropped by which rule."""
        if path is None:
            return Boxes.empty(), {}
        file = read_label_file(path)
        rules = [("not a box", file.is_sound), ("outside the part", self._is_inside(file.boxes.t))]
        if options.classes is not None:
            rules.append(("other class", np.isin(file.boxes.class_id, options.classes)))
        kept = np.ones(len(file.boxes), np.bool_)
        dropped = {}
        for rule, holds in rules:
            dropped[rule] = int(np.count_nonzero(kept & ~holds))
            kept &= holds
        boxes, by_preset = LABEL_PRESETS[options.labels].apply(file.boxes[kept], self.original_size, training=training)
        moved = move_boxes(self.filters, boxes, self.original_size)
        dropped |= by_preset | {"cut away": len(boxes) - len(moved)}
        return moved, {rule: count for rule, count in dropped.items() if count}

    def _is_inside(self, t: NDArray[np.int64]) -> NDArray[np.bool_]:
        inside = np.ones(len(t), np.bool_)
        if self.start_us is not None:
            inside &= t >= self.start_us
        if self.stop_us is not None:
            inside &= t < self.stop_us
        return inside


def _write_anywhere(task: ConversionTask, wanted: dict[str, Any], on_events: OnEvents) -> None:
    """Write a recording where it belongs, or here first and then to its URL: shards are written whole either way."""
    if is_local(task.output):
        _write(task, wanted, on_events)
        return
    with tempfile.TemporaryDirectory(prefix="eventdet-") as folder:
        here = task._replace(output=Path(folder))
        _write(here, wanted, on_events)
        upload(here.output / task.job.name, task.output / task.job.name)


def _write(task: ConversionTask, wanted: dict[str, Any], on_events: OnEvents) -> None:
    job, options = task.job, task.options
    source = _Source.open(job.source, options)
    labels, dropped = source.labels(job.labels, options, training="train" in Path(job.name).parts)
    with recording_writer(task.output / job.name, source.recording.sensor_size) as writer:
        stamps = np.unique(labels.t) if job.labels is not None else None
        if stamps is not None:
            writer.add_labels(labels)
        extent = _write_streams(source, stamps, writer, options, on_events)
        recording = source.recording
        writer.publish(
            {
                **extent,
                **wanted,
                "params": options.to_dict(),
                "source_format": recording.format,
                "synthetic": recording.synthetic,
                "report": recording.report.to_dict(),
                "labels_dropped": dropped,
                "eventdet_version": version("eventdet"),
            }
        )


def _write_streams(
    source: _Source,
    label_stamps: NDArray[np.int64] | None,
    writer: RecordingWriter,
    options: ConvertOptions,
    on_events: OnEvents,
) -> dict[str, int]:
    """Write events, triggers and tensors in one pass, and return the extent of the recording.

    The stamps of the labels, each once and increasing, are None for a recording without a label file.
    """
    triggers: list[Triggers] = []
    columns = writer.add_events() if options.write_events else None
    passing = _Passing(source.batches(triggers.append), columns, on_events)
    if not options.write_frames:
        for _ in passing:
            pass
    else:
        _write_windows(passing, label_stamps, source.recording.sensor_size, writer, options)
    found = Triggers.concatenate(triggers)
    if len(found):
        writer.add_triggers(found)
    return {"num_events": passing.num_events, "t_first_us": passing.t_first_us, "t_last_us": passing.t_last_us}


class _Passing:
    """Batches on their way to the windows: stored, and their extent noted."""

    def __init__(self, batches: Iterable[Events], columns: EventColumns | None, on_events: OnEvents) -> None:
        self._batches = batches
        self._columns = columns
        self._on_events = on_events
        self.num_events = self.t_first_us = self.t_last_us = 0

    def __iter__(self) -> Iterator[Events]:
        """Yield the same batches."""
        for batch in self._batches:
            if not self.num_events:
                self.t_first_us = int(batch.t[0])
            self.num_events += len(batch)
            self.t_last_us = int(batch.t[-1])
            if self._columns is not None:
                self._columns.append(batch)
            yield batch
            self._on_events(self.num_events)

    def watch(self, windows: Iterable[Window]) -> Iterator[Window]:
        """Yield the same windows, and tell of the events amid a batch too: a silence has windows without number."""
        for window in windows:
            yield window
            if window.seq % _WINDOWS_A_REPORT == _WINDOWS_A_REPORT - 1:
                self._on_events(self.num_events)


def _write_windows(
    passing: _Passing,
    label_stamps: NDArray[np.int64] | None,
    size: SensorSize,
    writer: RecordingWriter,
    options: ConvertOptions,
) -> None:
    """Write the tensors of all windows, where these lie, and which one belongs to each label."""
    stamps = np.empty(0, np.int64) if label_stamps is None else label_stamps
    if options.is_regular:
        start_us, num_windows = _write_frames(passing.watch(cut_windows(passing, options.grid)), size, writer, options)
        first_end_us = start_us + (options.window_us or 0)
        newest = newest_grid_windows(stamps, num_windows, first_end_us, stride_us=options.grid.stride_us or 1)
    else:
        # Flat, for a stream may have hundreds of millions of them: start, end, start, end.
        edges = array("q")
        if options.align == "label-end":
            windows = windows_ending_at(passing, stamps.tolist(), length_us=options.window_us or 0)
        else:
            windows = cut_windows(passing, options.grid)
        _write_frames(_noting_edges(passing.watch(windows), edges), size, writer, options)
        starts, ends = np.array(edges, np.int64).reshape(-1, 2).T
        writer.add_window_edges(starts, ends=ends if options.has_counts else None)
        newest = newest_windows(stamps, ends)
    if label_stamps is not None:
        writer.add_label_windows(newest)


def _noting_edges(windows: Iterable[Window], edges: "array[int]") -> Iterator[Window]:
    for window in windows:
        edges.extend((window.t0_us, window.t1_us))
        yield window


def _write_frames(
    windows: Iterator[Window], size: SensorSize, writer: RecordingWriter, options: ConvertOptions
) -> tuple[int, int]:
    """Write the tensor of each window, and return the start of the first, microseconds, and how many there are."""
    # A grid begins at a multiple of the stride that only the first event tells.
    first = next(windows, None)
    start_us = 0 if first is None else first.t0_us
    pixels = fit_pixels(size, size)
    frames = writer.add_frames(
        options.representation,
        pixels,
        start_us=start_us,
        window_us=0 if options.has_counts else options.window_us or 0,
        stride_us=options.grid.stride_us or 0 if options.is_regular else 0,
    )
    tensor = np.empty(options.representation.shape(pixels.target), options.representation.dtype)
    num_windows = 0
    for window in chain([] if first is None else [first], windows):
        options.representation(window.events, window.t0_us, window.t1_us, pixels, tensor)
        frames.put(tensor)
        num_windows += 1
    return start_us, num_windows
