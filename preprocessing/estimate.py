"""What a conversion will take: size and time, from parts of a few recordings."""

import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from eventdet.formats import open_recording
from eventdet.units import format_duration

from ._convert_one import ConversionTask, convert_recording
from .conversion import Outcome
from .options import ConvertOptions
from .planning import ConversionJob, Shard, plan_conversion

__all__ = ["ConvertEstimate", "estimate_conversion"]

_SAMPLED_FILES = 3
_SAMPLED_US = 5_000_000


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
    """Bytes to write, by those written for an event of the sample."""

    seconds: float
    """CPU time of one process, by that spent on an event of the sample; compiling is not counted."""

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
        part = replace(options, end_us=min(options.end_us or _SAMPLED_US, (options.start_us or 0) + _SAMPLED_US))
        # The first one is compiled for.
        _convert(ConversionTask(sample[0], scratch / "first", part))
        begun = time.process_time()
        outcomes = [_convert(ConversionTask(job, scratch / "sample", part)) for job in sample]
        seconds = time.process_time() - begun
    events = max(1, sum(outcome.attributes["report"]["num_events"] for outcome in outcomes))
    written = sum(outcome.num_bytes for outcome in outcomes)
    source_bytes = _source_bytes(jobs)
    in_sample = sum(open_recording(job.source, sensor_size=options.sensor_size).num_events for job in sample)
    num_events = round(in_sample * source_bytes / max(1, _source_bytes(sample)))
    return ConvertEstimate(
        num_files=len(jobs),
        source_bytes=source_bytes,
        num_events=num_events,
        num_bytes=round(num_events * written / events),
        seconds=num_events * seconds / events,
        how=f"the first {format_duration(_SAMPLED_US)} of {len(sample)} of {len(jobs)} files, {events:,} events",
    )


def _spread(jobs: Sequence[ConversionJob]) -> list[ConversionJob]:
    """Return a few of the recordings, from small to large."""
    by_size = sorted(jobs, key=lambda job: job.source.stat().st_size)
    count = min(_SAMPLED_FILES, len(by_size))
    return [by_size[(2 * number + 1) * len(by_size) // (2 * count)] for number in range(count)]


def _convert(task: ConversionTask) -> Outcome:
    outcome = convert_recording(task)
    if outcome.error is not None:
        raise outcome.error
    return outcome


def _source_bytes(jobs: Iterable[ConversionJob]) -> int:
    return sum(job.source.stat().st_size for job in jobs)
