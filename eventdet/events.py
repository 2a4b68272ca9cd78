"""Events: four columns of equal length, the one value that every part of eventdet passes on.

Columns, not records: kernels read one column at a time, a column of one dtype compresses and vectorises, and a
slice is four views. The structured form (`EVENT_DTYPE`) exists at the edges, for NumPy users and other libraries.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import OptionError

__all__ = ["EVENT_DTYPE", "Events"]

EVENT_DTYPE = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
"""One event as a packed 13-byte record: microseconds, column, row, polarity."""

_COLUMN_DTYPES = {name: EVENT_DTYPE[name] for name in ("t", "x", "y", "p")}


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """A batch of events in time order.

    Examples
    --------
    >>> events = Events.from_columns(t=[0, 10], x=[3, 4], y=[1, 1], p=[1, 0])
    >>> len(events), events.t[1], events[1:].x.tolist()
    (2, np.int64(10), [4])
    """

    t: NDArray[np.int64]
    """Shape (n,), microseconds on the clock of the recording, non-decreasing."""

    x: NDArray[np.uint16]
    """Shape (n,), column, 0 at the left."""

    y: NDArray[np.uint16]
    """Shape (n,), row, 0 at the top."""

    p: NDArray[np.uint8]
    """Shape (n,), polarity: 0 OFF (darker), 1 ON (brighter)."""

    def __post_init__(self) -> None:
        """Check dtypes and lengths, which every kernel relies on.

        Raises
        ------
        OptionError
            When a column has another dtype, is not one-dimensional, or the lengths differ.
        """
        for name, dtype in _COLUMN_DTYPES.items():
            column = getattr(self, name)
            if not isinstance(column, np.ndarray) or column.dtype != dtype or column.ndim != 1:
                got = f"{getattr(column, 'dtype', type(column).__name__)} {getattr(column, 'shape', '')}".strip()
                raise OptionError(f"events.{name} must be a one-dimensional {dtype} array, got {got}")
            if len(column) != len(self.t):
                raise OptionError(f"events.{name} must have {len(self.t)} entries like events.t, got {len(column)}")

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.t)

    def __getitem__(self, index: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "Events":
        """Return the chosen events; a slice gives views, a mask or an index array gives copies."""
        return Events(self.t[index], self.x[index], self.y[index], self.p[index])

    def __iter__(self) -> Iterator[NDArray[np.generic]]:
        """Yield the columns t, x, y, p, so that ``t, x, y, p = events`` works."""
        return iter((self.t, self.x, self.y, self.p))

    @classmethod
    def empty(cls, num_events: int = 0) -> "Events":
        """Return columns for `num_events` events, not initialised."""
        return cls(*(np.empty(num_events, dtype) for dtype in _COLUMN_DTYPES.values()))

    @classmethod
    def from_columns(cls, *, t: ArrayLike, x: ArrayLike, y: ArrayLike, p: ArrayLike) -> "Events":
        """Return events from any four sequences, converted to the fixed dtypes.

        Raises
        ------
        OptionError
            When a value does not fit its column (negative, too large, polarity beyond 0/1) or lengths differ.
        """
        columns = {}
        for (name, dtype), values in zip(_COLUMN_DTYPES.items(), (t, x, y, p), strict=True):
            given = np.atleast_1d(np.asarray(values))
            limit = 1 if name == "p" else np.iinfo(dtype).max
            lowest = np.iinfo(dtype).min
            if given.size and (given.min() < lowest or given.max() > limit):
                raise OptionError(f"{name} must be in [{lowest}, {limit}], got [{given.min()}, {given.max()}]")
            columns[name] = np.ascontiguousarray(given, dtype)
        return cls(**columns)

    @classmethod
    def from_structured(cls, array: NDArray[np.void]) -> "Events":
        """Return events from a structured array with the fields t, x, y, p, in any order and integer dtype.

        Raises
        ------
        OptionError
            When a field is missing or a value does not fit.
        """
        names = array.dtype.names or ()
        missing = [name for name in _COLUMN_DTYPES if name not in names]
        if missing:
            raise OptionError(f"array must have the fields t, x, y, p, got {', '.join(names) or array.dtype}")
        return cls.from_columns(t=array["t"], x=array["x"], y=array["y"], p=array["p"])

    def to_structured(self) -> NDArray[np.void]:
        """Return a new structured array of dtype `EVENT_DTYPE`, shape (n,)."""
        array = np.empty(len(self), EVENT_DTYPE)
        for name in _COLUMN_DTYPES:
            array[name] = getattr(self, name)
        return array

    @classmethod
    def concatenate(cls, batches: Iterable["Events"]) -> "Events":
        """Return one batch that holds the given ones in order; none at all gives an empty batch."""
        parts = list(batches)
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def is_sorted(self) -> bool:
        """Return whether `t` never decreases."""
        return bool(np.all(self.t[1:] >= self.t[:-1]))

    def between(self, t0_us: int, t1_us: int) -> "Events":
        """Return views of the events with ``t0_us <= t < t1_us``; the batch must be sorted."""
        start, stop = np.searchsorted(self.t, (t0_us, t1_us))
        return self[start : max(start, stop)]
