"""Small stores for the tests of what is done with them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.events import Events
from eventdet.formats import write_boxes, write_dat
from eventdet.geometry import SensorSize
from eventdet.preprocessing import ConvertOptions, Representation, convert
from eventdet.preprocessing.store import StoredRecording, open_stored_recording
from eventdet.preprocessing.store_writer import recording_writer

SIZE = SensorSize(6, 8)
OPTIONS = ConvertOptions(representation=Representation("histogram", 2), window_us=2000)


def events_of(seed: int, num_events: int = 300) -> Events:
    rng = np.random.default_rng(seed)
    return Events(
        (100 + np.cumsum(rng.integers(0, 60, num_events))).astype(np.int64),
        rng.integers(0, SIZE.width, num_events, np.uint16),
        rng.integers(0, SIZE.height, num_events, np.uint16),
        rng.integers(0, 2, num_events, np.uint8),
    )


def events_at(t: NDArray[np.int64], *, seed: int = 0, size: SensorSize = SIZE) -> Events:
    rng = np.random.default_rng(seed)
    return Events(
        t,
        rng.integers(0, size.width, len(t), np.uint16),
        rng.integers(0, size.height, len(t), np.uint16),
        rng.integers(0, 2, len(t), np.uint8),
    )


def write_recording(
    target: Path, *batches: Events, labels: Boxes | None = None, size: SensorSize = SIZE
) -> StoredRecording:
    stamps = [stamp for batch in batches for stamp in (batch.t[:1], batch.t[-1:])]
    t = np.concatenate([*stamps, np.zeros(0, np.int64)])
    with recording_writer(target, size) as writer:
        columns = writer.add_events()
        for batch in batches:
            columns.append(batch)
        if labels is not None:
            writer.add_labels(labels)
        writer.publish(
            {
                "num_events": sum(map(len, batches)),
                "t_first_us": int(t[0]) if len(t) else 0,
                "t_last_us": int(t[-1]) if len(t) else 0,
            }
        )
    return open_stored_recording(target)


def gen1_folder(root: Path) -> Path:
    """Write three labelled recordings, two to train with."""
    for split, name, seed in (("train", "a", 1), ("train", "b", 2), ("val", "a", 3)):
        (root / split).mkdir(parents=True, exist_ok=True)
        write_dat(root / split / f"{name}_td.dat", events_of(seed), SIZE)
        write_boxes(root / split / f"{name}_bbox.npy", Boxes.from_xywh([[1, 2, 3, 4], [0, 0, 2, 2]], t=[5000, 3000]))
    return root


def make_store(root: Path) -> Path:
    """Convert a folder of three recordings; return the store."""
    convert(gen1_folder(root / "gen1"), root / "out.zarr", OPTIONS)
    return root / "out.zarr"


def content_of(store: Path) -> dict[str, bytes]:
    """Return the bytes of every file by its place."""
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def flip_bit(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
