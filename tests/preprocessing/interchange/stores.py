"""Small synthetic stores, and RVT's reader again: the indices its loader follows, in plain h5py and NumPy."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - makes blosc known to HDF5
import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.events import Events
from eventdet.formats import write_boxes, write_dat
from eventdet.geometry import SensorSize
from eventdet.preprocessing import ConvertOptions, Representation, convert
from eventdet.preprocessing.interchange.window_tensors import WindowTensors
from eventdet.preprocessing.representations import Tensor

SIZE = SensorSize(40, 50)
HISTOGRAM = Representation("histogram", 3)
OPTIONS = ConvertOptions(representation=HISTOGRAM, window_us=50_000)


def make_events(*, duration_us: int = 1_000_000, num_events: int = 3000, seed: int = 0) -> Events:
    """Return events all over the sensor, some at the very ends of windows of 50 ms."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, duration_us, num_events)
    t[:200] = rng.integers(0, duration_us // 50_000, 200) * 50_000
    return Events(
        np.sort(t),
        rng.integers(0, SIZE.width, num_events).astype(np.uint16),
        rng.integers(0, SIZE.height, num_events).astype(np.uint16),
        rng.integers(0, 2, num_events).astype(np.uint8),
    )


def make_labels(stamps_us: Sequence[int] = (250_000, 500_000, 750_000)) -> Boxes:
    """Return two boxes a stamp that every rule keeps: 30 and more in diagonal, 10 and more a side."""
    t = np.repeat(np.array(stamps_us, np.int64), 2)
    x = 2 + np.arange(len(t)) % 5
    xywh = np.stack([x, x, np.full_like(x, 25), np.full_like(x, 20)], axis=1)
    return Boxes.from_xywh(xywh, t=t, class_id=np.arange(len(t)) % 2, track_id=np.arange(len(t)))


def make_recording(
    folder: Path, name: str = "drive", *, events: Events | None = None, labels: Boxes | None = None
) -> Path:
    """Write ``<name>_td.dat`` and its labels, and return the event file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_td.dat"
    write_dat(path, make_events() if events is None else events, SIZE)
    write_boxes(folder / f"{name}_bbox.npy", make_labels() if labels is None else labels)
    return path


def make_store(folder: Path, options: ConvertOptions = OPTIONS, *, splits: Sequence[str] = ("train",)) -> Path:
    """Write a store with one recording a split, each of its own seed."""
    for seed, split in enumerate(splits):
        make_recording(folder / "raw" / split, f"drive{seed}", events=make_events(seed=seed))
    convert(folder / "raw", folder / "store.zarr", options)
    return folder / "store.zarr"


def interrupt_at(patch: pytest.MonkeyPatch, number: int) -> None:
    """Let the user stop the export at the tensor of that number, from 1."""
    cut = WindowTensors.__call__
    calls = count(1)

    def stop(self: WindowTensors, t0_us: int, t1_us: int) -> Tensor:
        if next(calls) == number:
            raise KeyboardInterrupt
        return cut(self, t0_us, t1_us)

    patch.setattr(WindowTensors, "__call__", stop)


class RvtSequence:
    """What RVT's loader sees of one recording."""

    def __init__(self, folder: Path, representation: str, *, downsampled: bool = False) -> None:
        tensors = folder / "event_representations_v2" / representation
        self.file = tensors / f"event_representations{'_ds2_nearest' if downsampled else ''}.h5"
        self.window_of_frame = np.load(tensors / "objframe_idx_2_repr_idx.npy")
        self.ends_us = np.load(tensors / "timestamps_us.npy")
        with np.load(folder / "labels_v2" / "labels.npz") as archive:
            self.labels, self.first_label = archive["labels"], archive["objframe_idx_2_label_idx"]
        self.label_times_us = np.load(folder / "labels_v2" / "timestamps_us.npy")
        # The loader counts on each of these.
        assert len(self.first_label) == len(np.unique(self.labels["t"])) == len(self.window_of_frame)
        assert np.all(self.labels["w"] > 0)
        assert np.all(self.labels["h"] > 0)

    def tensors(self, first: int, stop: int) -> NDArray[np.uint8]:
        """Return windows, shape (stop - first, channels, rows, columns)."""
        with h5py.File(self.file) as file:
            return np.asarray(file["data"][first:stop])

    def frame(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.void]]:
        """Return the tensor and the labels of a labelled time."""
        window = int(self.window_of_frame[number])
        is_last = number == len(self.first_label) - 1
        stop = len(self.labels) if is_last else self.first_label[number + 1]
        return self.tensors(window, window + 1)[0], self.labels[self.first_label[number] : stop]
