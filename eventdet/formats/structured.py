"""Events as one structured array, in the layouts of the libraries of the field, and back.

The libraries name and order the fields in their own ways. Reading asks the names, so that any of them, in any order and
with any number dtype, is taken; writing uses the dtype that the library itself gives.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError, check_option
from eventdet.events import EVENT_DTYPE, Events
from eventdet.geometry import SensorSize, check_sensor_size

from ._columns import (
    BLOCK_EVENTS,
    ColumnPayload,
    column_encoding,
    find_fields,
    from_first_event,
    is_in_seconds,
    pack_columns,
)
from .policy import ReadPolicy
from .recording import Recording

__all__ = ["LAYOUTS", "from_structured", "recording_from_structured", "to_structured"]

LAYOUTS: Mapping[str, np.dtype[np.void]] = {
    "eventdet": EVENT_DTYPE,
    "dv": np.dtype([("timestamp", "<i8"), ("x", "<i2"), ("y", "<i2"), ("polarity", "i1")], align=True),
    "expelliarmus": np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")], align=True),
    # The third field answers to both names.
    "faery": np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), (("p", "on"), "?")]),
    # tonic has datasets with polarities of every kind. Its voxel grid writes -1 into them, which neither a bool nor an
    # unsigned integer can hold.
    "tonic": np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "i1")]),
}
"""Every layout by the library that uses it."""

_ENCODING = column_encoding("structured")
_ANY_SENSOR = SensorSize(1 << 14, 1 << 14)
"""No sensor is larger."""


def to_structured(events: Events, *, layout: str = "eventdet") -> NDArray[np.void]:
    """Return events as a new structured array in the layout of a library.

    Parameters
    ----------
    events : Events
        They are copied.
    layout : {"eventdet", "dv", "expelliarmus", "faery", "tonic"}
        One of `LAYOUTS`.

    Returns
    -------
    ndarray, shape (n,), of dtype ``LAYOUTS[layout]``
        Microseconds, column, row, and polarity 0 or 1.

    Raises
    ------
    OptionError
        When the layout is unknown, or a value does not fit its field.

    Examples
    --------
    >>> events = Events.from_columns(t=[5, 9], x=[3, 4], y=[1, 1], p=[0, 1])
    >>> to_structured(events, layout="tonic").tolist()
    [(3, 1, 5, 0), (4, 1, 9, 1)]
    """
    dtype = LAYOUTS[check_option("layout", layout, LAYOUTS)]
    fields = find_fields(dtype) or {}
    # Zeros, so that equal events give equal bytes between the fields of an aligned layout too.
    array = np.zeros(len(events), dtype)
    for name, field in fields.items():
        array[field] = _fitting(f"events.{name}", getattr(events, name), dtype[field])
    return array


def from_structured(array: NDArray[np.void]) -> Events:
    """Return the events of a structured array of any library.

    Parameters
    ----------
    array : ndarray, shape (n,), structured
        Fields for t, x, y, p under any of their usual names, in any order and number dtype, as
        :func:`eventdet.formats.open_recording` finds them in NumPy files. It is copied.

    Returns
    -------
    Events
        In the order of the array.

    Raises
    ------
    OptionError
        When the array has not one axis, or no such fields.
    FormatError
        When a stamp is negative or steps back, a coordinate is negative or beyond any sensor, or a polarity is none;
        `recording_from_structured` repairs and counts.

    Examples
    --------
    >>> array = np.array([(7, True, 1, 2)], [("timestamp", "<i8"), ("on", "?"), ("y", "<i2"), ("x", "<i2")])
    >>> from_structured(array).to_structured().tolist()
    [(7, 2, 1, 1)]
    """
    return Events.concatenate(recording_from_structured(array, _ANY_SENSOR, policy="strict").chunks())


def recording_from_structured(
    array: NDArray[np.void], sensor_size: SensorSize, *, policy: str | ReadPolicy = "repair", name: str = "array"
) -> Recording:
    """Return a recording of the events of a structured array, checked and counted like those of a file.

    Parameters
    ----------
    array : ndarray, shape (n,), structured
        As for `from_structured`. It is read when events are asked for, and never written.
    sensor_size : SensorSize
        Events outside are dropped and counted.
    policy : str or ReadPolicy
        As for :func:`eventdet.formats.open_recording`.
    name : str
        What messages call the array.

    Raises
    ------
    OptionError
        When the array has not one axis, or no such fields.

    Examples
    --------
    >>> array = np.array([(5, 1, 1, 0), (3, 1, -1, 1)], LAYOUTS["dv"])
    >>> recording = recording_from_structured(array, SensorSize(240, 304))
    >>> recording.num_events, len(recording.slice(0, 10)), recording.report.repairs
    (1, 1, {'out_of_range_dropped': 1})
    """
    fields = find_fields(array.dtype)
    if fields is None or array.ndim != 1:
        got = ", ".join(array.dtype.names or ()) or str(array.dtype)
        raise OptionError(
            f"{name}: events need one axis and number fields t, x, y, p, got {got} of shape {array.shape}"
        )
    columns = [array[field] for field in fields.values()]
    in_seconds = is_in_seconds(columns[0])

    def blocks() -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(array), BLOCK_EVENTS):
            yield pack_columns([column[start : start + BLOCK_EVENTS] for column in columns], in_seconds=in_seconds)

    size = check_sensor_size(sensor_size)
    return Recording(ColumnPayload(Path(name), _ENCODING, 0, size, policy, {}, blocks=from_first_event(blocks)))


def _fitting(name: str, column: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a column after checking that it can be written to a field of this dtype without a loss."""
    if not np.can_cast(column.dtype, dtype) and len(column):
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if column.min() < low or column.max() > high:
            raise OptionError(f"{name} must be in [{low}, {high}] for {dtype}, got [{column.min()}, {column.max()}]")
    return column
