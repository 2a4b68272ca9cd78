"""Prophesee DAT: a text header, two bytes, then 8-byte records; the form of the Gen1 and N-CARS datasets.

Layout of a record, little endian: a 32-bit stamp in microseconds, then a 32-bit word with x in bits 0-13, y in
bits 14-27 and the polarity in bit 28. The stamp overflows every 71.6 minutes. Version 1, which is read only, keeps x in
bits 0-8, y in bits 9-16 and the polarity in bit 17.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size, resolve_sensor_size
from eventdet.report import ReadReport

from ._atomic import atomic_writer
from ._batches import checked_batches
from ._cameras import camera_size
from ._dat_records import pack_dat
from ._payload import Payload
from ._text_header import HEAD_BYTES, parse_text_header, read_head
from .decoder import Encoding, Kernel
from .policy import ReadPolicy

__all__ = [
    "DAT",
    "DAT1",
    "DatHeader",
    "is_bare_dat",
    "is_dat",
    "open_bare_dat",
    "open_dat",
    "read_dat",
    "read_dat_header",
    "write_dat",
]

EVENT_NAMES = {0x00: "Event2D", 0x0C: "CD"}
"""Readable event types: Gen1 writes 0x00, later sensors write 0x0C; the records are the same."""

_OTHER_TYPES = {0x0E: "external triggers", 0x28: "optical flow"}
_RECORD_BYTES = 8
_SURE = 0.9
"""Share of the first records that must be as claimed when no header says so."""


def _load_kernel() -> Kernel:
    from ._dat_kernels import decode_dat

    return decode_dat


def _load_version_1_kernel() -> Kernel:
    from ._dat_kernels import decode_dat1

    return decode_dat1


DAT = Encoding("dat", np.dtype("<i8"), events_per_record=1, load_kernel=_load_kernel)
"""Records of version 2."""

DAT1 = Encoding("dat", np.dtype("<i8"), events_per_record=1, load_kernel=_load_version_1_kernel)
"""Records of version 1."""


@dataclass(frozen=True, slots=True)
class DatHeader:
    """What stands before the records."""

    fields: dict[str, str]
    """Header lines, value by lower-case key."""

    version: int
    """1 or 2."""

    event_type: int
    """Type byte: 0x00 or 0x0C."""

    sensor_size: SensorSize | None
    """From the lines Height and Width, None without them."""

    data_offset: int
    """Byte offset of the first record."""


def is_dat(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are a DAT header.

    Examples
    --------
    >>> is_dat(b"% Data file containing CD events\n% Version 2\n")
    True
    """
    fields = parse_text_header(head).fields
    return fields.get("data", "").startswith("file containing") or ("version" in fields and "evt" not in fields)


def is_bare_dat(path: Path, sensor_size: SensorSize) -> bool:
    """Return whether a file named ``.dat`` has no header and holds DAT records of a sensor of this size.

    That nearly all of its first records lie on the sensor and follow each other tells them from other bytes: of random
    records, one in 3,700 lies on a Gen1 sensor. A file of zeros is none: disks and not cameras make it.
    """
    if path.suffix.lower() != ".dat" or not path.is_file() or not path.stat().st_size:
        return False
    head = read_head(path)
    records = DAT.records(head).astype(np.int64)
    if head.startswith(b"% ") or not records.any():
        return False
    x, y = records >> 32 & 0x3FFF, records >> 46 & 0x3FFF
    follows = np.diff(records & 0xFFFFFFFF, prepend=0) >= 0
    return bool(np.mean((x < sensor_size.width) & (y < sensor_size.height) & follows) > _SURE)


def open_bare_dat(path: Path, sensor_size: SensorSize, policy: str | ReadPolicy) -> Payload:
    """Return where the records of a DAT file without a header lie.

    Raises
    ------
    FormatError
        When the policy is strict: to read without a header is a repair.
    """
    return Payload(path, DAT, 0, sensor_size, policy, {}, has_header=False)


def read_dat_header(path: str | Path) -> DatHeader:
    """Return the header of a DAT file; no record is read.

    A file without a version line is read as version 2, as Prophesee's own toolbox does.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is empty, not DAT, of another version than 1 or 2, cut within the header, or holds other things than
        change events.
    """
    path = Path(path)
    head = read_head(path)
    text = parse_text_header(head)
    if not is_dat(head):
        raise FormatError(f"{path}: no DAT header at byte 0, got {head[:8]!r}", hint="check the path and the format")
    version = text.fields.get("version", "2")
    if version not in ("1", "2"):
        raise FormatError(f"{path}: DAT version must be 1 or 2, got {version!r}", hint="export it again as version 2")
    event_type = _read_event_type(path, head, text.num_bytes)
    size = _header_size(path, text.fields)
    return DatHeader(text.fields, int(version), event_type, size, min(text.num_bytes + 2, path.stat().st_size))


