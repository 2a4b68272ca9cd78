"""Stored recordings to shards of samples: ``.npz`` files, or ``.tar`` files as webdataset reads them.

Which sample goes into which shard is fixed before the first is written, so that a shard that is there is right, and an
export that was stopped goes on with the next one.
"""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from eventdet.errors import InputError, OptionError
from eventdet.preprocessing.conversion import ConvertFailure
from eventdet.preprocessing.locations import as_location
from eventdet.preprocessing.store import find_stored_recordings, open_stored_recording

from ._notes import digest, read_note, write_note
from ._published import output_folder, owned_folder, place_in, published_file
from ._shard_writers import SHARD_WRITERS, Sample
from .samples import RecordingSamples, ShardOptions, plan_samples
from .summary import InterchangeSummary
from .window_tensors import WindowTensors

__all__ = ["export_shards"]

Progress = Callable[[float], None]


class _Shard(NamedTuple):
    """A file to write, and which samples of its folder go into it."""

    path: Path
    parts: list[RecordingSamples]
    first: int
    stop: int


def export_shards(
    store: str | Path, output: str | Path, options: ShardOptions | None = None, *, on_progress: Progress | None = None
) -> InterchangeSummary:
    """Write the recordings of a store as shards of samples.

    Parameters
    ----------
    store : str or Path
        One stored recording, or a folder or URL of them; the folders in it get shards of their own.
    output : str or Path
        Folder to write, made when missing: empty, or with a part of this very export.
    options : ShardOptions, optional
        What to write.
    on_progress : callable, optional
        Called with the share of the work that is done, 0 to 1.

    Returns
    -------
    InterchangeSummary
        Its counts of what was written are shards; a recording without samples is skipped.

    Raises
    ------
    InputError
        When there is no recording, or one cannot be read.
    OptionError
        When `output` holds something else, recordings of one folder have several sizes, or a store without events has
        no frames that fit.
    OutputError
        When the disk refuses, or another process exports to `output`.
    """
    store, output, options = as_location(store), output_folder(output), options or ShardOptions()
    parts = _plan(store, options)
    about = {"layout": options.layout, "options": options.to_dict(), "eventdet_version": version("eventdet")}
    recordings = [(part.place, dict(part.recording.attributes)) for part in parts]
    about["digest"] = digest({**about, "recordings": recordings})
    summary, shards = _summarise(output, parts), _shards(output, parts, options)
    done = 0
    with owned_folder(output):
        _claim(output, about)
        for shard in shards:
            if shard.path.exists():
                summary.num_up_to_date += 1
            else:
                _write(shard, options)
                summary.num_written += 1
            done += shard.stop - shard.first
            if on_progress is not None:
                on_progress(done / summary.num_windows)
        write_note(output, {**about, **summary.to_dict()})
    return summary


def _plan(store: Path, options: ShardOptions) -> list[RecordingSamples]:
    found = find_stored_recordings(store)
    if not found:
        raise InputError(f"{store}: no stored recordings", hint="make them with eventdet convert")
    return [plan_samples(open_stored_recording(path), place_in(store, path), options) for path in found]


def _claim(output: Path, about: dict[str, Any]) -> None:
    """Note what the output is for, before anything is in it; refuse one that is there for something else."""
    if read_note(output).get("digest") == about["digest"]:
        return
    if any(not child.name.startswith(".") for child in output.iterdir()):
        raise OptionError(f"{output} holds something else than this export", hint="remove it, or give another output")
    write_note(output, about)


def _shards(output: Path, parts: list[RecordingSamples], options: ShardOptions) -> list[_Shard]:
    folders: dict[Path, list[RecordingSamples]] = {}
    for part in parts:
        folders.setdefault(output / Path(part.place).parent, []).append(part)
    suffix, _ = SHARD_WRITERS[options.layout]
    shards = []
    for folder, members in folders.items():
        if len(sizes := {part.recording.sensor_size for part in members}) > 1:
            raise OptionError(
                f"{folder} would hold tensors of several sizes, {', '.join(map(str, sorted(sizes)))}",
                hint="export the recordings one by one, or convert those of each sensor into a folder of their own",
            )
        total = sum(map(len, members))
        for number, first in enumerate(range(0, total, options.samples_per_shard)):
            stop = min(first + options.samples_per_shard, total)
            shards.append(_Shard(folder / f"shard-{number:06d}{suffix}", members, first, stop))
    return shards


def _write(shard: _Shard, options: ShardOptions) -> None:
    _, open_writer = SHARD_WRITERS[options.layout]
    with published_file(shard.path) as file, open_writer(file, shard.stop - shard.first) as add:
        for sample in _samples(shard, options):
            add(sample)


def _samples(shard: _Shard, options: ShardOptions) -> Iterator[Sample]:
    begin = 0
    for part in shard.parts:
        first, stop = max(0, shard.first - begin), min(len(part), shard.stop - begin)
        if first < stop:
            tensors = WindowTensors(part.recording, options.representation)
            for number, (t0_us, t1_us, boxes) in enumerate(part.windows(first, stop), begin + first):
                tensor = tensors(t0_us, t1_us)
                yield Sample(number, part.place, part.recording.synthetic, t0_us, t1_us, tensor, boxes)
        begin += len(part)


def _summarise(output: Path, parts: list[RecordingSamples]) -> InterchangeSummary:
    summary = InterchangeSummary(output)
    for part in parts:
        summary.labels_dropped.update(part.dropped)
        if not len(part):
            summary.skipped.append(ConvertFailure(part.recording.path, "it gives no sample"))
            continue
        summary.num_windows += len(part)
        summary.num_boxes += len(part.labels)
        summary.num_synthetic += part.recording.synthetic is True
    return summary
