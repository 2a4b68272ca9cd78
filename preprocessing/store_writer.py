"""Write one recording to Zarr: whole shards only, out of sight, then published by one rename.

A shard cannot be written in part (Zarr would read, decode and write it again), so packed chunks are collected until
one is full. The group grows in a hidden folder beside its target; whatever stops the process before the rename, nothing
that looks like a recording is left behind. Before the rename every file is flushed to the disk, so that after a power
cut too a recording is there whole or not at all.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import BusyError, EventdetError, InputError, OptionError, OutputError
from eventdet.events import Events
from eventdet.geometry import PixelMap, SensorSize
from eventdet.triggers import Triggers

from ._checksums import seal, sync
from ._layout import (
    FORMAT,
    FORMAT_VERSION,
    LABEL_DTYPES,
    TRIGGER_DTYPES,
    create_column,
    create_event_column,
    create_frames,
    hidden_names,
    pack_words,
)
from ._locks import locked
from ._milliseconds import MillisecondIndex
from .representations import Representation
from .shard_writer import ShardWriter
from .store import is_store

if TYPE_CHECKING:
    import zarr

__all__ = ["EventColumns", "RecordingWriter", "recording_writer", "remove_leftovers", "remove_recording"]

_LIBRARIES = ("numcodecs", "numpy", "zarr")
"""Whose versions decide which bytes a recording is stored as."""

_STORED_SPAN_US = 1 << 32
"""Stamps are stored as 32-bit offsets: 71 min 34.97 s."""


def remove_leftovers(target: Path) -> list[Path]:
    """Remove what a killed writer left beside `target`, and return it; nothing while a writer is at work.

    A recording that was about to be replaced and has no successor is put back.
    """
    hidden = hidden_names(target)
    found = [path for path in hidden if path.exists()]
    if not found:
        return []
    try:
        with locked(hidden.lock):
            _clear(target)
    except BusyError:
        return []
    return found


def remove_recording(target: Path) -> None:
    """Remove a recording, sound or not.

    Raises
    ------
    BusyError
        When another process is writing it.
    OutputError
        When the disk refuses.
    """
    hidden = hidden_names(target)
    try:
        with locked(hidden.lock):
            _clear(target)
            # Out of sight at once: what is removed in part would be a damaged recording.
            target.rename(hidden.temporary)
            shutil.rmtree(hidden.temporary)
    except OSError as error:
        if isinstance(error, EventdetError):
            raise
        raise OutputError(f"{target}: cannot be removed ({error.strerror or error})") from error


def _clear(target: Path) -> None:
    temporary, replaced, _ = hidden_names(target)
    if replaced.exists() and not target.exists():
        replaced.rename(target)
    for leftover in (temporary, replaced):
        shutil.rmtree(leftover, ignore_errors=True)


class EventColumns:
    """The events of a recording and their index of milliseconds; made by :meth:`RecordingWriter.add_events`."""

    def __init__(self, group: "zarr.Group") -> None:
        self._group = group
        self._t = create_event_column(group, "events/t")
        self._words = create_event_column(group, "events/word")
        self._index = MillisecondIndex()
        self._last_us = 0
        self.base_us = 0
        """Stamp of the first event, which the stored offsets count from."""

    def append(self, events: Events) -> None:
        """Take over a copy of `events`, the next in the order of time.

        Raises
        ------
        OptionError
            When a stamp is smaller than the one before.
        InputError
            When the events span 2**32 us or more.
        """
        if not len(events):
            return
        if not self._index.num_events:
            self.base_us = self._last_us = int(events.t[0])
        if events.t[0] < self._last_us or not events.is_sorted():
            raise OptionError(f"events.t must not decrease, broken in the batch after {self._last_us} us")
        self._last_us = int(events.t[-1])
        if self._last_us - self.base_us >= _STORED_SPAN_US:
            raise InputError(
                f"recording must be shorter than 2**32 us to be stored, got {self._last_us - self.base_us} us",
                hint="split the file, or convert without events",
            )
        offsets = events.t - self.base_us
        self._index.append(offsets)
        self._t.append(offsets.astype(np.uint32))
        self._words.append(pack_words(events))

    def finish(self) -> None:
        """Write what is still buffered, and the index."""
        self._t.finish()
        self._words.finish()
        create_column(self._group, "index/ms", self._index.finish())


@contextmanager
def recording_writer(target: Path, sensor_size: SensorSize) -> Iterator["RecordingWriter"]:
    """Open a writer whose recording appears when the block publishes it; otherwise nothing is left of it.

    Parameters
    ----------
    target : Path
        Where the recording shall appear, e.g. ``out.zarr/train/x_td.zarr``. A recording that stands there stays
        readable until it is replaced.
    sensor_size : SensorSize
        Of the recording.

    Raises
    ------
    OptionError
        When `target` exists and is not a stored recording.
    BusyError
        When another process is writing this recording.
    OutputError
        When the disk refuses.
    """
    if target.exists() and not is_store(target):
        raise OptionError(f"{target} exists and is not a stored recording", hint="remove it, or give another output")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(hidden_names(target).lock):
            _clear(target)
            try:
                yield RecordingWriter(target, sensor_size)
            finally:
                _clear(target)
    except OSError as error:
        if isinstance(error, EventdetError):
            raise
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error


class RecordingWriter:
    """Builds one stored recording out of sight; made by :func:`recording_writer`."""

    def __init__(self, target: Path, sensor_size: SensorSize) -> None:
        import zarr

        self._target = target
        self._size = sensor_size
        self._temporary, self._replaced, _ = hidden_names(target)
        self._temporary.mkdir()
        self._group = zarr.create_group(self._temporary)
        self._events: EventColumns | None = None
        self._frames: list[ShardWriter] = []
        self._counts = {"num_labels": 0, "num_triggers": 0}

    def add_events(self) -> EventColumns:
        """Return the columns that take the events; called at most once, and not at all to leave them out."""
        self._events = EventColumns(self._group)
        return self._events

    def add_labels(self, boxes: Boxes) -> None:
        """Write the labels, sorted by their stamps; at most once."""
        self._counts["num_labels"] = len(boxes)
        boxes = boxes[np.argsort(boxes.t, kind="stable")]
        x, y, right, bottom = boxes.xyxy.astype(np.float64).T
        columns = {
            "t": boxes.t, "x": x, "y": y, "w": right - x, "h": bottom - y,
            "class_id": boxes.class_id, "score": boxes.score, "track_id": boxes.track_id,
        }  # fmt: skip
        for name, dtype in LABEL_DTYPES.items():
            create_column(self._group, f"labels/{name}", columns[name].astype(dtype))
        create_column(self._group, "index/label_t", np.unique(boxes.t))

    def add_triggers(self, triggers: Triggers) -> None:
        """Write the external triggers as they came; at most once."""
        self._counts["num_triggers"] = len(triggers)
        for name, dtype in TRIGGER_DTYPES.items():
            create_column(self._group, f"triggers/{name}", getattr(triggers, name).astype(dtype))

    def add_frames(
        self, representation: Representation, pixel_map: PixelMap, *, start_us: int, window_us: int, stride_us: int
    ) -> ShardWriter:
        """Return the buffer that takes the windows in their order, one tensor each.

        Parameters
        ----------
        representation : Representation
            What the tensors are; its name is theirs.
        pixel_map : PixelMap
            How sensor pixels land in them.
        start_us, window_us, stride_us : int
            Window k is ``[start_us + k * stride_us, start_us + k * stride_us + window_us)``. A stride or
            length of 0 says that starts or ends are listed (`add_window_edges`).
        """
        frames = create_frames(
            self._group,
            f"frames/{representation.name}",
            shape=representation.shape(pixel_map.target),
            dtype=representation.dtype,
            axes=representation.axes,
            attributes={
                **representation.to_dict(),
                "start_us": start_us,
                "window_us": window_us,
                "stride_us": stride_us,
                "scale": pixel_map.scale,
                "offset_x": pixel_map.offset_x,
                "offset_y": pixel_map.offset_y,
            },
        )
        self._frames.append(frames)
        return frames

    def add_window_edges(self, starts: NDArray[np.int64], *, ends: NDArray[np.int64] | None = None) -> None:
        """Write where windows begin that have no common stride; at most once.

        Parameters
        ----------
        starts : ndarray, shape (windows,), int64
            Microseconds.
        ends : ndarray, shape (windows,), int64, optional
            Where they have no common length either.
        """
        create_column(self._group, "index/window_start", starts)
        if ends is not None:
            create_column(self._group, "index/window_end", ends)

    def add_label_windows(self, windows: NDArray[np.int64]) -> None:
        """Write the number of the window that belongs to each distinct stamp of a label, -1 for none; at most once."""
        create_column(self._group, "index/label_window", windows)

    def publish(self, attributes: Mapping[str, Any]) -> None:
        """Write what is still buffered and the attributes, then let the recording appear under its name.

        Parameters
        ----------
        attributes : mapping
            JSON values: num_events, t_first_us, t_last_us, source, params and what else is known.
        """
        for frames in self._frames:
            frames.finish()
        base_us = 0
        if self._events is not None:
            self._events.finish()
            base_us = self._events.base_us
        self._group.update_attributes(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "height": self._size.height,
                "width": self._size.width,
                "t_base_us": base_us,
                "num_frames": max((frames.num_rows for frames in self._frames), default=0),
                **self._counts,
                "libraries": {name: version(name) for name in _LIBRARIES},
                **attributes,
                "complete": True,
            }
        )
        seal(self._temporary)
        if self._target.exists():
            self._target.rename(self._replaced)
        self._temporary.rename(self._target)
        sync(self._target.parent)
