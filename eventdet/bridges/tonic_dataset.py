"""Recordings as a dataset in tonic's manner, and samples of its datasets as recordings."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.formats import ReadPolicy, Recording, find_boxes, open_recording, read_boxes, to_structured
from eventdet.formats.prophesee_boxes import pack_boxes
from eventdet.formats.structured import LAYOUTS, recording_from_structured
from eventdet.geometry import SensorSize

from .tonic_transforms import to_tonic_size

__all__ = ["TonicDataset", "recording_from_tonic"]

_OPEN_RECORDINGS = 4
"""Kept open at once: each holds a map of its file, and an index for finding windows in it."""


class _Span(NamedTuple):
    """Where the samples of one recording lie."""

    start_us: int
    length_us: int
    num_samples: int


class TonicDataset:
    """Recordings, or windows of them, as tonic's datasets give theirs: a sample is ``(events, target)``.

    Events are an array in tonic's layout, fields x, y, t, p, with t on the clock of the recording. The target are the
    labels of the sample: rows of `eventdet.formats.prophesee_boxes.BOX_DTYPE`, taken from the ``_bbox.npy`` beside the
    recording, none without one. tonic's transforms, its caches and the DataLoader of torch take it as it is; with
    workers each process opens the files on its own.

    Parameters
    ----------
    paths : iterable of str or Path
        Event files, all of one sensor size.
    window_us : int, optional
        Cut recordings into windows of this length, from the last multiple of it up to the first event on, the empty
        ones included; a window holds the labels with ``t0 <= t < t1``. By default a sample is a whole recording.
    open_file : callable, optional
        Opens a path; ``functools.partial(open_recording, sensor_size=...)`` says more about the files.
    transform, target_transform : callable, optional
        Applied to the events, to the target.
    transforms : callable, optional
        Applied to both, after the others; returns both.

    Raises
    ------
    InputError
        When a file cannot be read, or one is without a sensor size.
    OptionError
        When there is no path, the sensors differ, or `window_us` is not positive.

    Examples
    --------
    >>> dataset = TonicDataset(Path("gen1/train").glob("*_td.dat"), window_us=50_000)  # doctest: +SKIP
    >>> events, boxes = dataset[0]  # doctest: +SKIP
    """

    dtype = LAYOUTS["tonic"]
    ordering = dtype.names

    def __init__(
        self,
        paths: Iterable[str | Path],
        *,
        window_us: int | None = None,
        open_file: Callable[[Path], Recording] = open_recording,
        transform: Callable[[NDArray[np.void]], Any] | None = None,
        target_transform: Callable[[NDArray[np.void]], Any] | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
    ) -> None:
        self.paths = [Path(path) for path in paths]
        if not self.paths:
            raise OptionError("paths must name a recording, got none")
        if window_us is not None and window_us <= 0:
            raise OptionError(f"window_us must be > 0, got {window_us}")
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = transforms
        self._open_file = open_file
        self._start_cache()
        recordings = [self._load(number)[0] for number in range(len(self.paths))]
        for recording in recordings:
            if recording.sensor_size != recordings[0].sensor_size:
                raise OptionError(
                    f"recordings must be of one sensor, got {recordings[0].sensor_size} in {recordings[0].path} and "
                    f"{recording.sensor_size} in {recording.path}"
                )
        self.sensor_size = to_tonic_size(recordings[0].sensor_size)
        """Columns, rows, polarities."""
        self._spans = [_span(recording, window_us) for recording in recordings]
        self._ends = np.cumsum([span.num_samples for span in self._spans]).tolist()

    def __len__(self) -> int:
        """Return the number of samples."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return the events and the target of a sample, transformed.

        Raises
        ------
        IndexError
            When there is none of this number.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample must be in [{-len(self)}, {len(self)}), got {index}")
        index %= len(self)
        number = bisect_right(self._ends, index)
        span = self._spans[number]
        t0_us = span.start_us + (index - self._ends[number] + span.num_samples) * span.length_us
        t1_us = t0_us + span.length_us
        recording, boxes = self._load(number)
        events: Any = to_structured(recording.slice(t0_us, t1_us), layout="tonic")
        target: Any = pack_boxes(boxes.between(t0_us, t1_us))
        if self.transform is not None:
            events = self.transform(events)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return (events, target) if self.transforms is None else self.transforms(events, target)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker process needs, without open files."""
        return {name: value for name, value in self.__dict__.items() if name != "_load"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up a state that `__getstate__` gave."""
        self.__dict__.update(state)
        self._start_cache()

    def _start_cache(self) -> None:
        self._load = lru_cache(_OPEN_RECORDINGS)(self._open)

    def _open(self, number: int) -> tuple[Recording, Boxes]:
        path = self.paths[number]
        labels = find_boxes(path)
        return self._open_file(path), Boxes.empty() if labels is None else read_boxes(labels)


def recording_from_tonic(
    sample: Any,  # what a dataset gives: events, or a tuple that begins with them
    sensor_size: tuple[int, ...],
    *,
    policy: str | ReadPolicy = "repair",
    name: str = "tonic sample",
) -> Recording:
    """Return a sample of a tonic dataset as a recording: windows, tensors, filters and files are made of it as of any.

    Parameters
    ----------
    sample : ndarray or tuple
        Structured events, or ``(events, target)`` as datasets give it.
    sensor_size : tuple of int
        The `sensor_size` of the dataset: columns, rows, and maybe polarities.
    policy : str or ReadPolicy
        As for :func:`eventdet.formats.open_recording`.
    name : str
        What messages call the sample.

    Raises
    ------
    OptionError
        When the sample holds no events with x and y, or the size is none.

    Examples
    --------
    >>> events = np.array([(3, 1, 5, True)], [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
    >>> recording_from_tonic((events, 7), (34, 30, 2)).sensor_size
    SensorSize(height=30, width=34)
    """
    events = sample[0] if isinstance(sample, tuple) else sample
    if not isinstance(events, np.ndarray):
        raise OptionError(f"{name}: must be an array of events or begin with one, got {type(events).__name__}")
    if len(sensor_size) not in (2, 3):
        raise OptionError(f"{name}: sensor_size must be (width, height, polarities), got {sensor_size}")
    width, height = sensor_size[:2]
    return recording_from_structured(events, SensorSize(height, width), policy=policy, name=name)


def _span(recording: Recording, window_us: int | None) -> _Span:
    first, last = recording.t_first_us, recording.t_last_us
    if window_us is None:
        return _Span(first, last + 1 - first, 1)
    if not recording.num_events:
        return _Span(0, window_us, 0)
    start = first // window_us * window_us
    return _Span(start, window_us, (last - start) // window_us + 1)
