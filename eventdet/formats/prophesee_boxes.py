"""Labels of the Prophesee datasets: one structured ``.npy`` array a recording, ``x_td.dat`` with ``x_bbox.npy``.

Two layouts are in use: Gen1 ships ``ts`` and ``confidence`` in packed records of 33 bytes, the 1 Mpx dataset and
Prophesee's toolbox write ``t`` and ``class_confidence`` in records of 40 bytes. The order of the fields varies as
well, so they are read by name.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import FormatError

from ._atomic import atomic_writer
from ._text_header import read_head

__all__ = ["BOX_DTYPE", "box_layout", "find_boxes", "read_boxes", "write_boxes"]

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

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is no ``.npy`` file, is cut, or lacks a field that a box needs.
    """
    path = Path(path)
    array = _load(path)
    names = array.dtype.names or ()
    found = {key: next((name for name in known if name in names), None) for key, known in _NAMES.items()}
    missing = [name for name in _REQUIRED if name not in names] + ([] if found["t"] else ["t"])
    if array.ndim != 1 or missing:
        raise FormatError(
            f"{path}: boxes must have the fields t or ts, x, y, w, h, class_id, got {', '.join(names) or array.dtype}",
            hint="give a Prophesee *_bbox.npy",
        )
    return Boxes.from_xywh(
        np.stack([array[name] for name in ("x", "y", "w", "h")], axis=1),
        t=array[found["t"]],
        class_id=array["class_id"],
        score=array[found["score"]] if found["score"] else 1.0,
        track_id=array["track_id"] if "track_id" in names else -1,
    )


def box_layout(path: str | Path) -> str:
    """Return which layout a label file has: ``old`` (Gen1), ``new`` (1 Mpx and the toolbox), or ``mixed``.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is no ``.npy`` file or cut.
    """
    names = set(_load(Path(path)).dtype.names or ())
    old, new = names & {"ts", "confidence"}, names & {"t", "class_confidence"}
    return "mixed" if old and new else "old" if old else "new"


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
    array = np.zeros(len(boxes), BOX_DTYPE)
    array["t"] = boxes.t
    for name, column in zip(("x", "y", "w", "h"), boxes.xywh.T, strict=True):
        array[name] = column
    array["class_id"] = boxes.class_id
    array["track_id"] = np.maximum(boxes.track_id, 0)
    array["class_confidence"] = boxes.score
    with atomic_writer(Path(path)) as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def find_boxes(recording: str | Path) -> Path | None:
    """Return the label file that belongs to a recording, None when there is none.

    Parameters
    ----------
    recording : str or Path
        For ``drive_td.dat`` the labels are ``drive_bbox.npy`` beside it; a name without ``_td`` keeps its whole stem.
    """
    recording = Path(recording)
    labels = recording.with_name(f"{recording.stem.removesuffix('_td')}_bbox.npy")
    return labels if labels.is_file() else None


def _load(path: Path) -> NDArray[np.void]:
    if not read_head(path).startswith(_MAGIC):
        raise FormatError(f"{path}: not a .npy file, at byte 0", hint="give a Prophesee *_bbox.npy")
    try:
        array: NDArray[np.void] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise FormatError(f"{path}: cannot be read as .npy ({reason})", hint="copy it again") from error
    return array
