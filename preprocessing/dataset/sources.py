"""Where clips come from: stored tensors, stored events, or event files as they are, behind one face.

A source is a handful of values, cheap to send to a worker. What it reads from is opened when first needed, in each
process for itself, and a bounded number stays open.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import InputError, OptionError
from eventdet.events import Events
from eventdet.formats import DatRecording, Recording, find_boxes, open_recording, read_boxes
from eventdet.geometry import PixelMap, SensorSize, fit_pixels
from eventdet.preprocessing._files import files_below
from eventdet.preprocessing.locations import as_location
from eventdet.preprocessing.representations import Representation, Tensor
from eventdet.preprocessing.store import (
    StoredFrames,
    StoredRecording,
    find_stored_recordings,
    is_store,
    open_stored_recording,
)

from .augment import ClipTransform

__all__ = ["ClipGrid", "ClipRef", "ClipSource", "EventSource", "FrameSource", "event_sources", "frame_sources"]

_OPEN_RECORDINGS = 256
"""Kept open in a process; an index of half a megabyte goes with each minute of a stored one."""


class ClipGrid(NamedTuple):
    """The windows that cover a recording."""

    start_us: int
    """Start of the first."""

    num_windows: int
    """How many."""


class ClipRef(NamedTuple):
    """One clip of one source, as a sampler asks for it."""

    source: int
    """Number of the source; -1 stands for an empty clip that fills up a batch."""

    t0_us: int
    """Start of its first window."""

    epoch: int = 0
    """Pass over the data, which a new draw of the augmentation goes with."""

    drawn_at_us: int = 0
    """What else the draw goes with: clips of a stream that share it are augmented alike."""

    is_first: bool = True
    """Whether it does not go on where the clip before it in its place of the batch ended."""


class ClipSource(Protocol):
    """One recording as tensors of windows."""

    @property
    def path(self) -> Path:
        """Of the recording."""

    @property
    def representation(self) -> Representation:
        """What each tensor is."""

    @property
    def size(self) -> SensorSize:
        """Rows and columns of each tensor."""

    @property
    def picture(self) -> SensorSize:
        """Rows and columns of a tensor that the sensor fills, from the top left; the others are padding."""

    @property
    def window_us(self) -> int:
        """Length of a window."""

    @property
    def stride_us(self) -> int:
        """From one window's start to the next."""

    @property
    def has_events(self) -> bool:
        """Whether tensors are made from events, so that a window may begin anywhere and single events may change."""

    def grid(self) -> ClipGrid:
        """Return the windows that cover the recording."""

    def labels(self) -> Boxes:
        """Return the labels in pixels of the tensors, in the order of time."""

    def window_of(self, label_us: int) -> int:
        """Return the start of the window that a label belongs to: the newest one that has ended by its stamp."""

    def fill(self, t0_us: int, outs: Sequence[Tensor], transform: ClipTransform | None = None) -> None:
        """Fill each of `outs` with the tensor of one window; the first begins at `t0_us`.

        Beyond the recording and beside its picture tensors are as without events.
        """


