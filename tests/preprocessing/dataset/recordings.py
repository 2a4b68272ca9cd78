"""Small synthetic recordings with labels, for the tests of what reads them."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.events import Events
from eventdet.formats import write_boxes, write_dat
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.preprocessing import ConvertOptions, Representation, convert
from eventdet.preprocessing.dataset.batch import ClipBatch
from eventdet.preprocessing.dataset.sources import EventSource, event_sources

SIZE = SensorSize(12, 16)
START_US = 1_000_000
"""First event of every recording: windows of 10 ms begin here."""

WINDOW_US = 10_000
REPRESENTATION = Representation("histogram", bins=2)
PIXELS = fit_pixels(SIZE, SIZE)
LABEL_US = [START_US + 30_000, START_US + 30_000, START_US + 47_000]
LABELS = Boxes.from_xyxy([[1, 2, 5, 8], [8, 0, 12, 6], [0, 0, 4, 4]], t=LABEL_US, class_id=[0, 1, 0])


def random_events(duration_us: int, *, seed: int = 0, num_events: int = 4000) -> Events:
    """Return events from START_US on, the first and last at the very ends."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(START_US, START_US + duration_us, num_events))
    t[0], t[-1] = START_US, START_US + duration_us - 1
    return Events(
        t,
        rng.integers(0, SIZE.width, num_events, np.uint16),
        rng.integers(0, SIZE.height, num_events, np.uint16),
        rng.integers(0, 2, num_events, np.uint8),
    )


def write_recordings(folder: Path, durations_us: list[int], boxes: list[Boxes] | None = None) -> list[Events]:
    """Write ``0_td.dat``, ``1_td.dat``, ... with their labels; return the events of each."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, duration_us in enumerate(durations_us):
        events = random_events(duration_us, seed=number)
        write_dat(folder / f"{number}_td.dat", events, SIZE)
        if boxes is not None:
            write_boxes(folder / f"{number}_bbox.npy", boxes[number])
        written.append(events)
    return written


def convert_recordings(folder: Path, output: Path, *, stride_us: int | None = None) -> Path:
    """Convert the recordings of a folder with the representation and windows above; return the output."""
    convert(folder, output, ConvertOptions(REPRESENTATION, window_us=WINDOW_US, stride_us=stride_us))
    return output


def events_of(folder: Path) -> list[EventSource]:
    """Return the sources of the files that `recordings` wrote."""
    return event_sources(folder / "dat", REPRESENTATION, window_us=WINDOW_US)


def tensor_of(events: Events, t0_us: int, window_us: int = WINDOW_US) -> NDArray[np.uint8]:
    """Return the tensor of a window."""
    tensor: NDArray[np.uint8] = REPRESENTATION(events, t0_us, t0_us + window_us, PIXELS)
    return tensor


def dense(batch: ClipBatch) -> NDArray[np.uint8]:
    """Return the frames of a batch that is not sparse."""
    assert isinstance(batch.frames, torch.Tensor)
    frames: NDArray[np.uint8] = batch.frames.numpy()
    return frames
