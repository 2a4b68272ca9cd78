"""Make a clean DAT file dirty in known ways, so that a reader's repairs can be counted against what was done."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError, check_option
from eventdet.geometry import SensorSize

from ._atomic import atomic_writer
from .dat import read_dat_header

__all__ = ["FAULTS", "TRUNCATE", "add_dat_faults"]

TRUNCATE = "truncate"
"""The fault of a file that was cut within its last record."""

_PLACES = 10
_APART = 4
_RECORD_BYTES = 8
_CUT_BYTES = 3
_BLOCK_BYTES = 1 << 20
_STEP_BACK_US = 1_000
_LEAP_US = 1_800_000_000
_STAMP = np.uint64(0xFFFFFFFF)
_POLARITY = np.uint64(1 << 60)
_SECOND_POLARITY_BIT = np.uint64(1 << 61)
_X = np.uint64(0x3FFF << 32)

_Records = NDArray[np.uint64]
_Fault = Callable[[_Records, SensorSize], _Records]


def _backward(record: _Records, size: SensorSize) -> _Records:
    # Of the other polarity: raised to the stamp of the event before, it would otherwise be its repeat.
    earlier = record - np.minimum(record & _STAMP, np.uint64(_STEP_BACK_US))
    return np.concatenate([record, earlier ^ _POLARITY])


def _duplicate(record: _Records, size: SensorSize) -> _Records:
    return np.concatenate([record, record])


def _jump(record: _Records, size: SensorSize) -> _Records:
    leapt = ((record & _STAMP) + np.uint64(_LEAP_US)) & _STAMP
    return np.concatenate([record, record & ~_STAMP | leapt])


def _off_sensor(record: _Records, size: SensorSize) -> _Records:
    return np.concatenate([record, record & ~_X | np.uint64(size.width << 32)])


def _polarity(record: _Records, size: SensorSize) -> _Records:
    return record | _SECOND_POLARITY_BIT


_INSERTED: Mapping[str, tuple[str, _Fault]] = MappingProxyType(
    {
        "backward": ("backward_clamped", _backward),
        "duplicate": ("duplicates_kept", _duplicate),
        "jump": ("time_jump_dropped", _jump),
        "off-sensor": ("out_of_range_dropped", _off_sensor),
        "polarity": ("polarity_repaired", _polarity),
    }
)

FAULTS = (*_INSERTED, TRUNCATE)
"""What can be done to a file: ten times each, but for the cut."""


def add_dat_faults(path: str | Path, faults: Sequence[str]) -> dict[str, int]:
    """Make a DAT file dirty, and return what a reader will count beyond what it counted before.

    Parameters
    ----------
    path : str or Path
        A clean DAT 2 file, whose header has the size of the sensor; it is replaced when complete.
    faults : sequence of str
        Names of `FAULTS`; each but the cut is done at ten places that lie far apart.

    Returns
    -------
    dict of str to int
        Counts by the names of :class:`eventdet.report.ReadReport`; repeats are counted by a reader that is asked to.

    Raises
    ------
    OptionError
        When a fault is unknown or the file has too few events.
    InputError
        When the file cannot be read.
    OutputError
        When it cannot be written.
    """
    path = Path(path)
    chosen = [_INSERTED[fault] for fault in FAULTS if fault in _checked(faults) and fault != TRUNCATE]
    header = read_dat_header(path)
    num_records = (path.stat().st_size - header.data_offset) // _RECORD_BYTES
    count = len(chosen) * _PLACES
    if header.sensor_size is None or num_records < _APART * (count + 1):
        raise OptionError(f"{path}: faults need a size and {_APART * (count + 1)} events, got {num_records}")
    cut = TRUNCATE in faults
    with path.open("rb") as source, atomic_writer(path) as file:
        file.write(source.read(header.data_offset))
        done = 0
        for k in range(count):
            place = num_records * (k + 1) // (count + 1)
            _copy(source, file, (place - done) * _RECORD_BYTES)
            record = np.frombuffer(source.read(_RECORD_BYTES), "<u8").astype(np.uint64)
            file.write(chosen[k % len(chosen)][1](record, header.sensor_size).astype("<u8").tobytes())
            done = place + 1
        _copy(source, file, (num_records - done) * _RECORD_BYTES - (_CUT_BYTES if cut else 0))
    return {name: _PLACES for name, _ in chosen} | ({"trailing_bytes": _RECORD_BYTES - _CUT_BYTES} if cut else {})


def _checked(faults: Sequence[str]) -> set[str]:
    return {check_option("fault", fault, FAULTS) for fault in faults}


def _copy(source: BinaryIO, file: BinaryIO, num_bytes: int) -> None:
    while num_bytes > 0:
        block = source.read(min(num_bytes, _BLOCK_BYTES))
        if not block:
            break
        file.write(block)
        num_bytes -= len(block)
