"""Recordings to a Zarr store, one at a time, resumable.

A recording is read once: each batch of events goes into the event columns and, cut into windows, into the tensors.
Memory is bounded by one shard of each, whatever the length of the recording. A recording that is already stored from
the same bytes with the same options is left alone, so an interrupted conversion is resumed by the same command.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from eventdet.errors import InputError, OptionError
from eventdet.events import Events
from eventdet.filters import FilteredRecording, move_boxes, parse_filter
from eventdet.formats import Recording, WindowGrid, cut_windows, open_recording, read_boxes
from eventdet.geometry import fit_pixels
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from .conversion import (
    ConversionJob,
    ConvertFailure,
    ConvertOptions,
    ConvertSummary,
    describe_source,
    plan_conversion,
    update_manifest,
)
from .store import is_store, open_stored_recording
from .store_writer import EventColumns, RecordingWriter, recording_writer, remove_leftovers

__all__ = ["convert"]

Progress = Callable[[float], None]


def convert(
    source: str | Path,
    output: str | Path,
    options: ConvertOptions | None = None,
    *,
    on_progress: Progress | None = None,
) -> ConvertSummary:
    """Convert an event file, or every one in a folder, to stored recordings.

    Parameters
    ----------
    source : str or Path
        An event file of a readable format, or a folder that is searched for files that end in ``.aedat``, ``.aedat4``,
        ``.dat``, ``.es`` or ``.raw``. Labels are taken from the ``_bbox.npy`` beside a file.
    output : str or Path
        Folder to write, made when missing: ``manifest.jsonl`` and one Zarr group a recording, in the folders that
        `source` has.
    options : ConvertOptions, optional
        What to write; by default events and histograms of 250 ms in 5 bins.
    on_progress : callable, optional
        Called with the share of the work that is done, 0 to 1.

    Returns
    -------
    ConvertSummary
        What was written, found up to date, and skipped. In a folder, a file that cannot be converted is skipped.

    Raises
    ------
    InputError
        When `source` is missing, a folder without recordings, or a single file that cannot be converted.
    OptionError
        When the options do not fit a single file, or `output` is not a folder.
    EventdetError
        When the disk refuses.

    Examples
    --------
    >>> convert("gen1/train", "gen1.zarr", ConvertOptions(window_us=50_000))  # doctest: +SKIP
    """
    source, output, options = Path(source), Path(output), options or ConvertOptions()
    if output.exists() and not output.is_dir():
        raise OptionError(f"output must be a folder, got the file {output}", hint="give another output")
    jobs = plan_conversion(source, output)
    failed = []
    progress = _Shares([job.source.stat().st_size for job in jobs], on_progress)
    entries = []
    converted = 0
    for job in jobs:
        try:
            written, attributes = _convert_if_needed(job, output / job.name, options, progress.within)
        except (InputError, OptionError) as error:
            if not source.is_dir():
                raise
            reason = str(error).removeprefix(f"{job.source}: ")
            failed.append(ConvertFailure(job.source, reason))
            entries.append({"path": job.name, "status": "failed", "reason": reason})
        else:
            converted += written
            entries.append({"path": job.name, "status": "complete", **attributes})
        progress.finish_one()
    output.mkdir(parents=True, exist_ok=True)
    update_manifest(output, [_manifest_entry(entry) for entry in entries])
    return _summarise(output, entries, converted, failed)


class _Shares:
    """Progress over several files, each weighted with its size."""

    def __init__(self, sizes: list[int], report: Progress | None) -> None:
        self._ends = np.cumsum([0, *sizes])
        self._report = report
        self._done = 0

    @property
    def within(self) -> Progress | None:
        """What the current file reports its own share to; None when nobody listens."""
        return None if self._report is None else self._advance

    def finish_one(self) -> None:
        """Go on to the next file."""
        if self._report is not None:
            self._advance(1.0)
        self._done += 1

    def _advance(self, share: float) -> None:
        begin, end = self._ends[self._done : self._done + 2]
        if self._report is not None:
            self._report(float((begin + share * (end - begin)) / max(1, self._ends[-1])))


def _convert_if_needed(
    job: ConversionJob, target: Path, options: ConvertOptions, on_progress: Progress | None
) -> tuple[bool, dict[str, Any]]:
    """Return whether the recording had to be written, and the attributes that it has now."""
    wanted = {"params_hash": options.digest, "source": describe_source(job)}
    remove_leftovers(target)
    if is_store(target):
        attributes = dict(open_stored_recording(target).attributes)
        if all(attributes.get(name) == value for name, value in wanted.items()):
            return False, attributes
    source = open_recording(job.source, sensor_size=options.sensor_size, policy=options.policy)
    filters = [parse_filter(text) for text in options.filters]
    recording = FilteredRecording(source, filters) if filters else source
    with recording_writer(target, recording.sensor_size) as writer:
        extent = _write_streams(recording, writer, options, on_progress)
        if job.labels is not None:
            writer.add_labels(move_boxes(filters, read_boxes(job.labels), source.sensor_size))
        attributes = {
            **extent,
            **wanted,
            "params": options.to_dict(),
            "source_format": recording.format,
            "synthetic": recording.synthetic,
            "report": recording.report.to_dict(),
            "eventdet_version": version("eventdet"),
        }
        writer.publish(attributes)
    return True, attributes


def _write_streams(
    recording: Recording, writer: RecordingWriter, options: ConvertOptions, on_progress: Progress | None
) -> dict[str, int]:
    """Write events and tensors in one pass, and return the counts and the extent of the recording."""
    passing = _Passing(writer.add_events() if options.write_events else None)
    found: list[Triggers] = []
    batches = passing.through(_reporting(recording, found.append, on_progress))
    if options.write_frames:
        num_frames = _write_frames(batches, recording, writer, options)
    else:
        num_frames = 0
        for _ in batches:
            pass
    triggers = Triggers.concatenate(found)
    if len(triggers):
        writer.add_triggers(triggers)
    return {
        "num_events": passing.num_events,
        "num_triggers": len(triggers),
        "t_first_us": passing.t_first_us,
        "t_last_us": passing.t_last_us,
        "num_frames": num_frames,
    }


class _Passing:
    """Batches on their way to the windows: stored, and their extent noted."""

    def __init__(self, columns: EventColumns | None) -> None:
        self._columns = columns
        self.num_events = self.t_first_us = self.t_last_us = 0

    def through(self, batches: Iterable[Events]) -> Iterator[Events]:
        """Yield the same batches."""
        for batch in batches:
            if not self.num_events:
                self.t_first_us = int(batch.t[0])
            self.num_events += len(batch)
            self.t_last_us = int(batch.t[-1])
            if self._columns is not None:
                self._columns.append(batch)
            yield batch


def _reporting(
    recording: Recording, on_triggers: Callable[[Triggers], None], on_progress: Progress | None
) -> Iterator[Events]:
    done = 0
    for batch in recording.chunks(on_triggers=on_triggers):
        yield batch
        done += len(batch)
        if on_progress is not None:
            on_progress(done / recording.num_events)


def _write_frames(
    batches: Iterable[Events], recording: Recording, writer: RecordingWriter, options: ConvertOptions
) -> int:
    size = recording.sensor_size
    pixels = fit_pixels(size, size)
    windows = cut_windows(batches, WindowGrid(options.window_us, options.step_us, None, None))
    # The grid begins at a multiple of the stride that only the first event tells.
    first = next(windows, None)
    frames = writer.add_frames(
        options.representation,
        pixels,
        start_us=0 if first is None else first.t0_us,
        window_us=options.window_us,
        stride_us=options.step_us,
    )
    tensor = np.empty(options.representation.shape(pixels.target), options.representation.dtype)
    num_frames = 0
    for window in chain([] if first is None else [first], windows):
        options.representation(window.events, window.t0_us, window.t1_us, pixels, tensor)
        frames.put(tensor)
        num_frames += 1
    return num_frames


def _manifest_entry(entry: dict[str, Any]) -> dict[str, Any]:
    names = (
        "path", "status", "reason", "num_events", "num_frames", "t_first_us", "t_last_us", "source", "params_hash",
        "eventdet_version",
    )  # fmt: skip
    return {name: entry[name] for name in names if name in entry}


def _summarise(
    output: Path, entries: list[dict[str, Any]], converted: int, failed: list[ConvertFailure]
) -> ConvertSummary:
    complete = [entry for entry in entries if entry["status"] == "complete"]
    repairs: dict[str, int] = {}
    for entry in complete:
        for name, count in ReadReport(**entry["report"]).repairs.items():
            repairs[name] = repairs.get(name, 0) + count
    return ConvertSummary(
        output=output,
        num_converted=converted,
        num_up_to_date=len(complete) - converted,
        num_events=sum(entry["num_events"] for entry in complete),
        num_frames=sum(entry["num_frames"] for entry in complete),
        repairs=repairs,
        failed=tuple(failed),
    )
