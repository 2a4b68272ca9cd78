"""Recordings to a Zarr store: resumable, in one process, in several, or on a cluster.

A recording is read once: each batch of events goes into the event columns and, cut into windows, into the tensors.
Memory is bounded by one shard of each, whatever the length of the recording. A recording that is already stored from
the same bytes with the same options is left alone, so an interrupted conversion is resumed by the same command.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from eventdet.errors import BusyError, OptionError, OutputError

from ._convert_one import ConversionTask, OtherSourceError
from ._files import file_size
from ._manifest import Entry, complete_entry, failed_entry, read_manifest, update_manifest
from .conversion import ConvertProgress, ConvertSummary, Outcome, summarise
from .executors import Executor, SerialExecutor
from .locations import as_location, is_local
from .options import ConvertOptions
from .planning import ConversionJob, Shard, count_passed_over, plan_found, search_sources
from .store import is_store, open_stored_recording

__all__ = ["convert"]

_DAT_EVENT_BYTES = 8

OnProgress = Callable[[ConvertProgress], None]


def convert(
    source: str | Path | Iterable[str | Path],
    output: str | Path,
    options: ConvertOptions | None = None,
    *,
    shard: Shard | None = None,
    executor: Executor | None = None,
    on_progress: OnProgress | None = None,
) -> ConvertSummary:
    """Convert event files to stored recordings.

    Parameters
    ----------
    source : str or Path, or an iterable of them
        Event files, folders, patterns and lists of files, see :func:`eventdet.preprocessing.planning.plan_conversion`.
        Labels are taken from the ``_bbox.npy`` beside a file.
    output : str or Path
        Folder or URL (``s3://bucket/out.zarr``) to write, made when missing: ``manifest.jsonl`` and one Zarr group a
        recording, in the folders that the sources have.
    options : ConvertOptions, optional
        What to write; by default events and histograms of 250 ms in 5 bins.
    shard : Shard, optional
        Convert only this part of the recordings; other processes may convert the others at the same time.
    executor : Executor, optional
        Where the recordings are converted; by default one after the other in this process. What is written is the
        same.
    on_progress : callable, optional
        Called with how far the work has come.

    Returns
    -------
    ConvertSummary
        What was written, found up to date, and skipped. Of several files, one that cannot be converted is skipped.

    Raises
    ------
    InputError
        When a source is missing, a folder without recordings, or the only file and cannot be converted.
    OptionError
        When the options do not fit the only file, or `output` is not a folder.
    FormatError
        When the manifest is damaged.
    OutputError
        When the disk refuses, or the only recording is being written by another process.

    Examples
    --------
    >>> convert("gen1/train", "gen1.zarr", ConvertOptions(window_us=50_000))  # doctest: +SKIP
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    output, options = as_location(output), options or ConvertOptions()
    if output.exists() and not output.is_dir():
        raise OptionError(f"output must be a folder, got the file {output}", hint="give another output")
    found = search_sources(sources, output)
    jobs = plan_found(found)
    is_single = len(jobs) == 1 and not Path(sources[0]).is_dir()
    chosen = jobs if shard is None else shard.of(jobs)
    _make_folder(output)
    read_manifest(output)
    progress = _Progress(chosen, on_progress)
    outcomes: list[Outcome] = []
    tasks = [ConversionTask(job, output, options) for job in chosen]
    runs = (executor or SerialExecutor(progress.within)).run(tasks)
    try:
        for outcome in runs:
            outcomes.append(outcome)
            progress.finish(outcome)
            if outcome.error is not None and (is_single or _is_fatal(outcome)):
                raise outcome.error
    finally:
        # What was at work ends now, and comes into the manifest though nobody waits for it any more.
        runs.close()
        update_manifest(output, _entries(output, chosen, outcomes))
    return replace(summarise(output, outcomes), passed_over=count_passed_over(found))


def _make_folder(output: Path) -> None:
    if not is_local(output):
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output}: cannot be made ({error.strerror})", hint="give another output") from error


def _entries(output: Path, jobs: Iterable[ConversionJob], outcomes: Iterable[Outcome]) -> Iterator[Entry]:
    """Yield the lines of what failed by itself, and of every recording that is there."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    for name in (job.name for job in jobs):
        outcome = by_name.get(name)
        # What another process writes has not failed, and may be there by now: its line is not to be taken back. Nor is
        # that of a recording which was kept.
        spared = OutputError | OtherSourceError
        if outcome is not None and outcome.error is not None and not isinstance(outcome.error, spared):
            yield failed_entry(name, outcome.reason)
        elif outcome is not None and outcome.error is None:
            yield complete_entry(name, outcome.attributes)
        elif is_store(output / name):
            yield complete_entry(name, open_stored_recording(output / name).attributes)


def _is_fatal(outcome: Outcome) -> bool:
    """Return whether the next recording would fail for the same reason: the disk refuses."""
    return isinstance(outcome.error, OutputError) and not isinstance(outcome.error, BusyError)


class _Progress:
    """How far all files have come, each weighted with its size."""

    def __init__(self, jobs: Sequence[ConversionJob], report: OnProgress | None) -> None:
        self._sizes = {job.name: file_size(job.source) for job in jobs}
        self._order = list(jobs)
        self._report = report
        self._done_bytes = self._done_files = self._events = self._written = 0

    def within(self, num_events: int) -> None:
        """Take note of the events read of the current file, when files come in their order."""
        job = self._order[self._done_files]
        is_dat = job.source.suffix.lower() == ".dat"
        self._tell(min(self._sizes[job.name], num_events * _DAT_EVENT_BYTES) if is_dat else 0, num_events)

    def finish(self, outcome: Outcome) -> None:
        """Take note of a file that is done."""
        self._done_bytes += self._sizes[outcome.name]
        self._done_files += 1
        if outcome.written:
            self._events += outcome.attributes["num_events"]
            self._written += outcome.num_bytes
        self._tell(0, 0)

    def _tell(self, bytes_within: int, events_within: int) -> None:
        if self._report is not None:
            share = (self._done_bytes + bytes_within) / max(1, sum(self._sizes.values()))
            events = self._events + events_within
            self._report(ConvertProgress(self._done_files, len(self._sizes), share, events, self._written))
