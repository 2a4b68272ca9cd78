"""AEDAT 2.0, the recordings of jAER: a text header, then eight bytes an event. Read only.

The bits of an address mean what the camera says, so the header has to name one. Its origin is the lower left pixel
(iniVation, "AEDAT 2.0"): rows are turned over, columns are as stored.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eventdet.errors import FormatError
from eventdet.events import Events
from eventdet.geometry import SensorSize, resolve_sensor_size
from eventdet.report import ReadReport

from ._payload import Payload
from ._text_header import read_head
from .decoder import Encoding, Kernel

__all__ = ["AEDAT2_DAVIS", "AEDAT2_DVS128", "Aedat2Header", "is_aedat2", "open_aedat2", "read_aedat2"]

_MAGIC = b"#!AER-DAT2.0"
_END = b"#End Of ASCII Header"
_CAMERA_LINE = "# AEChip:"
_LONGEST_LINE = 1 << 12
_LONGEST_HEADER = 1 << 24
"""jAER writes the preferences of the camera into the header, some hundred kB of XML."""


def _load_davis_kernel() -> Kernel:
    from ._aedat2_kernels import decode_davis

    return decode_davis


def _load_dvs128_kernel() -> Kernel:
    from ._aedat2_kernels import decode_dvs128

    return decode_dvs128


AEDAT2_DAVIS = Encoding("aedat2", np.dtype("<i8"), events_per_record=1, load_kernel=_load_davis_kernel)
"""Events, frames and IMU samples of a DAVIS; the bytes are big-endian, which the kernel sees to."""

AEDAT2_DVS128 = Encoding("aedat2", np.dtype("<i8"), events_per_record=1, load_kernel=_load_dvs128_kernel)
"""Events of a DVS128."""


class _Camera(NamedTuple):
    size: SensorSize
    encoding: Encoding


_CAMERAS = {
    "dvs128": _Camera(SensorSize(128, 128), AEDAT2_DVS128),
    "davis240": _Camera(SensorSize(180, 240), AEDAT2_DAVIS),
    "davis346": _Camera(SensorSize(260, 346), AEDAT2_DAVIS),
    "davis640": _Camera(SensorSize(480, 640), AEDAT2_DAVIS),
}
"""Cameras by what their class is called in jAER, e.g. eu.seebetter.ini.chips.davis.Davis346blue."""


@dataclass(frozen=True, slots=True)
class Aedat2Header:
    """What stands before the events."""

    camera: str
    """Class of the camera in jAER, an empty string when none is named."""

    data_offset: int
    """Byte offset of the first event."""


def is_aedat2(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are an AEDAT 2.0 header.

    Examples
    --------
    >>> is_aedat2(b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n")
    True
    """
    return head.startswith(_MAGIC)


def read_aedat2_header(path: str | Path) -> Aedat2Header:
    """Return the header of an AEDAT 2.0 file; no event is read.

    A line belongs to the header when it starts with ``#`` and is text, since an address may begin with that byte too.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is not AEDAT 2.0.
    """
    path = Path(path)
    if not is_aedat2(read_head(path)):
        raise FormatError(f"{path}: no AEDAT 2.0 header at byte 0", hint="check the path and the format")
    camera = ""
    offset = 0
    with path.open("rb") as file:
        while offset < _LONGEST_HEADER:
            line = file.readline(_LONGEST_LINE)
            text = line.decode("latin-1").strip().replace("\t", " ")
            if not line.startswith(b"#") or not line.endswith(b"\n") or not text.isprintable():
                break
            offset += len(line)
            if text.startswith(_CAMERA_LINE):
                camera = text.removeprefix(_CAMERA_LINE).strip()
            if line.startswith(_END):
                break
    return Aedat2Header(camera, offset)


def read_aedat2(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of an AEDAT 2.0 file, and what had to be repaired; parameters and errors as `read_dat`.

    Where the header names no camera, `sensor_size` decides: 128x128 is read as DVS128, another one as DAVIS.
    """
    return open_aedat2(Path(path), sensor_size, policy).read()


def open_aedat2(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the events of an AEDAT 2.0 file lie; raises as `read_aedat2` does."""
    header = read_aedat2_header(path)
    named = next((camera for name, camera in _CAMERAS.items() if name in header.camera.lower()), None)
    size = resolve_sensor_size(str(path), camera=named.size if named else None, given=sensor_size)
    if named is None:
        named = _Camera(size, AEDAT2_DVS128 if size == _CAMERAS["dvs128"].size else AEDAT2_DAVIS)
    return Payload(path, named.encoding, header.data_offset, size, policy, {"aechip": header.camera})
