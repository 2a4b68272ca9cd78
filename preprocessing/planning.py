"""Which recordings a conversion takes, and where each one goes."""

import glob
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from eventdet.errors import EventdetError, InputError, MissingExtraError, OptionError
from eventdet.formats import FORMATS, detect_format, find_boxes, open_recording
from eventdet.geometry import GEN1

from ._files import files_below, is_file_or_dangling

__all__ = [
    "ConversionJob",
    "FoundFiles",
    "Shard",
    "count_passed_over",
    "describe_passed_over",
    "plan_conversion",
    "plan_found",
    "search_sources",
]

_SUFFIXES = {".aedat", ".aedat4", ".dat", ".es", ".raw"}
"""Endings that only event files have: a folder may hold labels, tables and weights too."""

_HDF5_NAMES = re.compile(r"events\.h5|.*_td(\.dat)?\.h5")
"""Names of DSEC and RVT; other HDF5 files, which may hold anything, are converted when they are named one by one."""

_AMBIGUOUS = {known.suffix for known in FORMATS.values()} - _SUFFIXES | {".db3", ".hdf5", ".mcap", ".txt"}
"""Endings of event files that other files have too: they are converted when they are named, and told when not."""

_CONTAINERS = {"hdf5", "npy", "npz"}
"""Formats whose first bytes do not tell events from other arrays."""

_ENDINGS = f"{', '.join(sorted(_SUFFIXES))}, _td.h5, _td.dat.h5, or events.h5"

_WILDCARDS = frozenset("*?[")


class ConversionJob(NamedTuple):
    """One recording to convert."""

    source: Path
    """Event file."""

    labels: Path | None
    """Label file beside it."""

    name: str
    """Place in the output, with slashes: ``train/x_td.zarr``."""

    alike: frozenset[str] = frozenset()
    """Names of the event files that differ by their suffix alone, this one's among them."""


