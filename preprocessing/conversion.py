"""What to convert, how, and what came of it: values and file names, no tensor in sight."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from eventdet.errors import FormatError, InputError, OptionError
from eventdet.filters import parse_filter
from eventdet.formats import ReadPolicy, find_boxes
from eventdet.geometry import SensorSize, check_sensor_size

from ._layout import FORMAT_VERSION
from .representations import Representation

__all__ = [
    "ConversionJob",
    "ConvertFailure",
    "ConvertOptions",
    "ConvertSummary",
    "describe_source",
    "plan_conversion",
    "update_manifest",
]

MANIFEST = "manifest.jsonl"

_SUFFIXES = {".aedat", ".aedat4", ".dat", ".es", ".raw"}
"""Endings that only event files have: a folder may hold labels, tables and weights too."""

_DEFAULT_REPRESENTATION = Representation("histogram", bins=5)
"""Of EMS-YOLO: five steps over the last 250 ms."""


_COUNTING = ReadPolicy(duplicates="count")


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """What to write for each recording.

    Raises
    ------
    OptionError
        When a value is outside its rule, or neither events nor frames are wanted.
    """

    representation: Representation = _DEFAULT_REPRESENTATION
    """Tensor of a window."""

    window_us: int = 250_000
    """Length of a window, microseconds."""

    stride_us: int | None = None
    """From one window's start to the next, microseconds; None: the window."""

    write_events: bool = True
    """Store the events themselves, from which any other window can be cut later."""

    write_frames: bool = True
    """Store the tensors."""

    sensor_size: SensorSize | None = None
    """For files that do not name theirs."""

    policy: str | ReadPolicy = _COUNTING
    """What happens to dirty input; given by its name alone, exact repeats are not looked for."""

    filters: tuple[str, ...] = ()
    """What the events pass through, as `eventdet.filters.parse_filter` reads it; labels move with them."""

    def __post_init__(self) -> None:
        """Check every field, see `Raises`."""
        ReadPolicy.of(self.policy)
        for text in self.filters:
            parse_filter(text)
        for name in ("window_us", "stride_us"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise OptionError(f"{name} must be > 0, got {value}")
        if self.sensor_size is not None:
            check_sensor_size(self.sensor_size)
        if not (self.write_events or self.write_frames):
            raise OptionError("nothing to write: neither events nor frames", hint="leave out one of the two")

    @property
    def step_us(self) -> int:
        """From one window's start to the next, microseconds."""
        return self.stride_us or self.window_us

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values, the stride filled in."""
        return {
            **asdict(self),
            "representation": self.representation.to_dict(),
            "policy": asdict(ReadPolicy.of(self.policy)),
            "stride_us": self.step_us,
        }

    @property
    def digest(self) -> str:
        """SHA-256 over all that decides what is written, the version of the layout included."""
        return _digest({**self.to_dict(), "format_version": FORMAT_VERSION})


class ConversionJob(NamedTuple):
    """One recording to convert."""

    source: Path
    """Event file."""

    labels: Path | None
    """Label file beside it."""

    name: str
    """Place in the output, with slashes: ``train/x_td.zarr``."""


class ConvertFailure(NamedTuple):
    """A recording that was skipped."""

    path: Path
    """The event file."""

    reason: str
    """Why, in one line that does not repeat the path."""


@dataclass(frozen=True, slots=True)
class ConvertSummary:
    """What a conversion did."""

    output: Path
    """Folder of the recordings and of their manifest."""

    num_converted: int
    """Recordings written in this run."""

    num_up_to_date: int
    """Recordings that an earlier run had written from the same bytes with the same options."""

    num_events: int
    """Events of all of them."""

    num_frames: int
    """Windows of all of them."""

    repairs: dict[str, int]
    """What was repaired in all of them, by name."""

    failed: tuple[ConvertFailure, ...]
    """Recordings that were skipped."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        failed = [{"path": str(failure.path), "reason": failure.reason} for failure in self.failed]
        return {**asdict(self), "output": str(self.output), "failed": failed}


def plan_conversion(source: Path, output: Path) -> list[ConversionJob]:
    """Return the recordings to convert, each with a place of its own.

    Parameters
    ----------
    source : Path
        An event file of any name, or a folder: then every file below it that ends in one of
        ``.aedat``, ``.aedat4``, ``.dat``, ``.es`` and ``.raw``, hidden ones left out.
    output : Path
        Where they go; not searched when it lies within `source`.

    Returns
    -------
    list of ConversionJob
        Sorted by path; a folder within `source` keeps its place, so that train, val and test stay apart. Of two files
        that differ by their suffix alone, the second keeps it: ``x_td.zarr`` and ``x_td.raw.zarr``.

    Raises
    ------
    InputError
        When `source` does not exist, or is a folder without recordings.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    if not source.is_dir():
        return [ConversionJob(source, find_boxes(source), _place(Path(source.name)))]
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())
    visible = [path for path in files if not _is_hidden(path.relative_to(source)) and output not in path.parents]
    if not visible:
        endings = ", ".join(sorted(_SUFFIXES))
        raise InputError(f"{source}: no recordings ({endings}) in this folder")
    jobs: dict[str, ConversionJob] = {}
    for path in visible:
        place = path.relative_to(source)
        name = _place(place) if _place(place) not in jobs else _place(place, keep_suffix=True)
        jobs[name] = ConversionJob(path, find_boxes(path), name)
    return list(jobs.values())


def describe_source(job: ConversionJob) -> dict[str, Any]:
    """Return name, size and SHA-256 of the files that a recording is made from.

    Raises
    ------
    InputError
        When one cannot be read.
    """
    described = _describe_file(job.source)
    described["labels"] = None if job.labels is None else _describe_file(job.labels)
    return described


def update_manifest(output: Path, entries: Iterable[dict[str, Any]]) -> None:
    """Put the entries of a run into the manifest of `output`, one line a recording, sorted by path.

    Entries of earlier runs stay unless a new one has the same path.

    Raises
    ------
    FormatError
        When the manifest there is damaged.
    """
    manifest = output / MANIFEST
    lines = manifest.read_text("utf-8").splitlines() if manifest.exists() else []
    try:
        earlier = [json.loads(line) for line in lines]
        by_path = {entry["path"]: entry for entry in [*earlier, *entries]}
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{manifest}: damaged ({error})", hint="remove it and convert again") from error
    temporary = manifest.with_name(f".tmp-{MANIFEST}")
    temporary.write_text("".join(json.dumps(by_path[path]) + "\n" for path in sorted(by_path)), "utf-8")
    temporary.replace(manifest)


def _place(path: Path, *, keep_suffix: bool = False) -> str:
    return (path.with_name(f"{path.name}.zarr") if keep_suffix else path.with_suffix(".zarr")).as_posix()


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _describe_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"name": path.name, "size": path.stat().st_size, "sha256": digest}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
