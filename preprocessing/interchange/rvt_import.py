"""RVT's folders to stored recordings: its tensors and labels, without the events that they were made from."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import EventdetError, FormatError, InputError, OptionError, check_option
from eventdet.formats.rvt_labels import read_rvt_labels, read_rvt_numbers
from eventdet.geometry import SensorSize, check_sensor_size, fit_pixels
from eventdet.preprocessing._convert_one import describe_file, is_up_to_date
from eventdet.preprocessing._manifest import complete_entry, failed_entry, update_manifest
from eventdet.preprocessing.conversion import ConvertFailure
from eventdet.preprocessing.representations import Representation
from eventdet.preprocessing.store import open_stored_recording
from eventdet.preprocessing.store_writer import RecordingWriter, recording_writer, remove_leftovers

from ._notes import digest, read_note
from ._published import disk_errors, output_folder, place_in
from ._rvt_layout import (
    LABEL_WINDOWS,
    LABELS,
    TENSORS,
    WINDOW_ENDS,
    from_channels,
    open_tensors,
    parse_representation_folder,
    representation_folder,
    tensor_file,
)
from .summary import InterchangeSummary

if TYPE_CHECKING:
    import h5py

__all__ = ["import_rvt"]

Progress = Callable[[float], None]

_LARGEST_TENSOR = 1 << 28
"""Bytes that HDF5 holds at once; what a file claims beyond it is not believed."""

_LATEST_US = 1 << 62
"""Sums of stamps and lengths stay far inside int64."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sequence:
    """One recording in RVT's layout, its small files read."""

    tensors: Path
    """The HDF5 file."""

    representation: Representation
    """What its tensors are."""

    window_us: int
    """Length of a window."""

    ends_us: NDArray[np.int64]
    """Shape (n,): ends of the windows."""

    label_windows: NDArray[np.int64]
    """Shape (l,): the window that ends at each label time."""

    labels: Boxes
    """Sorted by their stamps."""

    synthetic: bool | None
    """Whether it was simulated; None when nobody said."""


def import_rvt(
    folder: str | Path,
    store: str | Path,
    *,
    representation: str | None = None,
    on_progress: Progress | None = None,
) -> InterchangeSummary:
    """Write the recordings of a data set that RVT's preprocessing made, or `export_rvt`, to a store.

    A recording of tensors that were downsampled by two becomes one of a sensor of half the size, labels as well: that
    is how RVT's loader takes it.

    Parameters
    ----------
    folder : str or Path
        Searched for recordings; its folders, such as ``train``, are kept.
    store : str or Path
        Store to write, made when missing.
    representation : str, optional
        Name of the folder of tensors, needed where recordings have several.
    on_progress : callable, optional
        Called with the share of the work that is done, 0 to 1.

    Returns
    -------
    InterchangeSummary
        What was written and found up to date; of several recordings, those that cannot be read are told as failed.

    Raises
    ------
    InputError
        When there is no recording, or a single one cannot be read.
    OptionError
        When there are several folders of tensors and `representation` names none of them, or `store` is a URL.
    OutputError
        When the disk refuses.
    """
    root, store = Path(folder), output_folder(store)
    found = sorted(path.parent for path in root.rglob(TENSORS) if path.is_dir() and not _is_hidden(path, root))
    if not found:
        raise InputError(f"{root}: no recordings of RVT's layout (no folder {TENSORS})")
    with disk_errors(store):
        store.mkdir(parents=True, exist_ok=True)
    summary = InterchangeSummary(store)
    entries = []
    try:
        for number, path in enumerate(found):
            place = f"{place_in(root, path)}.zarr"

            def advance(share: float, done: int = number) -> None:
                if on_progress is not None:
                    on_progress((done + share) / len(found))

            try:
                attributes = _import_if_needed(path, representation, store / place, summary, advance)
            except (InputError, OptionError) as error:
                if len(found) == 1:
                    raise
                reason = str(error).removeprefix(str(path)).lstrip("/: ")
                summary.failed.append(ConvertFailure(path, reason))
                entries.append(failed_entry(place, reason))
            else:
                entries.append(complete_entry(place, attributes))
            advance(1.0)
    finally:
        update_manifest(store, entries)
    return summary


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _import_if_needed(
    folder: Path, name: str | None, target: Path, summary: InterchangeSummary, advance: Progress
) -> dict[str, Any]:
    """Return the attributes of the stored recording, written when it is not up to date."""
    sequence = _read_sequence(folder, name)
    kind = {"representation": sequence.representation.to_dict(), "window_us": sequence.window_us, "version": 1}
    stamps = {"ends_us": sequence.ends_us.tolist(), "label_windows": sequence.label_windows.tolist()}
    source = {
        **_describe(sequence.tensors, folder),
        "labels": _describe(folder / LABELS / "labels.npz", folder),
        "stamps_sha256": digest(stamps),
    }
    wanted = {"params_hash": digest(kind), "source": source}
    remove_leftovers(target)
    if is_up_to_date(target, wanted):
        summary.num_up_to_date += 1
    else:
        _write(sequence, target, wanted | {"params": kind}, advance)
        summary.num_written += 1
    summary.num_windows += len(sequence.ends_us)
    summary.num_boxes += len(sequence.labels)
    summary.num_synthetic += sequence.synthetic is True
    return dict(open_stored_recording(target).attributes)


def _describe(path: Path, folder: Path) -> dict[str, Any]:
    """Return what is kept of a source, named as ``verify --source`` looks for it."""
    return {**describe_file(path), "name": path.relative_to(folder.parent).as_posix()}


