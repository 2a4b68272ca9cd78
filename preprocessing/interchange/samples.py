"""Which samples recordings give: fixed by their stamps and labels, before any tensor is made."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.formats import WindowGrid, cut_windows
from eventdet.formats.label_presets import LABEL_PRESETS
from eventdet.preprocessing.representations import Representation
from eventdet.preprocessing.store import StoredRecording

from ._shard_writers import SHARD_WRITERS

__all__ = ["SAMPLES", "RecordingSamples", "ShardOptions", "plan_samples"]

SAMPLES = ("labels", "windows")
"""A sample for each label time, its window ending there; or for each window of a recording."""

_DEFAULT_REPRESENTATION = Representation("histogram", bins=5)


@dataclass(frozen=True, slots=True)
class ShardOptions:
    """What a sample is, and how many share a file.

    Raises
    ------
    OptionError
        When a value is outside its rule.
    """

    layout: str = "npz"
    """``npz`` or ``webdataset``."""

    representation: Representation = _DEFAULT_REPRESENTATION
    """Tensor of a window."""

    window_us: int = 250_000
    """Length of a window, microseconds."""

    stride_us: int | None = None
    """From one window's start to the next, microseconds; None: the window. Without meaning for ``labels``."""

    samples: str = "labels"
    """One of `SAMPLES`. A window has the labels after its start, up to its end."""

    labels: str = "none"
    """Preset of `LABEL_PRESETS` that decides which labels stay."""

    samples_per_shard: int = 256
    """Samples of a file; the last one of a folder has the rest."""

    def __post_init__(self) -> None:
        """Check every field, see `Raises`."""
        check_option("layout", self.layout, SHARD_WRITERS)
        check_option("samples", self.samples, SAMPLES)
        check_option("labels", self.labels, LABEL_PRESETS)
        for name in ("window_us", "stride_us", "samples_per_shard"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise OptionError(f"{name} must be > 0, got {value}")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "representation": self.representation.to_dict()}


@dataclass(frozen=True, slots=True, eq=False)
class RecordingSamples:
    """The samples of one recording, by the ends of their windows."""

    recording: StoredRecording
    """Where they are taken from."""

    place: str
    """Its place in the store, with slashes."""

    ends_us: NDArray[np.int64]
    """Shape (n,): increasing, microseconds."""

    window_us: int
    """Length of a window."""

    labels: Boxes
    """Labels of all samples, in time order."""

    labels_us: int
    """A sample has the labels of so long before its end, the end included."""

    dropped: dict[str, int]
    """Labels that belong to no sample, by the reason."""

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.ends_us)

    def windows(self, first: int, stop: int) -> Iterator[tuple[int, int, Boxes]]:
        """Yield start, end and labels of the samples ``first <= number < stop``."""
        for end_us in self.ends_us[first:stop].tolist():
            yield end_us - self.window_us, end_us, self.labels.between(end_us - self.labels_us + 1, end_us + 1)


def plan_samples(recording: StoredRecording, place: str, options: ShardOptions) -> RecordingSamples:
    """Return the samples that a recording gives; `place` is its place in the store, below ``train`` for training."""
    labels, dropped = LABEL_PRESETS[options.labels].apply(
        recording.labels(), recording.sensor_size, training=place.startswith("train/")
    )
    if options.samples == "labels":
        return RecordingSamples(recording, place, np.unique(labels.t), options.window_us, labels, 1, dropped)
    ends = _window_ends(recording, options.window_us, options.stride_us or options.window_us)
    following = np.searchsorted(ends, labels.t)
    inside = following < len(ends)
    inside[inside] = labels.t[inside] > ends[following[inside]] - options.window_us
    if not inside.all():
        dropped["no window"] = int(np.count_nonzero(~inside))
    return RecordingSamples(recording, place, ends, options.window_us, labels[inside], options.window_us, dropped)


def _window_ends(recording: StoredRecording, window_us: int, stride_us: int) -> NDArray[np.int64]:
    if not recording.num_events and recording.t_first_us == recording.t_last_us:
        return np.empty(0, np.int64)
    # The first and the last event have the windows of all.
    extent = Events.from_columns(t=[recording.t_first_us, recording.t_last_us], x=[0, 0], y=[0, 0], p=[0, 0])
    windows = cut_windows([extent], WindowGrid(window_us, stride_us, None, None))
    return np.array([window.t1_us for window in windows], np.int64)
