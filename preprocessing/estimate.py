"""What a conversion will take: size and time, from parts of a few recordings."""

import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from eventdet.formats import open_recording
from eventdet.units import format_duration

from ._convert_one import ConversionTask, convert_recording
from ._files import file_size
from .options import ConvertOptions
from .planning import ConversionJob, Shard, plan_conversion

__all__ = ["ConvertEstimate", "estimate_conversion"]

_SAMPLED_FILES = 3
_SAMPLED_US = 5_000_000
_SHORT_US = 500_000
"""What a second measurement is made of, so that the fixed cost of a file is told from that of its events."""


@dataclass(frozen=True, slots=True)
class ConvertEstimate:
    """What a conversion will take."""

    num_files: int
    """Recordings to convert."""

    source_bytes: int
    """Bytes of their event files."""

    num_events: int
    """Events in them, by the bytes an event takes in the sample."""

    num_bytes: int
    """Bytes to write, by those of a file and of an event in the sample."""

    seconds: float
    """CPU time of one process, by that of a file and of an event in the sample; compiling is not counted."""

    how: str
    """What the sample was."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def estimate_conversion(
    sources: Iterable[str | Path], options: ConvertOptions, *, shard: Shard | None = None
) -> ConvertEstimate:
    """Convert a part of a few recordings into a temporary folder, and scale up what it took.

    Parameters
    ----------
    sources : iterable of str or Path
        As for :func:`eventdet.preprocessing.convert`.
    options : ConvertOptions
        What would be written.
    shard : Shard, optional
        Estimate only this part.

    Returns
    -------
    ConvertEstimate
        All of it; nothing else is written.

    Raises
    ------
    InputError
        When a source is missing or a recording of the sample cannot be converted.
    """
    with tempfile.TemporaryDirectory(prefix="eventdet-") as folder:
        scratch = Path(folder)
        found = plan_conversion(sources, scratch)
        jobs = found if shard is None else shard.of(found)
        sample = _spread(jobs)
        # The first one is compiled for.
        _measure(sample[:1], scratch / "first", _part(options, _SAMPLED_US))
        short, long = (
            _measure(sample, scratch / str(span_us), _part(options, span_us)) for span_us in (_SHORT_US, _SAMPLED_US)
        )
    source_bytes = _source_bytes(jobs)
    in_sample = sum(_count_events(job, options) for job in sample)
    num_events = round(in_sample * source_bytes / max(1, _source_bytes(sample)))
    sampled = f"the first {format_duration(_SAMPLED_US)} of {len(sample)} of {len(jobs)} files"
    return ConvertEstimate(
        num_files=len(jobs),
        source_bytes=source_bytes,
        num_events=num_events,
        num_bytes=round(_scaled(short, long, "num_bytes", len(jobs), num_events)),
        seconds=_scaled(short, long, "seconds", len(jobs), num_events),
        how=f"{sampled}, {long.num_events:,} events",
    )


def _count_events(job: ConversionJob, options: ConvertOptions) -> int:
    """Return how many events of a recording lie in the part that is wanted."""
    recording = open_recording(job.source, sensor_size=options.sensor_size, policy=options.policy)
    if not options.takes_part:
        return recording.num_events
    first_us = recording.t_first_us
    stop_us = None if options.end_us is None else first_us + options.end_us
    return sum(len(batch) for batch in recording.span(first_us + (options.start_us or 0), stop_us))


class _Measured(NamedTuple):
    num_files: int
    num_events: int
    num_bytes: int
    seconds: float


def _part(options: ConvertOptions, span_us: int) -> ConvertOptions:
    end_us = (options.start_us or 0) + span_us
    return replace(options, end_us=end_us if options.end_us is None else min(options.end_us, end_us))


def _measure(jobs: Sequence[ConversionJob], output: Path, options: ConvertOptions) -> _Measured:
    begun = time.process_time()
    outcomes = [convert_recording(ConversionTask(job, output, options)) for job in jobs]
    seconds = time.process_time() - begun
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    events = sum(outcome.attributes["report"]["num_events"] for outcome in outcomes)
    return _Measured(len(jobs), events, sum(outcome.num_bytes for outcome in outcomes), seconds)


def _scaled(short: _Measured, long: _Measured, name: str, num_files: int, num_events: int) -> float:
    """Return what so many files and events cost: a fixed part a file, and one an event, from two measurements."""
    rise: float = getattr(long, name) - getattr(short, name)
    each_event = max(0.0, rise / max(1, long.num_events - short.num_events))
    each_file: float = max(0.0, (getattr(long, name) - each_event * long.num_events) / long.num_files)
    return num_files * each_file + num_events * each_event


def _spread(jobs: Sequence[ConversionJob]) -> list[ConversionJob]:
    """Return a few of the recordings, from small to large."""
    by_size = sorted(jobs, key=lambda job: file_size(job.source))
    count = min(_SAMPLED_FILES, len(by_size))
    return [by_size[(2 * number + 1) * len(by_size) // (2 * count)] for number in range(count)]


def _source_bytes(jobs: Iterable[ConversionJob]) -> int:
    return sum(file_size(job.source) for job in jobs)
