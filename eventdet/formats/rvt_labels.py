"""Labels as RVT and the detectors built on it read them: ``labels.npz`` beside ``timestamps_us.npy``.

The archive holds the rows of all labelled times, and for each such time the number of its first row.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError

from ._npy_stream import NpyReader
from .prophesee_boxes import pack_boxes, unpack_boxes

__all__ = ["read_rvt_labels", "write_rvt_labels"]

_ARCHIVE = "labels.npz"
_TIMES = "timestamps_us.npy"


def write_rvt_labels(folder: Path, boxes: Boxes) -> None:
    """Write the boxes of a recording, sorted by their stamps.

    Parameters
    ----------
    folder : Path
        Called ``labels_v2`` by RVT; it must exist.
    boxes : Boxes
        At least one: RVT's loader expects a label in every recording.
    """
    rows = pack_boxes(boxes[np.argsort(boxes.t, kind="stable")])
    times, first_rows = np.unique(rows["t"], return_index=True)
    np.savez(folder / _ARCHIVE, labels=rows, objframe_idx_2_label_idx=first_rows)
    np.save(folder / _TIMES, times)


def read_rvt_labels(folder: Path) -> Boxes:
    """Return the boxes of a recording, in the order of the file.

    Parameters
    ----------
    folder : Path
        Called ``labels_v2`` by RVT.

    Raises
    ------
    InputError
        When there is no such file.
    FormatError
        When it is broken, lacks a field that a box needs, or holds a row that is no box.
    """
    path = folder / _ARCHIVE
    try:
        with zipfile.ZipFile(path) as archive, archive.open("labels.npy") as member:
            reader = NpyReader(member, str(path))
            rows = reader.read(max(reader.shape, default=1))
    except FormatError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file", hint="give a folder that RVT's preprocessing wrote") from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: broken .npz ({reason}), at byte 0", hint="copy it again") from error
    if rows.ndim != 1 or not reader.shape:
        raise FormatError(f"{path}: labels must be a list of boxes, got the shape {reader.shape}")
    file = unpack_boxes(rows, path)
    if not file.is_sound.all():
        raise FormatError(f"{path}: row {int(np.argmin(file.is_sound))} is no box", hint="copy it again")
    return file.boxes
