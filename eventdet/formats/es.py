"""Event Stream 2 (``.es``) with DVS events; the other types of the format hold something else and are refused."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size
from eventdet.report import ReadReport

from ._atomic import atomic_writer
from ._batches import checked_batches
from ._payload import Payload
from ._text_header import read_head
from .decoder import Encoding, Kernel

__all__ = ["ES", "EsHeader", "is_es", "open_es", "read_es", "read_es_header", "write_es"]

_MAGIC = b"Event Stream"
_PREFIX = struct.Struct("<12s3BB")
_SIZE = struct.Struct("<HH")
_MAJOR = 2
_DVS = 1
_OTHER_TYPES = {0: "generic", 2: "ATIS", 4: "colour"}
_LARGEST_GAP_US = 1 << 32
"""A silence of 71 minutes takes 34 MB of overflow bytes; anything longer is a stamp that does not count from zero."""


def _load_kernel() -> Kernel:
    from ._es_kernels import decode_es

    return decode_es


# Time words are as long as they need to be: the record is the byte.
ES = Encoding("es", np.dtype("u1"), events_per_record=1, load_kernel=_load_kernel)


@dataclass(frozen=True, slots=True)
class EsHeader:
    """What stands before the events."""

    version: tuple[int, int, int]
    """Of the format; the first number is 2."""

    sensor_size: SensorSize
    """Rows and columns."""

    data_offset: int
    """Byte offset of the first event."""


def is_es(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are an Event Stream header.

    Examples
    --------
    >>> is_es(b"Event Stream\x02\x00\x00\x01")
    True
    """
    return head.startswith(_MAGIC)


def read_es_header(path: str | Path) -> EsHeader:
    """Return the header of an Event Stream file; no event is read.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is cut, no Event Stream of version 2, or holds other events than those of a DVS.
    """
    path = Path(path)
    head = read_head(path)
    if not is_es(head):
        raise FormatError(f"{path}: no Event Stream header at byte 0, got {head[:8]!r}", hint="check the path")
    if len(head) < _PREFIX.size:
        raise FormatError(f"{path}: header is cut, at byte {len(head)}", hint="copy it again")
    _, *version, kind = _PREFIX.unpack_from(head)
    if version[0] != _MAJOR:
        raise FormatError(f"{path}: Event Stream version must be {_MAJOR}, got {version[0]}, at byte 12")
    if kind != _DVS:
        what = _OTHER_TYPES.get(kind, "an unknown type")
        raise FormatError(f"{path}: event type must be {_DVS} (DVS), got {kind} ({what}), at byte 15")
    if len(head) < _PREFIX.size + _SIZE.size:
        raise FormatError(f"{path}: header is cut, at byte {len(head)}", hint="copy it again")
    width, height = _SIZE.unpack_from(head, _PREFIX.size)
    try:
        size = check_sensor_size(SensorSize(height, width))
    except OptionError as error:
        raise FormatError(f"{path}: {error}, at byte {_PREFIX.size}") from error
    return EsHeader((version[0], version[1], version[2]), size, _PREFIX.size + _SIZE.size)


def read_es(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of an Event Stream file, and what had to be repaired; parameters and errors as `read_dat`."""
    return open_es(Path(path), sensor_size, policy).read()


def open_es(path: Path, _sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the events of an Event Stream file lie; raises as `read_es` does."""
    header = read_es_header(path)
    fields = {"version": ".".join(map(str, header.version))}
    return Payload(path, ES, header.data_offset, header.sensor_size, policy, fields)


def write_es(path: str | Path, events: Events | Iterable[Events], sensor_size: SensorSize) -> None:
    """Write events as Event Stream 2.

    Parameters
    ----------
    path : str or Path
        File to write; it appears when complete.
    events : Events or iterable of Events
        One batch or consecutive batches, in time order. The stamps count from zero: each 127 us of silence, before
        the first event too, takes a byte.
    sensor_size : SensorSize
        Size of the sensor, written to the header.

    Raises
    ------
    OptionError
        When the events are out of order, off the sensor or more than 71 minutes apart.
    OutputError
        When the folder is missing or cannot be written.
    """
    from ._es_kernels import encode_es

    size = check_sensor_size(sensor_size)
    state = np.array([0, size.height], np.int64)
    with atomic_writer(Path(path)) as file:
        file.write(_PREFIX.pack(_MAGIC, _MAJOR, 0, 0, _DVS) + _SIZE.pack(size.width, size.height))
        for batch in checked_batches(events, size):
            passed = int(batch.t[-1] - state[0])
            if passed > _LARGEST_GAP_US:
                raise OptionError(
                    f"events.t must not pass {_LARGEST_GAP_US} us within a batch, got {passed} us",
                    hint="subtract the first stamp (--from-zero)",
                )
            data = np.empty(5 * len(batch) + passed // 127 + 1, np.uint8)
            file.write(data[: encode_es(batch.t, batch.x, batch.y, batch.p, state, data)].data)
