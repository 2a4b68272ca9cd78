"""Folders of synthetic recordings in Gen1's form: train, val and test, each recording from a seed of its own.

What a recording is depends on the seed of the data set and its own number alone: a larger data set begins with the
recordings of a smaller one, in the same splits.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from eventdet.errors import EventdetError, OptionError, OutputError
from eventdet.processes import process_pool

from .config import SimulationConfig
from .recording_files import WrittenRecording, write_recording
from .reproducible import Draws

__all__ = ["SPLITS", "DatasetOptions", "DatasetSummary", "PlannedRecording", "plan_dataset", "write_dataset"]

SPLITS = ("train", "val", "test")

_MANIFEST = "manifest.jsonl"

Progress = Callable[[int], None]
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """What a data set holds.

    Raises
    ------
    OptionError
        When a number is outside its rule.
    """

    num_recordings: int
    """Recordings in all."""

    config: SimulationConfig
    """What they have in common; the seeds of the recordings are drawn from its seed."""

    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    """Shares of train, val and test; their sum is 1."""

    def __post_init__(self) -> None:
        """Check what the configuration does not, see `Raises`."""
        if self.num_recordings < 1:
            raise OptionError(f"num_recordings must be > 0, got {self.num_recordings}")
        # What is not a number is neither below 0 nor far from 1.
        is_split = len(self.split) == len(SPLITS) and all(share >= 0 for share in self.split)
        if not (is_split and abs(sum(self.split) - 1) <= 1e-9):
            raise OptionError(
                f"split must be three shares that sum up to 1, got {self.split}", hint="like 0.7,0.15,0.15"
            )


class PlannedRecording(NamedTuple):
    """One recording of a data set."""

    path: str
    """Event file within the folder, with slashes: ``train/synthetic_00000_td.dat``."""

    config: SimulationConfig
    """What determines it."""

    def to_dict(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return {"path": self.path, **self.config.to_dict()}


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What a run did."""

    folder: Path
    """Of the data set."""

    num_written: int
    """Recordings written in this run."""

    num_up_to_date: int
    """Recordings that an earlier run had written."""

    num_events: int
    """Events of all of them."""

    num_boxes: int
    """Labels of all of them."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "folder": str(self.folder)}


def plan_dataset(options: DatasetOptions) -> list[PlannedRecording]:
    """Return the recordings of a data set, in the order of their numbers.

    Each goes to the split that lacks most of its share.

    Examples
    --------
    >>> options = DatasetOptions(4, SimulationConfig(seed=1, duration_us=1_000_000), split=(0.5, 0.25, 0.25))
    >>> [recording.path.partition("/")[0] for recording in plan_dataset(options)]
    ['train', 'val', 'test', 'train']
    """
    planned = []
    counts = [0] * len(SPLITS)
    for number in range(options.num_recordings):
        lacking = [share * (number + 1) - count for share, count in zip(options.split, counts, strict=True)]
        split = lacking.index(max(lacking))
        counts[split] += 1
        path = f"{SPLITS[split]}/synthetic_{number:05d}_td.dat"
        # 48 bits, which every reader of JSON keeps.
        seed = Draws(options.config.seed, f"recording {number}").bits() >> 16
        planned.append(PlannedRecording(path, replace(options.config, seed=seed)))
    return planned


def write_dataset(
    folder: str | Path, options: DatasetOptions, *, num_processes: int = 1, on_progress: Progress | None = None
) -> DatasetSummary:
    """Write a data set; recordings that an earlier run wrote are left alone.

    Parameters
    ----------
    folder : str or Path
        Made when missing. ``manifest.jsonl`` in it has a line a recording: seed, counts, digests.
    options : DatasetOptions
        What to write.
    num_processes : int
        Recordings that are made at once; the files are the same.
    on_progress : callable, optional
        Called with the microseconds recorded so far, over all recordings.

    Returns
    -------
    DatasetSummary
        What was written and found.

    Raises
    ------
    OptionError
        When an argument is outside its rule, or the folder holds recordings that were made otherwise.
    OutputError
        When the disk refuses.
    EventdetError
        When a process was killed.
    """
    if num_processes < 1:
        raise OptionError(f"num_processes must be > 0, got {num_processes}")
    root, planned = Path(folder), plan_dataset(options)
    known = _read_manifest(root)
    entries = {recording.path: known[recording.path] for recording in planned if _is_there(root, recording, known)}
    missing = [recording for recording in planned if recording.path not in entries]
    done_us = len(entries) * options.config.duration_us

    def advance(recorded_us: int) -> None:
        if on_progress is not None:
            on_progress(done_us + recorded_us)

    # Whole again where a killed process left half a line, so that lines can be added.
    _write_manifest(root, known)
    for recording, written in _write_all(root, missing, num_processes, advance):
        done_us += options.config.duration_us
        advance(0)
        entries[recording.path] = _entry(root, recording, written)
        _add_to_manifest(root, entries[recording.path])
    _write_manifest(root, known | entries)
    return DatasetSummary(
        root,
        num_written=len(missing),
        num_up_to_date=len(planned) - len(missing),
        num_events=sum(entry["num_events"] for entry in entries.values()),
        num_boxes=sum(entry["num_boxes"] for entry in entries.values()),
    )


def _read_manifest(root: Path) -> dict[str, Entry]:
    """Return the entries by path; a line that a killed process left half is none."""
    try:
        lines = (root / _MANIFEST).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{root / _MANIFEST}: cannot be read ({error})", hint="give another folder") from error
    entries = {}
    for line in lines:
        try:
            entry = json.loads(line)
            entries[entry["path"]] = entry
        except (ValueError, TypeError, KeyError):
            continue
    return entries


def _is_there(root: Path, recording: PlannedRecording, known: dict[str, Entry]) -> bool:
    entry = known.get(recording.path)
    if entry is None:
        return False
    if any(entry.get(name) != value for name, value in recording.to_dict().items()):
        raise OptionError(f"{root / recording.path} was made with other options", hint="give another folder")
    files = _files(root / recording.path)
    return all(path.is_file() and _digest(path) == entry.get(name) for name, path in files.items())


def _entry(root: Path, recording: PlannedRecording, written: WrittenRecording) -> Entry:
    return {
        **recording.to_dict(),
        "synthetic": True,
        "num_events": written.num_events,
        "num_boxes": written.num_boxes,
        **{name: _digest(path) for name, path in _files(root / recording.path).items()},
    }


def _files(path: Path) -> dict[str, Path]:
    labels = path.with_name(path.name.removesuffix("_td.dat") + "_bbox.npy")
    return {"sha256": path, "labels_sha256": labels}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(root: Path, entries: dict[str, Entry]) -> None:
    temporary = root / f".tmp-{_MANIFEST}"
    with _disk_errors(root / _MANIFEST):
        root.mkdir(parents=True, exist_ok=True)
        temporary.write_text("".join(_line(entries[path]) for path in sorted(entries)), "utf-8")
        temporary.replace(root / _MANIFEST)


def _add_to_manifest(root: Path, entry: Entry) -> None:
    with _disk_errors(root / _MANIFEST), (root / _MANIFEST).open("a", encoding="utf-8") as manifest:
        manifest.write(_line(entry))


def _line(entry: Entry) -> str:
    return json.dumps(entry) + "\n"


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _write_all(
    root: Path, planned: list[PlannedRecording], num_processes: int, advance: Progress
) -> Iterator[tuple[PlannedRecording, WrittenRecording]]:
    """Yield each recording when it is on disk, in any order."""
    if num_processes == 1:
        for recording in planned:
            yield recording, _write_one(root, recording, advance)
        return
    pool = process_pool(num_processes)
    try:
        running = {pool.submit(_write_one, root, recording): recording for recording in planned}
        for future in as_completed(running):
            yield running[future], future.result()
    except BrokenProcessPool as error:
        raise EventdetError(
            f"{root}: a process was killed", hint="is there enough memory? run the same command again to go on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _write_one(root: Path, recording: PlannedRecording, on_progress: Progress | None = None) -> WrittenRecording:
    return write_recording(root / recording.path, recording.config, on_progress=on_progress)
