"""What a store holds: the content of ``eventdet info`` for folders."""

from collections import Counter
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from eventdet.errors import EventdetError, FormatError, InputError

from .shard_reader import open_rows
from .store import StoredRecording, find_stored_recordings, open_stored_recording

__all__ = ["FramesInfo", "StoreInfo", "StoredRecordingInfo", "inspect_store"]

_EVENT_BYTES = 8
"""Of a DAT record, which compression is measured against."""


@dataclass(frozen=True, slots=True)
class FramesInfo:
    """The tensors of one representation."""

    representation: dict[str, Any]
    """Name and parameters."""

    num_windows: int
    """Windows, empty ones too."""

    window_us: int
    """Length of a window, microseconds; 0 where windows end by count."""

    stride_us: int
    """From one window's start to the next, microseconds; 0 where windows end at labels or by count."""

    raw_bytes: int
    """Bytes of the tensors in memory."""

    stored_bytes: int
    """Bytes on the disk."""


@dataclass(frozen=True, slots=True)
class StoredRecordingInfo:
    """Facts about one stored recording."""

    path: str
    """Its folder."""

    width: int
    """Columns of the sensor."""

    height: int
    """Rows of the sensor."""

    synthetic: bool | None
    """Whether the recording was simulated; None when nobody said."""

    num_events: int
    """Events of the recording."""

    num_triggers: int
    """External triggers."""

    t_first_us: int
    """Stamp of the first event, 0 without events."""

    duration_us: int
    """From the first to the last event."""

    frames: list[FramesInfo]
    """Its tensors."""

    labels: dict[int, int]
    """Number of labels by class id."""

    labels_dropped: dict[str, int]
    """Labels that the conversion left out, by the rule that they broke."""

    repairs: dict[str, int]
    """What was repaired on reading the source, by name."""

    source: dict[str, Any]
    """Name, size and SHA-256 of the event file, and of its label file."""

    event_bytes: int
    """Stored bytes of the events, 0 when they were left out."""

    stored_bytes: int
    """Stored bytes of all of it, without its root metadata."""

    params: dict[str, Any]
    """Options of the conversion."""

    versions: dict[str, str]
    """Versions of eventdet and of the libraries that made it, by name."""

    @property
    def event_ratio(self) -> float | None:
        """How many times smaller the events are than DAT records of 8 bytes; None without stored events."""
        return _EVENT_BYTES * self.num_events / self.event_bytes if self.event_bytes else None


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """Facts about a store."""

    path: str
    """Its folder."""

    recordings: list[StoredRecordingInfo]
    """Every complete recording, sorted by path."""

    def total(self, name: str) -> int:
        """Return the sum of a count or of bytes over all recordings."""
        return sum(getattr(recording, name) for recording in self.recordings)

    def counts(self, name: str) -> dict[Any, int]:
        """Return the sums of counts by name or class over all recordings."""
        total: Counter[Any] = Counter()
        for recording in self.recordings:
            total.update(getattr(recording, name))
        return dict(sorted(total.items()))

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as values that JSON can hold, totals included."""
        recordings = []
        for recording in self.recordings:
            labels = {str(class_id): count for class_id, count in recording.labels.items()}
            recordings.append({**asdict(recording), "labels": labels, "event_ratio": recording.event_ratio})
        totals = ("num_events", "num_triggers", "duration_us", "event_bytes", "stored_bytes")
        return {"path": self.path, "recordings": recordings, "total": {name: self.total(name) for name in totals}}


def inspect_store(path: str | Path) -> StoreInfo:
    """Return what the recordings of a store hold; metadata and labels are read, no event and no tensor.

    Parameters
    ----------
    path : str or Path
        An output of ``convert``, or one recording in it.

    Raises
    ------
    InputError
        When there is no complete recording.
    FormatError
        When metadata or labels are damaged.
    """
    folders = find_stored_recordings(path)
    if not folders:
        raise InputError(f"{path}: no stored recording", hint="make one with eventdet convert")
    return StoreInfo(str(path), [_inspect(open_stored_recording(folder)) for folder in folders])


def _inspect(recording: StoredRecording) -> StoredRecordingInfo:
    try:
        return _facts(recording)
    except EventdetError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        # Metadata that are not as written can hold anything, in any place.
        raise FormatError(f"{recording.path}: damaged metadata ({error})", hint="run eventdet verify") from error


def _facts(recording: StoredRecording) -> StoredRecordingInfo:
    attributes = recording.attributes
    if recording.synthetic not in (True, False, None):
        raise FormatError(f"{recording.path}: synthetic must be true, false or null, got {recording.synthetic!r}")
    sizes = {name: int(file["size"]) for name, file in attributes.get("files", {}).items()}
    height, width = recording.sensor_size
    source = dict(attributes.get("source", {}))
    source["size"] = int(source.get("size", 0))
    return StoredRecordingInfo(
        path=str(recording.path),
        width=width,
        height=height,
        synthetic=recording.synthetic,
        num_events=recording.num_events,
        num_triggers=int(attributes.get("num_triggers", 0)),
        t_first_us=recording.t_first_us,
        duration_us=recording.t_last_us - recording.t_first_us,
        frames=[_inspect_frames(recording, name, sizes) for name in recording.frame_names],
        labels=dict(sorted(Counter(recording.labels().class_id.tolist()).items())),
        labels_dropped={rule: int(count) for rule, count in attributes.get("labels_dropped", {}).items()},
        repairs=recording.report.repairs,
        source=source,
        event_bytes=_bytes_below("events/", sizes),
        stored_bytes=_bytes_below("", sizes),
        params=dict(attributes.get("params", {})),
        versions={"eventdet": str(attributes.get("eventdet_version", "unknown")), **attributes.get("libraries", {})},
    )


def _inspect_frames(recording: StoredRecording, name: str, sizes: dict[str, int]) -> FramesInfo:
    # Not as a Representation: that of somebody's own may not be at hand.
    rows = open_rows(recording.path / "frames" / name)
    about = rows.attributes
    return FramesInfo(
        representation={"name": about["name"], "bins": about["bins"], "parameters": dict(about["parameters"])},
        num_windows=rows.shape[0],
        window_us=int(about["window_us"]),
        stride_us=int(about["stride_us"]),
        raw_bytes=prod(rows.shape) * rows.dtype.itemsize,
        stored_bytes=_bytes_below(f"frames/{name}/", sizes),
    )


def _bytes_below(prefix: str, sizes: dict[str, int]) -> int:
    return sum(size for name, size in sizes.items() if name.startswith(prefix))
