"""The formats by name, and the one function that opens any of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from eventdet.errors import FormatError
from eventdet.geometry import SensorSize

from ._payload import Payload
from ._raw_header import raw_encoding
from ._text_header import read_head
from .dat import is_bare_dat, is_dat, open_bare_dat, open_dat
from .evt2 import is_evt2, open_evt2
from .evt3 import is_evt3, open_evt3
from .policy import ReadPolicy
from .recording import DatRecording, Recording

__all__ = ["FORMATS", "detect_format", "open_recording"]


class EventFormat(NamedTuple):
    """One readable format."""

    matches: Callable[[bytes], bool]
    """Whether the first bytes of a file are of this format."""

    open: Callable[[Path, SensorSize | None, str], Payload]
    """Read the header: path, the user's sensor size, what happens to faults."""

    recording: Callable[[Payload], Recording]
    """Class of the recording."""


FORMATS = {
    "dat": EventFormat(is_dat, open_dat, DatRecording),
    "evt2": EventFormat(is_evt2, open_evt2, Recording),
    "evt3": EventFormat(is_evt3, open_evt3, Recording),
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
    head = read_head(path)
    for name, known in FORMATS.items():
        if known.matches(head):
            return name
    found = raw_encoding(head) or repr(head[:12])
    readable = ", ".join(FORMATS)
    raise FormatError(f"{path}: unknown format at byte 0, got {found}", hint=f"readable formats: {readable}")


def open_recording(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str | ReadPolicy = "repair"
) -> Recording:
    """Open an event file of any readable format; only its header is read.

    Parameters
    ----------
    path : str or Path
        The file; the format is told by its first bytes. DAT records without any header are read too, when the name
        ends in ``.dat``, `sensor_size` is given, and the records are what they claim to be.
    sensor_size : SensorSize, optional
        Used when neither the header nor the camera it names gives a size.
    policy : {"repair", "strict", "trust"} or ReadPolicy
        ``repair`` counts and mends dirty records, ``strict`` raises at the first one, ``trust`` mends as well but
        does not check a DAT file for disorder before it jumps to a window. A `ReadPolicy` says more, e.g. what
        happens to exact repeats of an event.

    Returns
    -------
    Recording
        A `DatRecording` for DAT.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is empty, of no readable format, or its header is broken.
    GeometryError
        When the sensor size is not in the header and not given.
    OptionError
        When `policy` is unknown.

    Examples
    --------
    >>> recording = open_recording("drive_td.dat")  # doctest: +SKIP
    >>> for window in recording.windows(50_000):  # doctest: +SKIP
    ...     print(window.t0_us, len(window.events))
    """
    path, rules = Path(path), ReadPolicy.of(policy)
    if sensor_size is not None and is_bare_dat(path, sensor_size):
        return DatRecording(open_bare_dat(path, sensor_size, rules))
    known = FORMATS[detect_format(path)]
    return known.recording(replace(known.open(path, sensor_size, rules.faults), policy=rules))
