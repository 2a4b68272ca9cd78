"""Labels as RVT and the detectors built on it read them: ``labels.npz``, and lists of stamps and indices.

The archive holds the rows of all labelled times, and for each such time the number of its first row.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError

from ._npy_stream import NpyReader
from .prophesee_boxes import pack_boxes, unpack_boxes

__all__ = ["read_rvt_labels", "read_rvt_numbers", "write_rvt_labels"]

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


def read_rvt_numbers(path: Path) -> NDArray[np.int64]:
    """Return a list of stamps or indices, such as ``timestamps_us.npy``, shape (n,).

    Raises
    ------
    InputError
        When there is no such file.
    FormatError
        When it is broken, or no list of integers.
    """
    try:
        with path.open("rb") as file:
            reader = NpyReader(file, str(path))
            # No memory is asked for more than the file can hold.
            most = path.stat().st_size // reader.dtype.itemsize
            numbers = reader.read(min(most, max(reader.shape, default=1)))
    except FormatError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})", hint="copy it again") from error
    if len(reader.shape) != 1 or numbers.dtype.kind not in "iu":
        raise FormatError(f"{path}: must be a list of integers, got {reader.dtype} {reader.shape}")
    return numbers.astype(np.int64)
