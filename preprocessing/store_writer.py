"""Write one recording to Zarr: whole shards only, out of sight, then published by one rename.

A shard cannot be written in part (Zarr would read, decode and write it again), so rows are collected until one is
full. The group grows in a hidden folder beside its target; whatever stops the process before the rename, nothing
that looks like a recording is left behind.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import EventdetError, InputError, OptionError, OutputError
from eventdet.events import Events
from eventdet.geometry import PixelMap, SensorSize
from eventdet.triggers import Triggers

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
from .representations import Representation
from .store import is_store

if TYPE_CHECKING:
    import zarr

    from ._layout import ZarrArray

__all__ = ["EventColumns", "RecordingWriter", "ShardBuffer", "recording_writer", "remove_leftovers"]

_STORED_SPAN_US = 1 << 32
"""Stamps are stored as 32-bit offsets: 71 min 34.97 s."""


def remove_leftovers(target: Path) -> None:
    """Remove what an interrupted run left beside `target`."""
    for leftover in hidden_names(target):
        shutil.rmtree(leftover, ignore_errors=True)


class ShardBuffer:
    """Rows on their way into an array that is written one whole shard at a time.

    Parameters
    ----------
    array : zarr.Array
        A sharded array that grows along its first axis; nothing else may write to it.
    """

    def __init__(self, array: "ZarrArray") -> None:
        shards = array.shards
        if shards is None:
            raise OptionError(f"array {array.path} must be sharded")
        self._array = array
        self._rows = np.empty((shards[0], *array.shape[1:]), array.dtype)
        self._filled = 0

    def append(self, rows: NDArray[np.generic]) -> None:
        """Take over a copy of `rows`."""
        while len(rows):
            taken = rows[: len(self._rows) - self._filled]
            self._rows[self._filled : self._filled + len(taken)] = taken
            self._advance(len(taken))
            rows = rows[len(taken) :]

    def put(self, row: NDArray[np.generic]) -> None:
        """Take over a copy of one row."""
        self._rows[self._filled] = row
        self._advance(1)

    def flush(self) -> None:
        """Write the rows that do not fill a shard; only once, at the end."""
        if self._filled:
            start = self._array.shape[0]
            self._array.resize((start + self._filled, *self._array.shape[1:]))
            self._array[start:] = self._rows[: self._filled]
            self._filled = 0

    def _advance(self, num_rows: int) -> None:
        self._filled += num_rows
        if self._filled == len(self._rows):
            self.flush()


class EventColumns:
    """The events of a recording and their index of milliseconds; made by :meth:`RecordingWriter.add_events`."""

    def __init__(self, group: "zarr.Group") -> None:
        self._group = group
        self._t = ShardBuffer(create_event_column(group, "events/t"))
        self._words = ShardBuffer(create_event_column(group, "events/word"))
        self._index: list[NDArray[np.int64]] = []
        self._num_indexed = 0
        self._num_events = 0
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
        if not self._num_events:
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
        self._add_to_index(offsets)
        self._t.append(offsets.astype(np.uint32))
        self._words.append(pack_words(events))
        self._num_events += len(events)

    def _add_to_index(self, offsets: NDArray[np.int64]) -> None:
        # A millisecond whose first event is not in this batch waits for the batch that has it.
        stop = int(offsets[-1]) // 1000 + 1
        starts = np.arange(self._num_indexed, stop, dtype=np.int64) * 1000
        self._index.append(np.searchsorted(offsets, starts) + self._num_events)
        self._num_indexed = stop

    def finish(self) -> None:
        """Write what is still buffered, and the index."""
        self._t.flush()
        self._words.flush()
        index = np.concatenate([*self._index, [self._num_events]]).astype(np.int64)
        create_column(self._group, "index/ms", index)


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
    OutputError
        When the disk refuses.
    """
    if target.exists() and not is_store(target):
        raise OptionError(f"{target} exists and is not a stored recording", hint="remove it, or give another output")
    remove_leftovers(target)
    try:
        yield RecordingWriter(target, sensor_size)
    except OSError as error:
        if isinstance(error, EventdetError):
            raise
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        remove_leftovers(target)


class RecordingWriter:
    """Builds one stored recording out of sight; made by :func:`recording_writer`."""

    def __init__(self, target: Path, sensor_size: SensorSize) -> None:
        import zarr

        self._target = target
        self._size = sensor_size
        self._temporary, self._replaced = hidden_names(target)
        self._temporary.mkdir(parents=True)
        self._group = zarr.create_group(self._temporary)
        self._events: EventColumns | None = None
        self._frames: list[ShardBuffer] = []

    def add_events(self) -> EventColumns:
        """Return the columns that take the events; called at most once, and not at all to leave them out."""
        self._events = EventColumns(self._group)
        return self._events

    def add_labels(self, boxes: Boxes) -> None:
        """Write the labels, sorted by their stamps; at most once."""
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
        for name, dtype in TRIGGER_DTYPES.items():
            create_column(self._group, f"triggers/{name}", getattr(triggers, name).astype(dtype))

    def add_frames(
        self, representation: Representation, pixel_map: PixelMap, *, start_us: int, window_us: int, stride_us: int
    ) -> ShardBuffer:
        """Return the buffer that takes the windows in their order, one tensor each.

        Parameters
        ----------
        representation : Representation
            What the tensors are; its name is theirs.
        pixel_map : PixelMap
            How sensor pixels land in them.
        start_us, window_us, stride_us : int
            Window k is ``[start_us + k * stride_us, start_us + k * stride_us + window_us)``.
        """
        array = create_frames(
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
        self._frames.append(ShardBuffer(array))
        return self._frames[-1]

    def publish(self, attributes: Mapping[str, Any]) -> None:
        """Write what is still buffered and the attributes, then let the recording appear under its name.

        Parameters
        ----------
        attributes : mapping
            JSON values: num_events, t_first_us, t_last_us, source, params and what else is known.
        """
        for frames in self._frames:
            frames.flush()
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
                **attributes,
                "complete": True,
            }
        )
        if self._target.exists():
            self._target.rename(self._replaced)
        self._temporary.rename(self._target)