def read_dat(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of a DAT file, and what had to be repaired.

    Parameters
    ----------
    path : str or Path
        The file.
    sensor_size : SensorSize, optional
        Used when the header has no size.
    policy : {"repair", "strict", "trust"}
        Whether dirty input is repaired and counted, or raises.

    Returns
    -------
    events : Events
        In time order; the 32-bit stamp is carried on past its overflow.
    report : ReadReport
        Counts of what was read, dropped and clamped.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When the header is not readable, or under strict at the first record that needs a repair.
    GeometryError
        When the sensor size is neither in the header nor given.
    """
    return open_dat(Path(path), sensor_size, policy).read()


def open_dat(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the records of a DAT file lie; raises as `read_dat` does."""
    header = read_dat_header(path)
    size = resolve_sensor_size(
        str(path), header=header.sensor_size, camera=camera_size(header.fields), given=sensor_size
    )
    return Payload(path, DAT if header.version == 2 else DAT1, header.data_offset, size, policy, header.fields)


def write_dat(
    path: str | Path,
    events: Events | Iterable[Events],
    sensor_size: SensorSize,
    *,
    event_type: int = 0x00,
    date: str = "1970-01-01 00:00:00",
    synthetic: bool = False,
) -> None:
    """Write events as DAT version 2, in the outer form of the Gen1 dataset.

    Stamps of 2**32 us and more are written modulo 2**32, as the format has it; the reader carries them on, so that a
    first stamp or a silence that long cannot be written.

    Parameters
    ----------
    path : str or Path
        File to write; it appears when complete.
    events : Events or iterable of Events
        One batch or consecutive batches, in time order.
    sensor_size : SensorSize
        Size of the sensor, written to the header.
    event_type : {0x00, 0x0C}
        ``Event2D`` (Gen1) or ``CD`` (later sensors).
    date : str
        The Date line; fixed by default, so that equal events give equal files.
    synthetic : bool
        Whether to mark the events as simulated, by a line ``% Synthetic yes`` that other readers pass over.

    Raises
    ------
    OptionError
        When the events are out of order, off the sensor or too far apart, or `event_type` is unknown.
    OutputError
        When the folder is missing or cannot be written.
    """
    size = check_sensor_size(sensor_size)
    check_option("event_type", f"{event_type:#04x}", [f"{known:#04x}" for known in EVENT_NAMES])
    lines = [
        f"Data file containing {EVENT_NAMES[event_type]} events",
        "Version 2",
        f"Date {date}",
        *(["Synthetic yes"] if synthetic else []),
        f"Height {size.height}",
        f"Width {size.width}",
    ]
    with atomic_writer(Path(path)) as file:
        file.write("".join(f"% {line}\n" for line in lines).encode("ascii") + bytes((event_type, _RECORD_BYTES)))
        last = 0
        for batch in checked_batches(events, size):
            last = _check_epochs(batch.t, last)
            file.write(pack_dat(*batch).data)


def _check_epochs(t: NDArray[np.int64], last: int) -> int:
    """Return the last stamp, after checking that a reader can tell from 32 bits how often they have overflowed."""
    if t[-1] >= 1 << 32:
        hidden = (np.diff(t, prepend=last) >= 1 << 31) & (t >= 1 << 32)
        if hidden.any():
            raise OptionError(
                f"events.t must not pass {1 << 31} us at once beyond the 32 bits of DAT, got {t[hidden.argmax()]} us",
                hint="subtract the first stamp (--from-zero)",
            )
    return int(t[-1])


def _read_event_type(path: Path, head: bytes, offset: int) -> int:
    # A header with nothing after it is how some tools write a recording without events.
    if len(head) == offset:
        return 0x00
    if len(head) < offset + 2:
        if len(head) == HEAD_BYTES:
            raise FormatError(f"{path}: text header is longer than {HEAD_BYTES} bytes, at byte {offset}")
        raise FormatError(f"{path}: cut within the event type, at byte {offset}", hint="copy it again")
    event_type, record_bytes = head[offset], head[offset + 1]
    if event_type not in EVENT_NAMES:
        what = _OTHER_TYPES.get(event_type, "an unknown type")
        raise FormatError(
            f"{path}: event type must be 0x00 or 0x0c, got {event_type:#04x} ({what}), at byte {offset}",
            hint="give the file with change-detection events, often named *_td.dat",
        )
    if record_bytes != _RECORD_BYTES:
        raise FormatError(f"{path}: event size must be {_RECORD_BYTES}, got {record_bytes}, at byte {offset + 1}")
    return event_type


def _header_size(path: Path, fields: dict[str, str]) -> SensorSize | None:
    height, width = fields.get("height"), fields.get("width")
    if height is None or width is None:
        return None
    if not (height.isdecimal() and width.isdecimal()):
        raise FormatError(f"{path}: Height and Width must be numbers, got {height!r} and {width!r}")
    try:
        return check_sensor_size(SensorSize(int(height), int(width)))
    except OptionError as error:
        raise FormatError(f"{path}: {error}, in its header") from error