def _read_sequence(folder: Path, name: str | None) -> _Sequence:
    names = sorted(path.name for path in (folder / TENSORS).iterdir() if path.is_dir())
    if len(names) > 1 and name is None:
        raise OptionError(f"{folder}: several kinds of tensors, {', '.join(names)}", hint="choose: --representation")
    if not names:
        raise InputError(f"{folder / TENSORS}: no tensors", hint="copy it again")
    tensors = folder / TENSORS / check_option("representation", name or names[0], names)
    note = read_note(folder)
    kind, window_us = _kind_of(tensors, note)
    file, is_half = tensors / tensor_file(downsampled=False), False
    if not file.exists():
        file, is_half = tensors / tensor_file(downsampled=True), True
    labels = read_rvt_labels(folder / LABELS)
    labels = labels[np.argsort(labels.t, kind="stable")]
    labels = replace(labels, xyxy=labels.xyxy / np.float32(2)) if is_half else labels
    ends, label_windows = read_rvt_numbers(tensors / WINDOW_ENDS), read_rvt_numbers(tensors / LABEL_WINDOWS)
    synthetic = note.get("synthetic")
    sequence = _Sequence(
        file, kind, window_us, ends, label_windows, labels, synthetic if isinstance(synthetic, bool) else None
    )
    _check_windows(sequence)
    return sequence


def _kind_of(tensors: Path, note: dict[str, Any]) -> tuple[Representation, int]:
    """Return what the tensors in a folder are and how long their windows: by its name, and the note for the rest.

    The name does not tell every parameter. The note may be of an export beside these tensors, and hold anything.
    """
    kind, window_us = parse_representation_folder(tensors)
    try:
        noted = Representation.from_dict(note["options"]["representation"])
        return (noted if representation_folder(noted, window_us) == tensors.name else kind), window_us
    except (OptionError, KeyError, TypeError, ValueError, AttributeError):
        return kind, window_us


def _check_windows(sequence: _Sequence) -> None:
    folder, ends = sequence.tensors.parent, sequence.ends_us
    is_sound = len(ends) and np.all(ends[1:] > ends[:-1]) and ends[0] > -_LATEST_US and ends[-1] < _LATEST_US
    if not is_sound:
        raise FormatError(f"{folder / WINDOW_ENDS}: ends of windows must increase, below 2**62 us")
    times, windows = np.unique(sequence.labels.t), sequence.label_windows
    # RVT's loader goes by the index alone, and its released Gen1 data are of an older script (its issue 22).
    if (
        len(windows) != len(times)
        or np.any((windows < 0) | (windows >= len(ends)))
        or np.any(np.abs(ends[windows] - times) >= sequence.window_us)
    ):
        raise FormatError(f"{folder / LABEL_WINDOWS}: must name the window that ends at each label time")


def _write(sequence: _Sequence, target: Path, about: dict[str, Any], advance: Progress) -> None:
    with ExitStack() as stack:
        with _reading(sequence.tensors):
            data = stack.enter_context(open_tensors(sequence.tensors, "r"))["data"]
            _check_tensors(data, sequence)
        size = SensorSize(*data.shape[2:])
        writer = stack.enter_context(recording_writer(target, size))
        writer.add_labels(sequence.labels)
        _write_frames(sequence, data, size, writer, advance)
        writer.publish(
            {
                **about,
                # The events are not there to be counted.
                "num_events": 0,
                "t_first_us": int(sequence.ends_us[0]) - sequence.window_us,
                "t_last_us": int(sequence.ends_us[-1]),
                "source_format": "rvt",
                "synthetic": sequence.synthetic,
                "report": {},
                "eventdet_version": version("eventdet"),
            }
        )


def _write_frames(
    sequence: _Sequence, data: "h5py.Dataset", size: SensorSize, writer: RecordingWriter, advance: Progress
) -> None:
    starts = sequence.ends_us - sequence.window_us
    steps = np.unique(np.diff(starts))
    stride_us = int(steps[0]) if len(steps) == 1 else 0
    frames = writer.add_frames(
        sequence.representation, fit_pixels(size, size),
        start_us=int(starts[0]), window_us=sequence.window_us, stride_us=stride_us,
    )  # fmt: skip
    writer.add_label_windows(sequence.label_windows)
    if not stride_us:
        writer.add_window_edges(starts)
    for row in range(len(starts)):
        with _reading(sequence.tensors):
            channels = data[row]
        frames.put(from_channels(channels, sequence.representation))
        advance((row + 1) / len(starts))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what HDF5 raises into an error of the file."""
    try:
        yield
    except EventdetError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: broken HDF5 ({reason}), at byte 0", hint="copy it again") from error


def _check_tensors(data: "h5py.Dataset", sequence: _Sequence) -> None:
    path, kind = sequence.tensors, sequence.representation
    if data.ndim != 4 or len(data) != len(sequence.ends_us) or data.dtype != kind.dtype:
        raise FormatError(
            f"{path}: data must be {kind.dtype} of shape ({len(sequence.ends_us)}, channels, rows, columns), "
            f"got {data.dtype} {data.shape}"
        )
    num_cells = math.prod(data.shape[1:])
    if num_cells != math.prod(kind.shape(check_sensor_size(SensorSize(*data.shape[2:])))):
        raise FormatError(f"{path}: {data.shape[1]} channels are not those of {kind.name} with {kind.bins} bins")
    if max(num_cells, math.prod(data.chunks or ())) * data.dtype.itemsize > _LARGEST_TENSOR:
        raise FormatError(f"{path}: a tensor must be below {_LARGEST_TENSOR} bytes, got {data.shape} in {data.chunks}")
