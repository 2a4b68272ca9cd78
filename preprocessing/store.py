"""Read a stored recording: events of any window, its tensors, its labels."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError, OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._json import parse_metadata
from ._layout import FORMAT, FORMAT_VERSION, LABEL_DTYPES, TRIGGER_DTYPES
from ._stored_events import StoredEvents
from .locations import as_location, client_errors
from .representations import Representation, Tensor
from .shard_reader import RowReader, open_rows

__all__ = [
    "StoredFrames",
    "StoredRecording",
    "find_recording_folders",
    "find_stored_recordings",
    "is_store",
    "open_stored_recording",
]

_EXTENT = ("height", "width", "num_events", "t_first_us", "t_last_us", "t_base_us")
"""Attributes that every recording has."""

_MOST_FOLDERS = 1 << 14
"""Folders without a recording that are searched, some seconds: no output has so many, the root of a disk has."""


def is_store(path: str | Path) -> bool:
    """Return whether `path` is a complete stored recording; a folder of several is not one."""
    try:
        return _read_attributes(as_location(path)).get("complete") is True
    except InputError:
        return False


def find_stored_recordings(path: str | Path) -> list[Path]:
    """Return the complete recordings at or below `path`, sorted; unfinished and foreign folders are left out."""
    root = as_location(path)
    return [root] if is_store(root) else [folder for folder in find_recording_folders(root) if is_store(folder)]


def find_recording_folders(root: Path) -> list[Path]:
    """Return the folders below `root` that are named as recordings, sound or not, sorted; hidden ones left out.

    Raises
    ------
    InputError
        When a folder cannot be read, or there are too many for this to be an output of ``convert``.
    """
    try:
        return sorted(_search(root, count(1))) if root.is_dir() else []
    except InputError:
        raise
    except client_errors() as error:
        where, reason = getattr(error, "filename", None) or root, getattr(error, "strerror", None) or error
        raise InputError(f"{where}: cannot be read ({reason})", hint="give the folder of the recordings") from error


def _search(folder: Path, searched: Iterator[int]) -> list[Path]:
    """Return what is named as a recording below `folder`; `searched` counts the folders that are looked into."""
    if next(searched) > _MOST_FOLDERS:
        raise InputError(
            f"{folder}: search ends after {_MOST_FOLDERS} folders", hint="give the folder of the recordings"
        )
    found: list[Path] = []
    for path in folder.iterdir():
        if path.name.startswith(".") or not path.is_dir():
            continue
        is_named = path.suffix == ".zarr"
        if is_named and (path / "zarr.json").exists():
            found.append(path)
            continue
        below = [] if path.is_symlink() else _search(path, searched)
        # What holds recordings is none itself.
        found += below or ([path] if is_named else [])
    return found


def open_stored_recording(path: str | Path) -> "StoredRecording":
    """Return the recording stored at `path`.

    Parameters
    ----------
    path : str or Path
        One recording (``out.zarr/x_td.zarr``), or an output of ``convert`` that holds just one (``out.zarr``); a folder
        or a URL such as ``s3://bucket/out.zarr``.

    Returns
    -------
    StoredRecording
        Attributes are read; events, tensors and labels are read when asked for.

    Raises
    ------
    InputError
        When nothing is there, it is no stored recording, it is unfinished, or there are several.
    FormatError
        When its metadata are damaged or of a later version.
    """
    root = as_location(path)
    if not (root / "zarr.json").exists() and root.is_dir():
        found = find_stored_recordings(root)
        if len(found) != 1:
            hint = f"open one of them, e.g. {found[0]}" if found else "make one with eventdet convert"
            raise InputError(f"{root}: expected one stored recording, found {len(found)}", hint=hint)
        root = found[0]
    attributes = _read_attributes(root)
    if attributes.get("complete") is not True:
        raise InputError(f"{root}: the recording is not complete", hint="run the same eventdet convert again")
    if attributes.get("format_version") != FORMAT_VERSION:
        raise FormatError(
            f"{root}: format_version must be {FORMAT_VERSION}, got {attributes.get('format_version')}",
            hint="convert it again with this version of eventdet",
        )
    _require_integers(root, attributes, _EXTENT)
    report = attributes.get("report", {})
    _require_integers(root, report, report if isinstance(report, Mapping) else ["report"])
    return StoredRecording(root, attributes)


def _require_integers(path: Path, attributes: Any, names: Iterable[str]) -> None:
    """Raise FormatError unless all of the attributes are there and integers that a kernel can take."""
    for name in names:
        value = attributes.get(name) if isinstance(attributes, Mapping) else None
        if type(value) is not int or abs(value) >= 1 << 62:
            raise FormatError(f"{path}: {name} must be an integer, got {value!r}", hint="convert the recording again")


def _read_attributes(path: Path) -> Mapping[str, Any]:
    metadata = path / "zarr.json"
    try:
        content = parse_metadata(metadata.read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: not a stored recording", hint="make one with eventdet convert") from error
    except client_errors() as error:
        raise InputError(f"{metadata}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except ValueError as error:
        raise FormatError(f"{metadata}: not JSON ({error})", hint="convert the recording again") from error
    attributes = content.get("attributes") if isinstance(content, dict) else None
    if not isinstance(attributes, dict) or attributes.get("format") != FORMAT:
        raise InputError(f"{path}: not a stored recording of eventdet", hint="make one with eventdet convert")
    return attributes


@dataclass(frozen=True, slots=True, eq=False)
class StoredFrames:
    """The tensors of a recording, window after window."""

    rows: RowReader
    """Shape (windows, ...): all of them."""

    start_us: int
    """Start of window 0."""

    window_us: int
    """Length of a window; 0 where they end by count, each of its own length."""

    stride_us: int
    """From one window's start to the next; 0 where windows end at labels or by count, each of its own start."""

    starts_us: NDArray[np.int64] | None = None
    """Shape (windows,): start of each window where there is no stride."""

    ends_us: NDArray[np.int64] | None = None
    """Shape (windows,): end of each window where there is no length."""

    @property
    def representation(self) -> Representation:
        """What each tensor is; raises as :meth:`Representation.from_dict`."""
        return Representation.from_dict(self.description)

    @property
    def description(self) -> dict[str, Any]:
        """Name, bins and parameters of the representation as they were written, whether or not it is registered."""
        return {key: value for key, value in self.rows.attributes.items() if key in ("name", "bins", "parameters")}

    def __len__(self) -> int:
        """Return the number of windows."""
        return self.rows.shape[0]

    def __getitem__(self, index: int) -> Tensor:
        """Return the tensor of one window, shape `representation.shape(size)`; negative numbers count from the end.

        Raises
        ------
        IndexError
            When there is no such window.
        FormatError
            When the stored bytes are damaged.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"window must be in 0..{len(self) - 1}, got {index}")
        return cast(Tensor, self.rows.read(index % len(self), index % len(self) + 1)[0])

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the tensors in order."""
        return (self[index] for index in range(len(self)))

    def window(self, index: int) -> tuple[int, int]:
        """Return ``(t0, t1)`` of a window in microseconds, half-open."""
        t0_us = self.start_us + index * self.stride_us if self.starts_us is None else int(self.starts_us[index])
        return t0_us, t0_us + self.window_us if self.ends_us is None else int(self.ends_us[index])


