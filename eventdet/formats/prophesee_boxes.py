"""Labels of the Prophesee datasets: one structured ``.npy`` array a recording, ``x_td.dat`` with ``x_bbox.npy``.

Two layouts are in use: Gen1 ships ``ts`` and ``confidence`` in packed records of 33 bytes, the 1 Mpx dataset and
Prophesee's toolbox write ``t`` and ``class_confidence`` in records of 40 bytes. The order of the fields varies as
well, so they are read by name.

Labels are made by people and scripts: what the header claims is checked before memory is taken for it, and a row that
is no box does not reach the detector.
"""

from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import FormatError

from ._atomic import atomic_writer
from ._text_header import read_head

__all__ = [
    "BOX_DTYPE",
    "LabelFile",
    "find_boxes",
    "pack_boxes",
    "read_boxes",
    "read_label_file",
    "unpack_boxes",
    "write_boxes",
]

BOX_DTYPE = np.dtype(
    [
        ("t", "<i8"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("w", "<f4"),
        ("h", "<f4"),
        ("class_id", "<u4"),
        ("track_id", "<u4"),
        ("class_confidence", "<f4"),
    ],
    align=True,
)
"""The newer layout, 40 bytes: what `write_boxes` writes."""

_NAMES = {"t": ("t", "ts"), "score": ("class_confidence", "confidence")}
_REQUIRED = ("x", "y", "w", "h", "class_id")
_MAGIC = b"\x93NUMPY"
_FIELDS = "t or ts, x, y, w, h, class_id"
_HINT = "give a Prophesee *_bbox.npy"

_LARGEST_EDGE = 1 << 20
"""Pixels; no sensor is so large, and float32 still tells halves of a pixel there."""


class LabelFile(NamedTuple):
    """All rows of a label file, the bad ones included."""

    boxes: Boxes
    """In the order of the file; a number that its column cannot hold is 0, in a row that is not sound."""

    is_sound: NDArray[np.bool_]
    """Shape (n,): whether the row is a box: finite, with an area, and no number beyond what can be meant."""

    layout: str
    """``old`` (Gen1), ``new`` (1 Mpx and the toolbox), or ``mixed``."""

    @property
    def sound(self) -> Boxes:
        """The rows that are boxes.

        The layout has no word for boxes without a track, and who has none writes 0. No track is in two places at once:
        where 0 stands everywhere and twice at one time, the tracks are -1 here.
        """
        boxes = self.boxes[self.is_sound]
        if not boxes.track_id.any() and len(np.unique(boxes.t)) < len(boxes):
            return replace(boxes, track_id=np.full(len(boxes), -1))
        return boxes


def read_boxes(path: str | Path) -> Boxes:
    """Return the boxes of a Prophesee label file.

    Parameters
    ----------
    path : str or Path
        A ``.npy`` file of either layout.

    Returns
    -------
    Boxes
        In the order of the file; without a confidence field the score is 1, without a track field the track is -1.
        Rows that are no box (not finite, or without an area) are left out; `read_label_file` has them.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is no ``.npy`` file, is cut, or lacks a field that a box needs.
    """
    file = read_label_file(path)
    return file.boxes[file.is_sound]


def read_label_file(path: str | Path) -> LabelFile:
    """Return every row of a Prophesee label file, and which of them are boxes; raises as `read_boxes` does."""
    path = Path(path)
    return unpack_boxes(_load(path), path)


def unpack_boxes(array: NDArray[np.void], path: Path) -> LabelFile:
    """Return every row of an array of either layout, and which of them are boxes.

    Parameters
    ----------
    array : ndarray, shape (n,), structured
        The rows.
    path : Path
        Where they come from, for messages.

    Raises
    ------
    FormatError
        When a field that a box needs is missing.
    """
    names = array.dtype.names or ()
    found = {key: next((name for name in known if name in names), None) for key, known in _NAMES.items()}
    missing = [name for name in _REQUIRED if name not in names] + ([] if found["t"] else ["t"])
    if missing:
        raise FormatError(f"{path}: boxes must have the fields {_FIELDS}, got {', '.join(names)}", hint=_HINT)
    columns = {name: _numbers(path, array, name) for name in (*_REQUIRED, found["t"], found["score"]) if name}
    columns["track_id"] = _numbers(path, array, "track_id") if "track_id" in names else np.full(len(array), -1)
    whole = {name: _fits_int64(columns[name]) for name in (found["t"], "class_id", "track_id") if name}
    with np.errstate(over="ignore", invalid="ignore"):
        # What float32 cannot hold becomes infinite, and is seen below.
        boxes = Boxes.from_xywh(
            np.stack([columns[name] for name in ("x", "y", "w", "h")], axis=1),
            score=columns[found["score"]] if found["score"] else 1.0,
            **{
                key: np.where(fits, columns[name], 0)
                for key, (name, fits) in zip(("t", "class_id", "track_id"), whole.items(), strict=True)
            },
        )
    return LabelFile(boxes, np.all([*whole.values(), _is_box(boxes)], axis=0), _layout(set(names)))


def write_boxes(path: str | Path, boxes: Boxes) -> None:
    """Write boxes in the newer Prophesee layout, `BOX_DTYPE`.

    Parameters
    ----------
    path : str or Path
        File to write; it appears when complete, under exactly this name.
    boxes : Boxes
        Labels or detections. An unknown track (-1) is stored as 0, since the field is unsigned.

    Raises
    ------
    OutputError
        When the folder is missing or cannot be written.
    """
    with atomic_writer(Path(path)) as file:
        np.lib.format.write_array(file, pack_boxes(boxes), allow_pickle=False)


def pack_boxes(boxes: Boxes) -> NDArray[np.void]:
    """Return boxes as rows of `BOX_DTYPE`, as `write_boxes` writes them."""
    array = np.zeros(len(boxes), BOX_DTYPE)
    array["t"] = boxes.t
    for name, column in zip(("x", "y", "w", "h"), boxes.xywh.T, strict=True):
        array[name] = column
    array["class_id"] = boxes.class_id
    array["track_id"] = np.maximum(boxes.track_id, 0)
    array["class_confidence"] = boxes.score
    return array


def find_boxes(recording: str | Path) -> Path | None:
    """Return the label file that belongs to a recording, None when there is none.

    Parameters
    ----------
    recording : str or Path
        For ``drive_td.dat``, and for RVT's ``drive_td.dat.h5``, the labels are ``drive_bbox.npy`` beside it; a name
        without ``_td`` keeps its whole stem.
    """
    recording = Path(recording)
    stem = recording.name.rpartition("_td.")[0] or recording.stem.removesuffix("_td")
    labels = recording.with_name(f"{stem}_bbox.npy")
    return labels if labels.is_file() else None


def _load(path: Path) -> NDArray[np.void]:
    """Return the list that a ``.npy`` file holds, once its header agrees with the length of the file."""
    if not read_head(path).startswith(_MAGIC):
        raise FormatError(f"{path}: not a .npy file, at byte 0", hint=_HINT)
    with path.open("rb") as file:
        try:
            shape, _, dtype = _read_header(file)
        except (ValueError, TypeError, SyntaxError, EOFError, RecursionError, MemoryError) as error:
            raise _unreadable(path, (str(error).splitlines() or [type(error).__name__])[0]) from error
        if dtype.hasobject:
            raise _unreadable(path, "it holds Python objects")
        if len(shape) != 1 or not dtype.names:
            raise FormatError(
                f"{path}: boxes must have the fields {_FIELDS}, got {dtype} of shape {shape}, at byte 0", hint=_HINT
            )
        size, left = shape[0] * dtype.itemsize, path.stat().st_size - file.tell()
        if not 0 <= size <= left:
            raise _unreadable(path, f"{shape[0]} boxes are claimed, {left // dtype.itemsize} are there")
        return np.frombuffer(file.read(size), dtype)


def _unreadable(path: Path, reason: str) -> FormatError:
    return FormatError(f"{path}: cannot be read as .npy ({reason}), at byte 0", hint="copy it again")


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _numbers(path: Path, array: NDArray[np.void], name: str) -> NDArray[Any]:
    values: NDArray[Any] = array[name]
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise FormatError(f"{path}: field {name} must hold one number a box, got {array.dtype[name]}", hint=_HINT)
    return values


def _fits_int64(values: NDArray[Any]) -> NDArray[np.bool_]:
    # Compared as floats, of which 2**63 is one and the largest int64 is none.
    wide = values.astype(np.float64)
    fits: NDArray[np.bool_] = (wide >= -(2.0**63)) & (wide < 2.0**63)
    return fits


def _is_box(boxes: Boxes) -> NDArray[np.bool_]:
    xyxy = boxes.xyxy
    # No comparison with NaN is true.
    is_near: NDArray[np.bool_] = np.all(np.abs(xyxy) <= _LARGEST_EDGE, axis=1)
    has_area: NDArray[np.bool_] = np.all(xyxy[:, 2:] > xyxy[:, :2], axis=1)
    return is_near & has_area & np.isfinite(boxes.score)


def _layout(names: set[str]) -> str:
    old, new = names & {"ts", "confidence"}, names & {"t", "class_confidence"}
    return "mixed" if old and new else "old" if old else "new"
