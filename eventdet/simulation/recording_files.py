"""Synthetic recordings as files of Gen1's form."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from eventdet.boxes import Boxes
from eventdet.errors import OptionError, OutputError
from eventdet.events import Events

from .config import SimulationConfig
from .labels import ground_truth
from .recorder import CHUNK_US, start_simulation

__all__ = ["WrittenRecording", "write_recording"]

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class WrittenRecording:
    """A synthetic recording on disk."""

    td_path: Path
    """The events."""

    bbox_path: Path
    """The labels."""

    num_events: int
    """Events written."""

    num_boxes: int
    """Boxes written."""

    num_lost: int
    """Events that the readout of the camera had no time for."""

    sha256: str
    """Digest of the event file, the same on every machine."""

    faults: dict[str, int]
    """What a reader of the event file will have to repair or count, by name."""

    def to_dict(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return asdict(self) | {"td_path": str(self.td_path), "bbox_path": str(self.bbox_path)}


def write_recording(
    td_path: Path | str,
    config: SimulationConfig,
    *,
    faults: Sequence[str] = (),
    truth: bool = False,
    on_progress: Progress | None = None,
) -> WrittenRecording:
    """Write a synthetic recording as Gen1 comes: ``<stem>_td.dat`` and ``<stem>_bbox.npy`` beside it.

    The header of the event file has one line more than Gen1's, which says that the events are synthetic; readers skip
    it.

    Parameters
    ----------
    td_path : path
        File for the events; it must end in ``_td.dat``. Its folder is made when missing.
    config : SimulationConfig
        What to film, and with what.
    faults : sequence of str
        How to make the event file dirty; see :func:`eventdet.formats.dat_faults.add_dat_faults`.
    truth : bool
        Whether to write ``<stem>_truth.npz`` as well: the columns of :class:`eventdet.simulation.truth.GroundTruth`.
    on_progress : callable, optional
        Called with the microseconds recorded so far.

    Returns
    -------
    WrittenRecording
        The two files and what they hold.

    Raises
    ------
    OptionError
        When the name does not end in ``_td.dat``, the duration is outside its rule, or a fault is unknown or has no
        place in so few events.
    OutputError
        When the files cannot be written.
    """
    from eventdet.formats import write_boxes, write_dat
    from eventdet.formats.dat_faults import add_dat_faults

    path = Path(td_path)
    if not path.name.endswith("_td.dat"):
        raise OptionError(f"the event file must end in _td.dat, got {path.name}", hint=f"use -o {path.stem}_td.dat")
    _make_folder(path)
    sensor, pieces = start_simulation(config)
    boxes: list[Boxes] = []
    num_events = 0

    def film() -> Iterator[Events]:
        nonlocal num_events
        for number, (events, labels) in enumerate(pieces, start=1):
            boxes.append(labels)
            num_events += len(events)
            yield events
            if on_progress is not None:
                on_progress(min(config.duration_us, number * CHUNK_US))

    write_dat(path, film(), config.size, synthetic=True)
    repairs = add_dat_faults(path, faults) if faults else {}
    bbox_path = path.with_name(path.name.removesuffix("_td.dat") + "_bbox.npy")
    write_boxes(bbox_path, Boxes.concatenate(boxes))
    if truth:
        _write_truth(path.with_name(path.name.removesuffix("_td.dat") + "_truth.npz"), config)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return WrittenRecording(path, bbox_path, num_events, sum(map(len, boxes)), sensor.num_lost, digest, repairs)


def _write_truth(path: Path, config: SimulationConfig) -> None:
    temporary = path.with_name(f".{path.name}")
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **ground_truth(config).to_dict())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
