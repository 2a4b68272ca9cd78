"""Which recordings a conversion takes, and where each one goes."""

import glob
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from eventdet.errors import InputError, OptionError
from eventdet.formats import find_boxes

from ._files import files_below, is_file_or_dangling

__all__ = ["ConversionJob", "Shard", "plan_conversion"]

_SUFFIXES = {".aedat", ".aedat4", ".dat", ".es", ".raw"}
"""Endings that only event files have: a folder may hold labels, tables and weights too."""

_HDF5_NAMES = re.compile(r"events\.h5|.*_td(\.dat)?\.h5")
"""Names of DSEC and RVT; other HDF5 files, which may hold anything, are converted when they are named one by one."""

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


def plan_conversion(sources: Iterable[str | Path], output: Path) -> list[ConversionJob]:
    """Return the recordings to convert, each with a place of its own.

    Parameters
    ----------
    sources : iterable of str or Path
        Each an event file of any name; a folder: then every file below it that ends in one of ``.aedat``,
        ``.aedat4``, ``.dat``, ``.es``, ``.raw``, ``_td.h5`` and ``_td.dat.h5``, or is called ``events.h5``, hidden ones
        left out, linked folders searched too; a pattern with ``*``, ``?`` or ``[``; or ``@list.txt``, a text file with
        one of these a line, empty lines and those that begin with ``#`` left out.
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
    expanded = [text for source in sources for text in _lines_of(str(source))]
    if not expanded:
        raise InputError("no source to convert", hint="give event files or folders")
    files: set[Path] = set()
    roots = []
    for text in expanded:
        root, found = _files_of(text, output)
        roots.append(root.absolute())
        files.update(found)
    common = Path(os.path.commonpath(roots))
    jobs: dict[str, ConversionJob] = {}
    for path in sorted(files):
        place = path.absolute().relative_to(common)
        name = _place(place) if _place(place) not in jobs else _place(place, keep_suffix=True)
        jobs[name] = ConversionJob(path, find_boxes(path), name)
    return list(jobs.values())


def _lines_of(source: str) -> list[str]:
    if not source.startswith("@"):
        return [source]
    try:
        lines = Path(source[1:]).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{source[1:]}: cannot be read as a list of files ({error})") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _files_of(source: str, output: Path) -> tuple[Path, list[Path]]:
    """Return the folder that places are relative to, and the event files."""
    path = Path(source)
    if path.is_dir():
        found = [child for child in files_below(path, without=output) if _is_event_file(child)]
        if not found:
            hint = (
                "cut other windows from a store by eventdet.preprocessing.dataset" if any(path.rglob("*.zarr")) else ""
            )
            raise InputError(f"{source}: no recordings ({_ENDINGS}) in this folder", hint=hint)
        return path, found
    if path.exists():
        return path.parent, [path]
    if not _WILDCARDS.intersection(source):
        raise InputError(f"{source}: no such file or folder")
    # Path.glob takes no pattern that begins at the root.
    matches = [Path(match) for match in glob.glob(source, recursive=True)]  # noqa: PTH207
    chosen = [match for match in matches if _is_event_file(match) and is_file_or_dangling(match)]
    if not chosen:
        raise InputError(f"{source}: matches no recording ({_ENDINGS})")
    wild = next(number for number, part in enumerate(path.parts) if _WILDCARDS.intersection(part))
    return Path(*path.parts[:wild]), chosen


def _is_event_file(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES or _HDF5_NAMES.fullmatch(path.name) is not None


def _place(path: Path, *, keep_suffix: bool = False) -> str:
    return (path.with_name(f"{path.name}.zarr") if keep_suffix else path.with_suffix(".zarr")).as_posix()
