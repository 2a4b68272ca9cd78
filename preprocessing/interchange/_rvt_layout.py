"""Names and arrays of RVT's folders, the same for export and import.

::

    <split>/<recording>/
        labels_v2/labels.npz, timestamps_us.npy
        event_representations_v2/<representation>_dt=<ms>_nbins=<bins>/
            event_representations.h5         `data` (windows, channels, rows, columns), one window a chunk, blosc zstd
            timestamps_us.npy                end of each window
            objframe_idx_2_repr_idx.npy      the window that ends at each labelled time

RVT takes everything below a split for a recording. What eventdet adds lies in the folder of a recording, or above the
splits.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eventdet.errors import FormatError, MissingExtraError, OptionError
from eventdet.geometry import SensorSize
from eventdet.preprocessing.representations import REPRESENTATIONS, Representation, Tensor

if TYPE_CHECKING:
    import h5py

__all__ = [
    "LABELS",
    "LABEL_WINDOWS",
    "SPLITS",
    "TENSORS",
    "WINDOW_ENDS",
    "create_tensors",
    "from_channels",
    "is_of_rvt",
    "open_tensors",
    "parse_representation_folder",
    "representation_folder",
    "tensor_file",
    "to_channels",
]

SPLITS = ("train", "val", "test")
LABELS = "labels_v2"
TENSORS = "event_representations_v2"
WINDOW_ENDS = "timestamps_us.npy"
LABEL_WINDOWS = "objframe_idx_2_repr_idx.npy"

_RVT_NAMES = {"rvt_histogram": "stacked_histogram", "rvt_mixed_density": "mixeddensity_stack"}

_FOLDER = re.compile(r"(?P<name>\w+)_dt=(?P<ms>[0-9]{1,9})_nbins=(?P<bins>[0-9]{1,4})(_cutoff=(?P<cutoff>[0-9]{1,3}))?")


def tensor_file(*, downsampled: bool) -> str:
    """Return the name of the file of tensors."""
    return f"event_representations{'_ds2_nearest' if downsampled else ''}.h5"


def is_of_rvt(representation: Representation) -> bool:
    """Return whether a tensor is RVT's own, in which an event at the very end of the window counts."""
    return representation.name in _RVT_NAMES


def representation_folder(representation: Representation, window_us: int) -> str:
    """Return the name that RVT's configuration calls ``ev_repr_name``.

    Raises
    ------
    OptionError
        When the window is no whole number of milliseconds, or the tensor does not end in rows and columns.
    """
    if window_us <= 0 or window_us % 1000:
        raise OptionError(f"window must be whole milliseconds in RVT's layout, got {window_us} us")
    if representation.axes[-2:] != ("row", "column"):
        raise OptionError(f"RVT's channels are before rows and columns, got the axes {representation.axes}")
    name = representation.name.rpartition(".")[2]
    cutoff = f"_cutoff={dict(representation.parameters)['cutoff']}" if name == "rvt_mixed_density" else ""
    return f"{_RVT_NAMES.get(name, name)}_dt={window_us // 1000}_nbins={representation.bins}{cutoff}"


def parse_representation_folder(folder: Path) -> tuple[Representation, int]:
    """Return what the tensors in a folder are, and the length of their windows in microseconds.

    Raises
    ------
    FormatError
        When its name does not say.
    """
    found = _FOLDER.fullmatch(folder.name)
    names = {other: name for name, other in _RVT_NAMES.items()}
    name = None if found is None else names.get(found["name"], found["name"])
    if found is None or name not in REPRESENTATIONS:
        raise FormatError(
            f"{folder}: its name must be REPRESENTATION_dt=MS_nbins=BINS, as in stacked_histogram_dt=50_nbins=10",
            hint="windows by count (ne=...) cannot be imported",
        )
    parameters = {} if found["cutoff"] is None else {"cutoff": int(found["cutoff"])}
    return Representation(name, int(found["bins"]), **parameters), int(found["ms"]) * 1000


def to_channels(tensor: Tensor, representation: Representation, *, downsampled: bool) -> Tensor:
    """Return a tensor as RVT's channels, shape (channels, rows, columns): all bins of OFF, then all bins of ON.

    Downsampled, the odd rows and columns stay.
    """
    if representation.axes[:2] == ("bin", "polarity"):
        tensor = tensor.swapaxes(0, 1)
    channels = tensor.reshape(-1, *tensor.shape[-2:])
    height, width = (side // 2 * 2 for side in channels.shape[1:])
    return np.ascontiguousarray(channels[:, 1:height:2, 1:width:2] if downsampled else channels)


def from_channels(channels: Tensor, representation: Representation) -> Tensor:
    """Return RVT's channels, shape (channels, rows, columns), as the tensor that they were made from."""
    shape = representation.shape(SensorSize(*channels.shape[1:]))
    if representation.axes[:2] == ("bin", "polarity"):
        return channels.reshape(shape[1], shape[0], *shape[2:]).swapaxes(0, 1)
    return channels.reshape(shape)


@contextmanager
def open_tensors(path: Path, mode: Literal["r", "w"]) -> Iterator["h5py.File"]:
    """Open a file of tensors, with blosc known to HDF5.

    Raises
    ------
    MissingExtraError
        When blosc is not installed.
    """
    import h5py

    try:
        import hdf5plugin  # noqa: F401 - to import it makes its filters known to HDF5
    except ImportError as error:
        raise MissingExtraError("RVT's layout, compressed by blosc,", extra="hdf5") from error
    with h5py.File(path, mode) as file:
        yield file


def create_tensors(file: "h5py.File", num_windows: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> "h5py.Dataset":
    """Return the empty array of tensors, compressed as RVT does."""
    import hdf5plugin

    return file.create_dataset(
        "data", (num_windows, *shape), dtype, maxshape=(None, *shape), chunks=(1, *shape),
        **hdf5plugin.Blosc(cname="zstd", clevel=1, shuffle=hdf5plugin.Blosc.SHUFFLE),
    )  # fmt: skip