@dataclass(frozen=True, slots=True, eq=False)
class EventSource:
    """Windows cut from events, of a stored recording or of an event file."""

    path: Path
    """A stored recording, or a file of any readable format."""

    sensor_size: SensorSize
    """Of the recording."""

    representation: Representation
    """What each tensor is."""

    window_us: int
    """Length of a window."""

    stride_us: int
    """From one window's start to the next."""

    size: SensorSize
    """Rows and columns of each tensor."""

    fit: str = "scale"
    """How a larger sensor is brought into `size`, see :func:`eventdet.geometry.fit_pixels`."""

    has_events = True

    @property
    def picture(self) -> SensorSize:
        """Rows and columns of a tensor that the sensor fills."""
        return SensorSize(int(self._pixels.rows.max()) + 1, int(self._pixels.columns.max()) + 1)

    def grid(self) -> ClipGrid:
        """Return the windows that cover the recording, from a multiple of the stride up to its first event."""
        recording = _open_events(self)
        if not recording.num_events:
            return ClipGrid(0, 0)
        start_us = recording.t_first_us // self.stride_us * self.stride_us
        # The first window that reaches beyond the last event completes the cover; beyond gaps, the last that has begun.
        reaching = max(0, (recording.t_last_us - self.window_us - start_us) // self.stride_us + 1)
        begun = (recording.t_last_us - start_us) // self.stride_us
        return ClipGrid(start_us, min(reaching, begun) + 1)

    def labels(self) -> Boxes:
        """Return the labels in pixels of the tensors, in the order of time; none when there is no label file."""
        recording = _open_events(self)
        if isinstance(recording, StoredRecording):
            boxes = recording.labels()
        else:
            file = find_boxes(self.path)
            boxes = Boxes.empty() if file is None else read_boxes(file)
        return _place_boxes(boxes, self._pixels)

    def window_of(self, label_us: int) -> int:
        """Return the start of the window that ends at the label."""
        return label_us - self.window_us

    def fill(self, t0_us: int, outs: Sequence[Tensor], transform: ClipTransform | None = None) -> None:
        """Fill each of `outs` with the tensor of one window; the first begins at `t0_us`."""
        pixels = self._pixels if transform is None else transform.pixel_map(self._pixels)
        starts = range(t0_us, t0_us + len(outs) * self.stride_us, self.stride_us)
        spans = [(start, start + self.window_us) for start in starts]
        for events, span, out in zip(_cut(_open_events(self), spans, transform), spans, outs, strict=True):
            self.representation.fill(events, *span, pixels, out)

    @property
    def _pixels(self) -> PixelMap:
        return _fit(self.sensor_size, self.size, self.fit)


@dataclass(frozen=True, slots=True, eq=False)
class FrameSource:
    """Windows as they were stored."""

    path: Path
    """A stored recording."""

    name: str
    """Of its tensors."""

    representation: Representation
    """What each tensor is."""

    window_us: int
    """Length of a window."""

    stride_us: int
    """From one window's start to the next; 0 where each ends at a label, and none follows another."""

    picture: SensorSize
    """Rows and columns of the stored tensors."""

    size: SensorSize
    """Rows and columns of each tensor, padded at the right and bottom."""

    has_events = False

    def grid(self) -> ClipGrid:
        """Return the stored windows; raises OptionError where each ends at a label."""
        frames = _open_frames(self)
        if frames.starts_us is not None:
            raise OptionError(f"{self.path}: stored windows end at labels, there is no grid", hint="use align label")
        return ClipGrid(frames.start_us, len(frames))

    def labels(self) -> Boxes:
        """Return the labels, in the order of time; none when the source had no label file."""
        return _place_boxes(open_stored_recording(self.path).labels(), _fit(self.picture, self.size, "none"))

    def window_of(self, label_us: int) -> int:
        """Return the start of the newest stored window that has ended by the label."""
        frames = _open_frames(self)
        if frames.starts_us is None:
            return label_us - (label_us - self.window_us - frames.start_us) % self.stride_us - self.window_us
        ended = frames.starts_us[frames.starts_us + self.window_us <= label_us]
        return int(ended[-1]) if len(ended) else label_us - self.window_us

    def fill(self, t0_us: int, outs: Sequence[Tensor], transform: ClipTransform | None = None) -> None:
        """Fill each of `outs` with the tensor of one window; the first begins at `t0_us`, where a stored one does."""
        frames = _open_frames(self)
        first = _index_of(frames, t0_us)
        if first is None:
            raise OptionError(f"{self.path}: no stored window begins at {t0_us} us", hint="cut windows from the events")
        transform = transform or ClipTransform(self.picture)
        is_plain = self.picture == self.size and not transform.moves_pixels
        for index, out in enumerate(outs, start=first):
            is_stored = 0 <= index < len(frames)
            if is_stored and is_plain:
                frames.rows.read(index, index + 1, out[None])
            else:
                out[...] = _without_events(self.representation, self.size, self.window_us)
                if is_stored:
                    transform.move_tensor(frames[index], out)
            if transform.swaps_polarity:
                out[...] = np.flip(out, self.representation.axes.index("polarity")).copy()


def event_sources(
    path: str | Path,
    representation: Representation,
    *,
    window_us: int,
    stride_us: int | None = None,
    target: SensorSize | None = None,
    fit: str = "scale",
) -> list[EventSource]:
    """Return the recordings at or below `path`, to be cut into windows as they are read.

    Parameters
    ----------
    path : str or Path
        A stored recording, an event file, or a folder or URL: of stored recordings, else of DAT files. Labels are those
        of the store, or of the ``_bbox.npy`` beside a file.
    representation : Representation
        What each tensor is.
    window_us : int
        Length of a window.
    stride_us : int, optional
        From one window's start to the next; the length by default.
    target : SensorSize, optional
        Rows and columns of the tensors; those of each sensor by default.
    fit : {"scale", "crop", "none"}
        How a larger sensor is brought into `target`.

    Raises
    ------
    InputError
        When there is no recording, or one cannot be opened.
    OptionError
        When window or stride is not positive, or a sensor does not fit.
    """
    stride_us = window_us if stride_us is None else stride_us
    for name, value in (("window_us", window_us), ("stride_us", stride_us)):
        if value <= 0:
            raise OptionError(f"{name} must be > 0, got {value}")
    sources = []
    for found in _find_recordings(as_location(path)):
        sensor = (open_stored_recording(found) if is_store(found) else open_recording(found)).sensor_size
        size = fit_pixels(sensor, target or sensor, fit=fit).target
        sources.append(EventSource(found, sensor, representation, window_us, stride_us, size, fit))
    return sources


def frame_sources(path: str | Path, name: str | None = None, *, target: SensorSize | None = None) -> list[FrameSource]:
    """Return the stored recordings at or below `path`, to be read as the tensors that were stored.

    Parameters
    ----------
    path : str or Path
        A stored recording, or a folder or URL of several.
    name : str, optional
        Of the tensors; the only ones there are by default.
    target : SensorSize, optional
        Rows and columns of the tensors, at least those of each sensor; they are padded at the right and bottom.

    Raises
    ------
    InputError
        When there is no stored recording, or one has no tensors.
    OptionError
        When `name` is needed or unknown, `target` is too small, windows end by count, or tensors have larger cells.
    """
    sources = []
    for found in find_stored_recordings(path):
        recording = open_stored_recording(found)
        frames = recording.frames(name)
        if frames.ends_us is not None:
            raise OptionError(f"{found}: stored windows end by count, clips need one length", hint="use event_sources")
        picture = SensorSize(*frames.rows.shape[-2:])
        if frames.representation.shape(picture) != frames.rows.shape[1:]:
            raise OptionError(f"{found}: cells of stored tensors are not pixels", hint="use event_sources")
        size = fit_pixels(picture, target or picture, fit="none").target
        stored = name or recording.frame_names[0]
        sources.append(
            FrameSource(found, stored, frames.representation, frames.window_us, frames.stride_us, picture, size)
        )
    if not sources:
        raise InputError(f"{path}: no stored recordings", hint="make some with eventdet convert")
    return sources


def _find_recordings(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = find_stored_recordings(path) or sorted(file for file in files_below(path) if file.suffix == ".dat")
    if not found:
        raise InputError(
            f"{path}: no stored recordings and no DAT files", hint="give a file, or eventdet convert first"
        )
    return found


# By source, not by path: a recording that is written again is opened again by the next dataset.
@lru_cache(maxsize=_OPEN_RECORDINGS)
def _open_events(source: EventSource) -> StoredRecording | Recording:
    return open_stored_recording(source.path) if source.path.is_dir() else open_recording(source.path)


@lru_cache(maxsize=_OPEN_RECORDINGS)
def _open_frames(source: FrameSource) -> StoredFrames:
    return open_stored_recording(source.path).frames(source.name)


def _index_of(frames: StoredFrames, t0_us: int) -> int | None:
    """Return the number of the window that begins at `t0_us`, which may lie beyond the recording; None beside them."""
    if frames.starts_us is None:
        index, beside = divmod(t0_us - frames.start_us, frames.stride_us)
        return None if beside else index
    index = int(np.searchsorted(frames.starts_us, t0_us))
    return index if index < len(frames) and frames.starts_us[index] == t0_us else None


@lru_cache(maxsize=64)
def _fit(sensor: SensorSize, target: SensorSize, fit: str) -> PixelMap:
    return fit_pixels(sensor, target, fit=fit)


@lru_cache(maxsize=16)
def _without_events(representation: Representation, size: SensorSize, window_us: int) -> Tensor:
    """Return the tensor of an empty window, which is not zero for all representations."""
    return representation(Events.empty(), 0, window_us, fit_pixels(size, size))


def _place_boxes(boxes: Boxes, pixels: PixelMap) -> Boxes:
    ordered = boxes[np.argsort(boxes.t, kind="stable")]
    return replace(ordered, xyxy=pixels.to_target(ordered.xyxy)).clipped(pixels.target)


def _cut(
    recording: StoredRecording | Recording, spans: list[tuple[int, int]], transform: ClipTransform | None
) -> Iterator[Events | NDArray[np.uint32]]:
    """Yield the events of each span, the changes of single events drawn over all of them."""
    changes = transform is not None and transform.changes_events
    if isinstance(recording, DatRecording) and not changes and recording.is_clean:
        for span in spans:
            yield recording.words(*span)
        return
    t0_us, t1_us = spans[0][0], spans[-1][1]
    read = recording.events if isinstance(recording, StoredRecording) else recording.slice
    events = read(t0_us, t1_us)
    if transform is not None and changes:
        events = transform.move_events(events, t0_us, t1_us)
    for span in spans:
        yield events.between(*span)
