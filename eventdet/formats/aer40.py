"""40-bit AER, the form of N-MNIST and N-Caltech101 (``.bin``): five bytes an event and no header at all.

Nothing in a file names the format or the sensor: the format is recognised by stamps that grow, and the sensor size has
to be given (34x34 for N-MNIST).
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size, resolve_sensor_size
from eventdet.report import ReadReport

from ._atomic import atomic_writer
from ._batches import checked_batches
from ._payload import Payload
from ._text_header import read_head
from .decoder import Encoding, Kernel

__all__ = ["AER40", "is_aer40", "open_aer40", "read_aer40", "write_aer40"]

_EVENT_BYTES = 5
_MARK_ROW = 240
_MARK_US = 1 << 13
_LARGEST = SensorSize(240, 256)
"""Eight bits a coordinate, and row 240 marks time."""

_LARGEST_GAP_US = 1 << 32
_PROBE_EVENTS = 32
"""Fewer than this are no evidence; the smallest file of N-MNIST holds a thousand."""

_SURE = 0.9
"""Share of the first stamps that must not step back; half of random ones would."""


def _load_kernel() -> Kernel:
    from ._aer40_kernels import decode_aer40

    return decode_aer40


# An integer of five bytes does not exist: the record is the byte.
AER40 = Encoding("aer40", np.dtype("u1"), events_per_record=1, load_kernel=_load_kernel)


def is_aer40(head: bytes) -> bool:
    r"""Return whether the first bytes of a file read as events whose stamps grow.

    Examples
    --------
    >>> is_aer40(b"".join(bytes([5, 7, 0, 0, step]) for step in range(40)))
    True
    >>> is_aer40(b"\x00" * 200)
    False
    """
    count = len(head) // _EVENT_BYTES
    if count < _PROBE_EVENTS:
        return False
    data = np.frombuffer(head, np.uint8, count * _EVENT_BYTES).reshape(-1, _EVENT_BYTES).astype(np.int64)
    is_mark = data[:, 1] == _MARK_ROW
    stamps = ((data[:, 2] & 0x7F) << 16 | data[:, 3] << 8 | data[:, 4]) + np.cumsum(is_mark) * _MARK_US
    stamps = stamps[~is_mark]
    if len(stamps) < _PROBE_EVENTS or data[:, 1].max() > _MARK_ROW:
        return False
    return bool(stamps[-1] > stamps[0] and np.mean(np.diff(stamps) >= 0) > _SURE)


def read_aer40(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of a file of 40-bit AER, and what had to be repaired; parameters and errors as `read_dat`."""
    return open_aer40(Path(path), sensor_size, policy).read()


def open_aer40(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the events of a file of 40-bit AER lie.

    Raises
    ------
    InputError
        When the file cannot be opened.
    GeometryError
        When `sensor_size` is None.
    """
    read_head(path)
    return Payload(path, AER40, 0, resolve_sensor_size(str(path), given=sensor_size), policy, {})


def write_aer40(path: str | Path, events: Events | Iterable[Events], sensor_size: SensorSize) -> None:
    """Write events as 40-bit AER.

    Stamps of 8.4 s and more are written behind marks in row 240, each of which adds 8192 us.

    Parameters
    ----------
    path : str or Path
        File to write; it appears when complete.
    events : Events or iterable of Events
        One batch or consecutive batches, in time order; the stamps count from zero.
    sensor_size : SensorSize
        At most 240 rows and 256 columns; it is not written.

    Raises
    ------
    OptionError
        When the events are out of order, off the sensor or more than 71 minutes apart, or the sensor is too large.
    OutputError
        When the folder is missing or cannot be written.
    """
    from ._aer40_kernels import encode_aer40

    size = check_sensor_size(sensor_size)
    if size.height > _LARGEST.height or size.width > _LARGEST.width:
        raise OptionError(f"sensor_size must be at most {_LARGEST}, got {size}", hint="write DAT")
    state = np.zeros(1, np.int64)
    with atomic_writer(Path(path)) as file:
        for batch in checked_batches(events, size):
            passed = int(batch.t[-1] - state[0])
            if passed > _LARGEST_GAP_US:
                raise OptionError(
                    f"events.t must not pass {_LARGEST_GAP_US} us within a batch, got {passed} us",
                    hint="subtract the first stamp (--from-zero)",
                )
            data = np.empty(_EVENT_BYTES * (len(batch) + passed // _MARK_US + 1), np.uint8)
            file.write(data[: encode_aer40(batch.t, batch.x, batch.y, batch.p, state, data)].data)
