"""Stored recordings to RVT's folders, from which RVT and the detectors built on it train unchanged.

Labels pass the rules of RVT's preprocessing, counted; its window schedule is made from what they leave. A recording
appears whole or not at all, and one that an earlier run made from the same data with the same options is left alone.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from eventdet.boxes import Boxes
from eventdet.errors import InputError, OptionError, check_option
from eventdet.formats.label_presets import LABEL_PRESETS
from eventdet.formats.rvt_labels import write_rvt_labels
from eventdet.preprocessing.conversion import ConvertFailure
from eventdet.preprocessing.locations import as_location
from eventdet.preprocessing.representations import Representation, Tensor
from eventdet.preprocessing.store import StoredRecording, find_stored_recordings, open_stored_recording

from ._notes import digest, read_note, write_note
from ._published import output_folder, owned_folder, place_in, published_folder
from ._rvt_layout import (
    LABEL_WINDOWS,
    LABELS,
    SPLITS,
    TENSORS,
    WINDOW_ENDS,
    create_tensors,
    is_of_rvt,
    open_tensors,
    representation_folder,
    tensor_file,
    to_channels,
)
from .rvt_schedule import Schedule, make_schedule
from .summary import InterchangeSummary
from .window_tensors import WindowTensors

__all__ = ["RvtOptions", "export_rvt"]

Progress = Callable[[float], None]

_STEP_US = 50_000
"""RVT looks twenty times a second."""

_DEFAULT_REPRESENTATION = Representation("rvt_histogram", bins=10)


@dataclass(frozen=True, slots=True)
class RvtOptions:
    """What to write for each recording.

    Raises
    ------
    OptionError
        When a value is outside its rule.
    """

    representation: Representation = _DEFAULT_REPRESENTATION
    """Tensor of a window."""

    window_us: int = _STEP_US
    """Length of a window, microseconds; whole milliseconds."""

    labels: str = "rvt"
    """Which labels stay: ``rvt`` (Gen1) or ``rvt-1mpx``."""

    label_period_us: int = 250_000
    """Distance of the label times that stay, microseconds: 4 Hz for Gen1, RVT takes 10 Hz for 1 Mpx."""

    downsample: bool = False
    """Keep every second row and column of the tensors, as RVT does for 1 Mpx; its loader halves the labels."""

    split: str = "train"
    """Where recordings go that the store does not keep in train, val or test."""

    def __post_init__(self) -> None:
        """Check every field, see `Raises`."""
        representation_folder(self.representation, self.window_us)
        check_option("labels", self.labels, (name for name, preset in LABEL_PRESETS.items() if preset.crops))
        check_option("split", self.split, SPLITS)
        if self.label_period_us <= 0:
            raise OptionError(f"label_period_us must be > 0, got {self.label_period_us}")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "representation": self.representation.to_dict()}


def export_rvt(
    store: str | Path, output: str | Path, options: RvtOptions | None = None, *, on_progress: Progress | None = None
) -> InterchangeSummary:
    """Write the recordings of a store in RVT's layout.

    Parameters
    ----------
    store : str or Path
        One stored recording, or a folder or URL of them; those in ``train``, ``val`` and ``test`` stay there.
    output : str or Path
        Folder to write, made when missing.
    options : RvtOptions, optional
        What to write; by default what RVT reads for Gen1.
    on_progress : callable, optional
        Called with the share of the work that is done, 0 to 1.

    Returns
    -------
    InterchangeSummary
        A recording without labels that RVT would keep is skipped, as RVT does; of several, one that cannot be read is
        told as failed.

    Raises
    ------
    InputError
        When there is no recording, or a single one cannot be read.
    OptionError
        When two recordings would go to the same place, or the options do not fit a single recording.
    OutputError
        When the disk refuses, or another process exports to `output`.
    """
    store, output, options = as_location(store), output_folder(output), options or RvtOptions()
    places = _places(store, options.split)
    summary = InterchangeSummary(output)
    with owned_folder(output):
        for number, (place, path) in enumerate(places.items()):

            def advance(share: float, done: int = number) -> None:
                if on_progress is not None:
                    on_progress((done + share) / len(places))

            try:
                is_new, note = _export_if_needed(open_stored_recording(path), output, place, options, advance)
            except (InputError, OptionError) as error:
                if len(places) == 1:
                    raise
                summary.failed.append(ConvertFailure(path, str(error).removeprefix(f"{path}: ")))
            else:
                _count(summary, path, is_new, note)
            advance(1.0)
        write_note(output, {"layout": "rvt", "options": options.to_dict(), **summary.to_dict()})
    return summary


def _places(store: Path, split: str) -> dict[str, Path]:
    """Return the stored recordings by their place in the output: split and name."""
    found = find_stored_recordings(store)
    if not found:
        raise InputError(f"{store}: no stored recordings", hint="make them with eventdet convert")
    places: dict[str, Path] = {}
    for path in found:
        *folders, name = place_in(store, path).split("/")
        if not (folders and folders[0] in SPLITS):
            folders.insert(0, split)
        name = "_".join([*folders[1:], name.removesuffix(".zarr").removesuffix(".dat").removesuffix("_td")])
        place = f"{folders[0]}/{name}"
        if place in places:
            raise OptionError(f"{path} and {places[place]} would both be {place}", hint="export them one by one")
        places[place] = path
    return places


def _export_if_needed(
    recording: StoredRecording, output: Path, place: str, options: RvtOptions, advance: Progress
) -> tuple[bool, dict[str, Any]]:
    """Return whether the recording had to be written, and what is noted of it; without windows it is left out."""
    target = output / place
    wanted = digest({"recording": recording.attributes, "options": options.to_dict(), "place": place, "version": 1})
    note = read_note(target)
    if target.exists() and "digest" not in note:
        raise OptionError(f"{target} exists and is not of an export", hint="remove it, or give another output")
    if note.get("digest") == wanted and note.get("files") == _sizes(target):
        return False, note
    labels, schedule, dropped = _choose_labels(recording, options, training=target.parent.name == "train")
    note = {
        "digest": wanted,
        "source": recording.attributes.get("source"),
        "synthetic": recording.synthetic,
        "options": options.to_dict(),
        "num_windows": 0 if schedule is None else len(schedule.ends_us),
        "num_boxes": len(labels),
        "labels_dropped": dropped,
        "eventdet_version": version("eventdet"),
    }
    if schedule is None:
        shutil.rmtree(target, ignore_errors=True)
        return False, note
    with published_folder(target, output) as folder:
        (folder / LABELS).mkdir()
        write_rvt_labels(folder / LABELS, labels)
        _write_tensors(folder, recording, schedule, options, advance)
        write_note(folder, note | {"files": _sizes(folder)})
    return True, note


def _sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file that RVT reads, by its place in the folder of a recording."""
    paths = (path for part in (LABELS, TENSORS) for path in sorted((folder / part).rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}


def _choose_labels(
    recording: StoredRecording, options: RvtOptions, *, training: bool
) -> tuple[Boxes, Schedule | None, dict[str, int]]:
    """Return the labels that stay, the windows that lead to them, and how many labels were dropped by which rule."""
    labels, dropped = LABEL_PRESETS[options.labels].apply(recording.labels(), recording.sensor_size, training=training)
    schedule = make_schedule(
        labels.t, t_first_us=recording.t_first_us, step_us=_STEP_US, label_period_us=options.label_period_us
    )
    stays = np.isin(labels.t, [] if schedule is None else schedule.label_times_us)
    if not stays.all():
        dropped["off grid"] = int(np.count_nonzero(~stays))
    return labels[stays], schedule, dropped


def _write_tensors(
    folder: Path, recording: StoredRecording, schedule: Schedule, options: RvtOptions, advance: Progress
) -> None:
    target = folder / TENSORS / representation_folder(options.representation, options.window_us)
    target.mkdir(parents=True)
    np.save(target / WINDOW_ENDS, schedule.ends_us)
    np.save(target / LABEL_WINDOWS, schedule.label_windows)
    tensors = WindowTensors(recording, options.representation)

    def channels(tensor: Tensor) -> Tensor:
        return to_channels(tensor, options.representation, downsampled=options.downsample)

    shape = channels(tensors.buffer).shape
    # RVT's own tensors hold the event at the end as well; frames that are stored do not.
    beyond = 1 if is_of_rvt(options.representation) and recording.has_events else 0
    with open_tensors(target / tensor_file(downsampled=options.downsample), "w") as file:
        data = create_tensors(file, len(schedule.ends_us), shape, options.representation.dtype)
        for row, end_us in enumerate(schedule.ends_us.tolist()):
            data[row] = channels(tensors(end_us - options.window_us, end_us + beyond))
            advance((row + 1) / len(schedule.ends_us))


def _count(summary: InterchangeSummary, path: Path, is_new: bool, note: dict[str, Any]) -> None:
    summary.labels_dropped.update(note["labels_dropped"])
    if not note["num_windows"]:
        dropped = ", ".join(f"{rule} {count}" for rule, count in note["labels_dropped"].items())
        summary.skipped.append(ConvertFailure(path, f"no label is left ({dropped or 'it has none'})"))
        return
    summary.num_written += is_new
    summary.num_up_to_date += not is_new
    summary.num_windows += note["num_windows"]
    summary.num_boxes += note["num_boxes"]
    summary.num_synthetic += note["synthetic"] is True