class Shard(NamedTuple):
    """One of several parts of the recordings, for as many machines or tasks of a job array."""

    number: int
    """From 1."""

    num_shards: int
    """Parts in all."""

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Return the shard written as ``number/count``, the first being number 1.

        Raises
        ------
        OptionError
            When the text is something else.

        Examples
        --------
        >>> Shard.parse("2/8")
        Shard(number=2, num_shards=8)
        """
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise OptionError(f"shard must be number/count with number in 1..count, got {text!r}", hint="like 1/4")
        return cls(int(number), int(count))

    def of(self, jobs: Sequence[ConversionJob]) -> list[ConversionJob]:
        """Return the recordings of this part: every `num_shards`-th by name."""
        return sorted(jobs, key=lambda job: job.name)[self.number - 1 :: self.num_shards]


class FoundFiles(NamedTuple):
    """What the search for event files met at one source."""

    root: Path
    """Folder that places are relative to."""

    files: list[Path]
    """Event files."""

    others: list[Path]
    """Files that may hold events, by their endings, and are not taken."""


def plan_conversion(sources: Iterable[str | Path], output: Path) -> list[ConversionJob]:
    """Return the recordings to convert, each with a place of its own.

    Parameters
    ----------
    sources : iterable of str or Path
        Each an event file of any name; a folder: then every file below it that ends in one of ``.aedat``,
        ``.aedat4``, ``.dat``, ``.es``, ``.raw``, ``_td.h5`` and ``_td.dat.h5``, or is called ``events.h5``, hidden ones
        left out, linked folders searched too; a pattern with ``*``, ``?`` or ``[``, which takes files of any ending
        that it names (``*.csv``), but for ``_bbox.npy``; or ``@list.txt``, a text file with one of these a line, empty
        lines and those that begin with ``#`` left out.
    output : Path
        Where they go; not searched when it lies within a source.

    Returns
    -------
    list of ConversionJob
        Sorted by path. A place is the path below the common folder of all sources (a folder is its own, a pattern has
        the part before its first wildcard), so that train, val and test stay apart. Of two files that differ by their
        suffix alone, the second keeps it: ``x_td.zarr`` and ``x_td.raw.zarr``.

    Raises
    ------
    InputError
        When a source does not exist, or holds no recordings.
    """
    return plan_found(search_sources(sources, output))


def search_sources(sources: Iterable[str | Path], output: Path) -> list[FoundFiles]:
    """Return the files at each source, each read or searched once; parameters and errors as `plan_conversion`."""
    found = [_files_of(text, output) for source in sources for text in _lines_of(str(source))]
    if not found:
        raise InputError("no source to convert", hint="give event files or folders")
    return found


def plan_found(found: Sequence[FoundFiles]) -> list[ConversionJob]:
    """Return the recordings to convert among the files that were found, as `plan_conversion` does."""
    roots = [one.root.absolute() for one in found]
    files = {file for one in found for file in one.files}
    common = Path(os.path.commonpath(roots))
    places = {path: path.absolute().relative_to(common) for path in sorted(files)}
    alike: dict[str, set[str]] = defaultdict(set)
    for path, place in places.items():
        alike[_place(place)].add(path.name)
    jobs: dict[str, ConversionJob] = {}
    for path, place in places.items():
        name = _place(place) if _place(place) not in jobs else _place(place, keep_suffix=True)
        jobs[name] = ConversionJob(path, find_boxes(path), name, frozenset(alike[_place(place)]))
    return list(jobs.values())


def count_passed_over(found: Iterable[FoundFiles]) -> dict[str, int]:
    """Return how many event files the search passed over for their endings, by ending.

    Of ``.bin``, ``.csv``, ``.npy`` and the like, which hold all sorts of things, those are counted whose beginning
    reads as events. Labels are not, nor what is converted since it is named elsewhere among the sources.
    """
    found = list(found)
    taken = {file.absolute() for one in found for file in one.files}
    others = {file.absolute() for one in found for file in one.others} - taken
    return _count_by_ending(others)


def describe_passed_over(counted: Mapping[str, int]) -> str:
    """Return one line about the event files that were passed over, an empty string for none."""
    told = ", ".join(f"{count:,} {suffix}" for suffix, count in counted.items())
    return told and f"not searched for: {told}; name them, or give a pattern like '*{next(iter(counted))}'"


def _lines_of(source: str) -> list[str]:
    if not source.startswith("@"):
        return [source]
    try:
        lines = Path(source[1:]).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source[1:]}: cannot be read as a list of files ({error})") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _files_of(source: str, output: Path) -> FoundFiles:
    path = Path(source)
    if path.is_dir():
        return _files_in(path, output)
    if path.exists():
        return FoundFiles(path.parent, [path], [])
    if not _WILDCARDS.intersection(source):
        raise InputError(f"{source}: no such file or folder")
    # Path.glob takes no pattern that begins at the root.
    matches = [Path(match) for match in glob.glob(source, recursive=True)]  # noqa: PTH207
    files = [match for match in matches if is_file_or_dangling(match) and not _is_label_file(match)]
    # "*.csv" asks for these files, "*" for whatever is a recording.
    names_ending = not _WILDCARDS.intersection(_ending_of(path))
    wanted = [file for file in files if _is_event_file(file) or (names_ending and not _is_other_hdf5(file))]
    if not wanted:
        raise InputError(f"{source}: matches no recording ({_ENDINGS})")
    wild = next(number for number, part in enumerate(path.parts) if _WILDCARDS.intersection(part))
    return FoundFiles(Path(*path.parts[:wild]), wanted, _passed_over(files, wanted))


def _files_in(folder: Path, output: Path) -> FoundFiles:
    files = list(files_below(folder, without=output))
    wanted = [file for file in files if _is_event_file(file)]
    others = _passed_over(files, wanted)
    if not wanted:
        hint = describe_passed_over(_count_by_ending(others))
        if not hint and any(folder.rglob("*.zarr")):
            hint = "cut other windows from a store by eventdet.preprocessing.dataset"
        raise InputError(f"{folder}: no recordings ({_ENDINGS}) in this folder", hint=hint)
    return FoundFiles(folder, wanted, others)


def _passed_over(files: Iterable[Path], wanted: Iterable[Path]) -> list[Path]:
    others = set(files).difference(wanted)
    return [file for file in others if file.suffix.lower() in _AMBIGUOUS and not _is_label_file(file)]


def _count_by_ending(files: Iterable[Path]) -> dict[str, int]:
    counted = Counter(file.suffix.lower() for file in files if _holds_events(file))
    return dict(sorted(counted.items()))


def _ending_of(pattern: Path) -> str:
    """Return the part of a pattern that says which files are meant: the ending, or a whole name without wildcards."""
    return pattern.suffix or pattern.name


def _is_other_hdf5(path: Path) -> bool:
    """Return whether a file is HDF5 without events, such as the maps of lenses that lie beside those of DSEC."""
    return path.suffix.lower() in (".h5", ".hdf5") and not _holds_events(path)


def _is_label_file(path: Path) -> bool:
    return path.name.endswith("_bbox.npy")


def _holds_events(path: Path) -> bool:
    """Return whether the beginning of a file reads as that of a recording."""
    try:
        if detect_format(path) in _CONTAINERS:
            # Some do not know their sensor; any will do to look.
            open_recording(path, sensor_size=GEN1)
    except MissingExtraError:
        return True
    except EventdetError:
        return False
    return True


def _is_event_file(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES or _HDF5_NAMES.fullmatch(path.name) is not None


def _place(path: Path, *, keep_suffix: bool = False) -> str:
    return (path.with_name(f"{path.name}.zarr") if keep_suffix else path.with_suffix(".zarr")).as_posix()
