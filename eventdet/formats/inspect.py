"""What a recording holds, counted in one pass: the content of ``eventdet info``."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eventdet.errors import InputError
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport

from .policy import ReadPolicy
from .prophesee_boxes import find_boxes, read_label_file
from .registry import open_recording

__all__ = ["RecordingInfo", "inspect_recording"]

PEAK_BIN_US = 10_000
"""The peak rate is the fullest of bins of this length: short enough for a burst, long enough to mean something."""


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """Facts about one recording."""

    path: str
    """The file as given."""

    format: str
    """Name of the format, one of `eventdet.formats.FORMATS`."""

    reader: str
    """Who decoded the events, one of `eventdet.formats.READERS`."""

    width: int
    """Columns of the sensor."""

    height: int
    """Rows of the sensor."""

    num_events: int
    """Events delivered after repair."""

    t_first_us: int
    """Stamp of the first event, 0 without events."""

    duration_us: int
    """From the first to the last event."""

    mean_rate_mev_s: float
    """Million events per second over the duration; 0 when it is 0."""

    peak_rate_mev_s: float
    """Million events per second in the fullest bin of 10 ms on the clock of the recording, at least the mean."""

    on_share: float
    """Share of ON events, 0 without events."""

    is_monotonic: bool
    """Whether no event had to be raised to the stamp before it."""

    synthetic: bool
    """Whether the header marks the events as simulated."""

    counts: dict[str, int]
    """Every count of the read report, by name."""

    labels_path: str | None
    """Label file beside the recording, None when there is none."""

    labels: dict[int, int]
    """Number of labelled boxes by class id; empty without a label file."""

    labels_dropped: int
    """Rows of the label file that are no box, left out."""

    labels_fault: str | None
    """Why the label file cannot be read, in one line; None when it can or is not there."""

    @property
    def repairs(self) -> dict[str, int]:
        """The non-zero counts of what was changed or dropped, by name."""
        return ReadReport(**self.counts).repairs

    def to_dict(self) -> dict[str, object]:
        """Return the facts as values that JSON can hold."""
        values = asdict(self)
        values["labels"] = {str(class_id): count for class_id, count in self.labels.items()}
        return values


def inspect_recording(
    path: str | Path,
    *,
    sensor_size: SensorSize | None = None,
    policy: str | ReadPolicy = "repair",
    reader: str = "eventdet",
) -> RecordingInfo:
    """Return what a recording holds, after one pass with bounded memory.

    Parameters
    ----------
    path : str or Path
        The recording; its labels are looked for beside it.
    sensor_size : SensorSize, optional
        Used when the file does not tell its own.
    policy : {"repair", "strict", "trust"} or ReadPolicy
        As for :func:`eventdet.formats.open_recording`; given by its name alone, exact repeats are counted.
    reader : {"eventdet", "expelliarmus"}
        As for :func:`eventdet.formats.open_recording`.

    Returns
    -------
    RecordingInfo
        Geometry, extent, rates, repairs and labels.

    Raises
    ------
    InputError
        When the recording cannot be read.
    FormatError
        When it breaks its format; a broken label file is told in the result.
    GeometryError
        When the sensor size is unknown.
    """
    rules = ReadPolicy(policy, duplicates="count") if isinstance(policy, str) else policy
    recording = open_recording(path, sensor_size=sensor_size, policy=rules, reader=reader)
    tally = _Tally()
    for batch in recording.chunks():
        tally.add(batch)
    labels = _read_labels(find_boxes(path))
    duration_us = tally.t_last - tally.t_first
    # Events per microsecond are million events per second.
    mean_rate = tally.num_events / duration_us if duration_us else 0.0
    height, width = recording.sensor_size
    return RecordingInfo(
        path=str(path),
        format=recording.format,
        reader=recording.reader,
        width=width,
        height=height,
        num_events=tally.num_events,
        t_first_us=tally.t_first,
        duration_us=duration_us,
        mean_rate_mev_s=mean_rate,
        # A recording shorter than a bin fills none of them.
        peak_rate_mev_s=max(mean_rate, tally.peak_count / PEAK_BIN_US),
        on_share=tally.num_on / tally.num_events if tally.num_events else 0.0,
        is_monotonic=recording.report.backward_clamped == 0,
        synthetic=recording.synthetic,
        counts=recording.report.to_dict(),
        labels_path=labels.path,
        labels=labels.counts,
        labels_dropped=labels.num_dropped,
        labels_fault=labels.fault,
    )


@dataclass(slots=True)
class _Tally:
    """Sums over a stream in time order, so that only the last rate bin is still open."""

    num_events: int = 0
    num_on: int = 0
    t_first: int = 0
    t_last: int = 0
    peak_count: int = 0
    open_bin: int = -1
    open_count: int = 0

    def add(self, batch: Events) -> None:
        """Count one batch of one event or more."""
        if self.num_events == 0:
            self.t_first = int(batch.t[0])
        self.t_last = int(batch.t[-1])
        self.num_events += len(batch)
        self.num_on += int(np.count_nonzero(batch.p))
        bins, counts = np.unique(batch.t // PEAK_BIN_US, return_counts=True)
        if bins[0] == self.open_bin:
            counts[0] += self.open_count
        self.peak_count = max(self.peak_count, int(counts.max()))
        self.open_bin, self.open_count = int(bins[-1]), int(counts[-1])


class _Labels(NamedTuple):
    """What stands beside a recording, as the fields of `RecordingInfo` that begin with ``labels``."""

    path: str | None
    counts: dict[int, int]
    num_dropped: int
    fault: str | None


def _read_labels(path: Path | None) -> _Labels:
    if path is None:
        return _Labels(None, {}, 0, None)
    try:
        file = read_label_file(path)
    except InputError as error:
        return _Labels(str(path), {}, 0, str(error))
    class_ids, counts = np.unique(file.boxes[file.is_sound].class_id, return_counts=True)
    by_class = dict(zip(class_ids.tolist(), counts.tolist(), strict=True))
    return _Labels(str(path), by_class, int(np.count_nonzero(~file.is_sound)), None)
