"""The formats by name, and the one function that opens any of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from eventdet.errors import FormatError, check_option
from eventdet.geometry import SensorSize

from ._expelliarmus import open_by_expelliarmus
from ._payload import Payload
from ._raw_header import raw_encoding
from ._text_header import read_head
from .aedat2 import is_aedat2, open_aedat2
from .aedat4 import is_aedat4, open_aedat4, write_aedat4
from .aer40 import is_aer40, open_aer40, write_aer40
from .dat import DAT, is_bare_dat, is_dat, open_bare_dat, open_dat, write_dat
from .dat_recording import DatRecording
from .es import is_es, open_es, write_es
from .evt2 import is_evt2, open_evt2, write_evt2
from .evt3 import is_evt3, open_evt3, write_evt3
from .evt4 import is_evt4, open_evt4
from .evt21 import is_evt21, open_evt21, write_evt21
from .hdf5 import is_hdf5, open_hdf5, write_hdf5
from .npy import is_npy, is_npz, open_npy, open_npz, write_npy, write_npz
from .policy import ReadPolicy
from .recording import Recording
from .rosbag import is_rosbag, open_rosbag, rosbag_head_file
from .text import is_text, open_text, write_text

__all__ = ["FORMATS", "READERS", "EventFormat", "detect_format", "open_recording"]

READERS = ("eventdet", "expelliarmus")
"""Who can decode the events of a file; expelliarmus does for DAT 2 and EVT 2.0 alone."""


class EventFormat(NamedTuple):
    """One format, and what can be done with it."""

    title: str
    """What it is called, for people."""

    suffix: str
    """How its files are usually named."""

    matches: Callable[[bytes], bool]
    """Whether the first bytes of a file are of this format."""

    open: Callable[[Path, SensorSize | None, str], Payload]
    """Read the header: path, the user's sensor size, what happens to faults."""

    write: Callable[..., None] | None = None
    """Write a file: path, batches in time order, sensor size; None for a format that is only read."""

    marks_synthetic: bool = False
    """Whether `write` takes ``synthetic=True`` and the file keeps it."""

    keeps_triggers: bool = False
    """Whether `write` takes ``triggers`` and the file keeps them."""

    recording: Callable[[Payload], Recording] = Recording
    """Class of the recording."""

    seek: str = "index"
    """How a window in the middle is found; an index takes one pass and is then kept."""

    streams: bool = True
    """Whether bytes are decoded as they come, from a socket or a pipe."""

    extra: str = ""
    """Extra of eventdet that is needed, an empty string for none."""


def _dat_recording(payload: Payload) -> Recording:
    return DatRecording(payload) if payload.encoding is DAT else Recording(payload)


FORMATS = {
    "dat": EventFormat(
        "Prophesee DAT 1 and 2", ".dat", is_dat, open_dat, write_dat, True, recording=_dat_recording, seek="bisection"
    ),
    "evt2": EventFormat("Prophesee RAW, EVT 2.0", ".raw", is_evt2, open_evt2, write_evt2, True, True),
    "evt21": EventFormat("Prophesee RAW, EVT 2.1", ".raw", is_evt21, open_evt21, write_evt21, True, True),
    "evt3": EventFormat("Prophesee RAW, EVT 3.0", ".raw", is_evt3, open_evt3, write_evt3, True, True),
    "evt4": EventFormat("Prophesee RAW, EVT 4.0", ".raw", is_evt4, open_evt4),
    "es": EventFormat("Event Stream 2, DVS", ".es", is_es, open_es, write_es),
    "aedat2": EventFormat("AEDAT 2.0 (jAER)", ".aedat", is_aedat2, open_aedat2),
    "aedat4": EventFormat(
        "AEDAT4 (DV)", ".aedat4", is_aedat4, open_aedat4, write_aedat4, True, streams=False, extra="aedat"
    ),
    "hdf5": EventFormat(
        "HDF5 of DSEC, RVT and others", ".h5", is_hdf5, open_hdf5, write_hdf5, streams=False, extra="hdf5 for blosc"
    ),
    "rosbag": EventFormat("ROS 1 and 2 bags", ".bag", is_rosbag, open_rosbag, streams=False, extra="ros"),
    "npz": EventFormat("NumPy, an array a column", ".npz", is_npz, open_npz, write_npz, streams=False),
    "npy": EventFormat("NumPy, structured or rows", ".npy", is_npy, open_npy, write_npy, streams=False),
    "csv": EventFormat("Text, a line an event", ".csv", is_text, open_text, write_text, streams=False),
    # Last: nothing names this format, so whatever names itself goes first.
    "aer40": EventFormat("40-bit AER (N-MNIST)", ".bin", is_aer40, open_aer40, write_aer40),
}
"""Every readable format by name, in the order in which they are tried."""


def detect_format(path: str | Path) -> str:
    """Return the name of the format of a recording, told by its first bytes and not by its name.

    Raises
    ------
    InputError
        When the file is missing, a directory, or not readable.
    FormatError
        When the file is empty or of no readable format.
    """
    path = Path(path)
    head = read_head(rosbag_head_file(path))
    for name, known in FORMATS.items():
        if known.matches(head):
            return name
    found = raw_encoding(head) or repr(head[:12])
    readable = ", ".join(FORMATS)
    raise FormatError(f"{path}: unknown format at byte 0, got {found}", hint=f"readable formats: {readable}")


def open_recording(
    path: str | Path,
    *,
    sensor_size: SensorSize | None = None,
    policy: str | ReadPolicy = "repair",
    reader: str = "eventdet",
) -> Recording:
    """Open an event file of any readable format; only its header is read.

    Parameters
    ----------
    path : str or Path
        The file, or the folder of a ROS 2 bag; the format is told by the first bytes. Of a bag with several topics of
        events, one is named behind the path: ``drive.bag:/dvs/left/events``. DAT records without any header are read
        too, when the name ends in ``.dat``, `sensor_size` is given, and the records are what they claim to be.
    sensor_size : SensorSize, optional
        Used when neither the header nor the camera it names gives a size.
    policy : {"repair", "strict", "trust"} or ReadPolicy
        ``repair`` counts and mends dirty records, ``strict`` raises at the first one, ``trust`` mends as well but
        does not check a DAT file for disorder before it jumps to a window. A `ReadPolicy` says more, e.g. what
        happens to exact repeats of an event.
    reader : {"eventdet", "expelliarmus"}
        Who decodes the events. What expelliarmus reads of a DAT 2 or EVT 2.0 file is checked and counted as well, but
        for what it repairs on its own.

    Returns
    -------
    Recording
        A `DatRecording` for DAT version 2, when eventdet reads it.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is empty, of no readable format, or its header is broken.
    GeometryError
        When the sensor size is not in the header and not given.
    OptionError
        When `policy` or `reader` is unknown, or the reader does not read such a file right.
    MissingExtraError
        When the reader is not installed.

    Examples
    --------
    >>> recording = open_recording("drive_td.dat")  # doctest: +SKIP
    >>> for window in recording.windows(50_000):  # doctest: +SKIP
    ...     print(window.t0_us, len(window.events))
    """
    path, rules = Path(path), ReadPolicy.of(policy)
    check_option("reader", reader, READERS)
    if sensor_size is not None and is_bare_dat(path, sensor_size):
        known, payload = FORMATS["dat"], open_bare_dat(path, sensor_size, rules)
    else:
        known = FORMATS[detect_format(path)]
        payload = replace(known.open(path, sensor_size, rules.faults), policy=rules)
    return known.recording(payload if reader == "eventdet" else open_by_expelliarmus(payload))