class StoredRecording:
    """One complete recording in a store; made by :func:`open_stored_recording`."""

    def __init__(self, path: Path, attributes: Mapping[str, Any]) -> None:
        self.path = path
        """Folder of the recording."""
        self.attributes = attributes
        """Everything written about it: source, parameters, counts, versions."""

    def __repr__(self) -> str:
        return f"StoredRecording({str(self.path)!r}, {self.sensor_size}, {self.num_events} events)"

    @property
    def sensor_size(self) -> SensorSize:
        """Size of the sensor."""
        return SensorSize(int(self.attributes["height"]), int(self.attributes["width"]))

    @property
    def num_events(self) -> int:
        """Events of the recording, whether or not they are stored beside its tensors."""
        return int(self.attributes["num_events"])

    @property
    def t_first_us(self) -> int:
        """Stamp of the first event; 0 without events."""
        return int(self.attributes["t_first_us"])

    @property
    def t_last_us(self) -> int:
        """Stamp of the last event; 0 without events."""
        return int(self.attributes["t_last_us"])

    @property
    def synthetic(self) -> bool | None:
        """Whether the recording was simulated; None when nobody said."""
        return self.attributes.get("synthetic")

    @property
    def report(self) -> ReadReport:
        """What the reader of the source met and repaired."""
        counts = self.attributes.get("report", {})
        return ReadReport(**{field.name: int(counts.get(field.name, 0)) for field in fields(ReadReport)})

    @property
    def frame_names(self) -> list[str]:
        """Names of the tensors that are stored, for `frames`."""
        frames = self.path / "frames"
        return sorted(child.name for child in frames.iterdir() if child.is_dir()) if frames.is_dir() else []

    @property
    def has_events(self) -> bool:
        """Whether the events are stored, not only tensors."""
        return (self.path / "events").is_dir()

    def events(self, t0_us: int | None = None, t1_us: int | None = None) -> Events:
        """Return the events with ``t0_us <= t < t1_us``; without an end, up to the first or last event.

        Raises
        ------
        InputError
            When the recording was stored without events.
        FormatError
            When the stored bytes are damaged.
        """
        return self._stored_events.between(t0_us, t1_us)

    def chunks(self, num_events: int = 1 << 18, *, first: int = 0) -> Iterator[Events]:
        """Return the events from number `first` on, in batches that are never empty.

        Raises
        ------
        OptionError
            When `num_events` is below 1 or `first` below 0.
        InputError
            When the recording was stored without events.
        FormatError
            When the stored bytes are damaged; while going through the batches, if it is in a chunk of events.
        """
        return self._stored_events.batches(num_events, first=first)

    def frames(self, name: str | None = None) -> StoredFrames:
        """Return the stored tensors of one representation; without a name, the only one there is.

        Raises
        ------
        InputError
            When the recording was stored without tensors.
        OptionError
            When there is none of that name, or no name was given and there are several.
        """
        names = self.frame_names
        if not names:
            raise InputError(f"{self.path}: stored without tensors", hint="convert it again without --no-frames")
        if name is None and len(names) > 1:
            raise OptionError(f"name must say which tensors, there are {', '.join(names)}")
        rows_path = self.path / "frames" / check_option("name", name or names[0], names)
        rows = open_rows(rows_path)
        attributes = rows.attributes
        _require_integers(rows_path, attributes, ("start_us", "window_us", "stride_us"))
        grid = {key: int(attributes[key]) for key in ("start_us", "window_us", "stride_us")}
        starts, ends = (self._optional_column(f"index/window_{edge}") for edge in ("start", "end"))
        return StoredFrames(rows, **grid, starts_us=starts, ends_us=ends)

    @property
    def label_windows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The distinct stamps of the labels, and the number of the window that belongs to each, -1 for none.

        Both of shape (n,), int64; the stamps in microseconds. A window that belongs to a label holds no event after
        it: it is the newest one that has ended by then.

        Raises
        ------
        InputError
            When the recording was stored without tensors or without labels.
        """
        if not (self.path / "index" / "label_window").is_dir() or not (self.path / "labels").is_dir():
            raise InputError(f"{self.path}: stored without tensors or without labels", hint="convert it with both")
        return self._column("index/label_t"), self._column("index/label_window")

    def labels(self) -> Boxes:
        """Return the labels in the order of time; none when the source had no label file."""
        if not (self.path / "labels").is_dir():
            return Boxes.empty()
        columns = {name: self._column(f"labels/{name}") for name in LABEL_DTYPES}
        shapes = {column.shape for column in columns.values()}
        if shapes != {(len(columns["t"]),)}:
            raise FormatError(
                f"{self.path}: damaged, labels are of the shapes {sorted(shapes)}", hint="convert the recording again"
            )
        x, y, w, h = (columns.pop(name) for name in ("x", "y", "w", "h"))
        return Boxes.from_xyxy(np.stack([x, y, x + w, y + h], axis=1), **columns)

    def triggers(self) -> Triggers:
        """Return the external triggers in the order of the source; none when it had none."""
        if not (self.path / "triggers").is_dir():
            return Triggers.empty()
        return Triggers(**{name: self._column(f"triggers/{name}") for name in TRIGGER_DTYPES})

    @cached_property
    def _stored_events(self) -> StoredEvents:
        if not self.has_events:
            raise InputError(f"{self.path}: stored without events", hint="convert it again without --no-events")
        return StoredEvents(self.path, int(self.attributes["t_base_us"]))

    def _column(self, name: str) -> NDArray[Any]:
        rows = open_rows(self.path / name)
        return rows.read(0, rows.shape[0])

    def _optional_column(self, name: str) -> NDArray[Any] | None:
        return self._column(name) if (self.path / name).is_dir() else None
