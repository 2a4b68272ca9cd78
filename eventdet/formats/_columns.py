"""Events that lie in columns of numbers: what the readers of NumPy, text and HDF5 files share.

Such files follow no standard. Columns are found by their names; integers are microseconds, and a time with a fraction
is in seconds; a polarity is on when it is positive, so that 0/1, -1/+1 and False/True all read. The numbers then go
through the same decoder as the records of a camera: repaired and counted, or refused.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._payload import Payload
from .decoder import Decoder, Encoding, Kernel

__all__ = [
    "ColumnPayload",
    "Columns",
    "column_encoding",
    "find_columns",
    "find_fields",
    "from_first_event",
    "is_in_seconds",
    "pack_columns",
]

Columns: TypeAlias = Sequence[NDArray[Any]]
"""Columns t, x, y, p of equal length and of any number dtype."""

Blocks: TypeAlias = Callable[[int], Iterator[tuple[int, NDArray[np.int64]]]]
"""Begin to read columns at a position; see `ColumnPayload.blocks`."""

BLOCK_EVENTS = 1 << 18
"""Events read at once: 32 bytes each on the way to the decoder, 8 MB."""

_NAMES = {
    "t": ("t", "ts", "timestamp", "timestamps", "time"),
    "x": ("x", "xs"),
    "y": ("y", "ys"),
    "p": ("p", "ps", "pol", "polarity", "polarities", "on"),
}

_LARGEST = float(1 << 62)

_DAMAGED = 0.01
"""Share of stamps with a fraction up to which they are damage and not seconds, of which nearly all have one."""


def _load_kernel() -> Kernel:
    from ._column_kernels import decode_columns

    return decode_columns


def column_encoding(name: str, *, unit: str = "event") -> Encoding:
    """Return the encoding of a format whose events are columns; `unit` is what a fault is located by."""
    return Encoding(
        name, np.dtype("<i8"), events_per_record=1, load_kernel=_load_kernel, unit=unit, unit_bytes=32,
        unknown_fault="not four finite numbers",
    )  # fmt: skip


def find_columns(names: Iterable[str]) -> dict[str, str] | None:
    """Return the name of each of t, x, y, p among `names`, None when one is missing.

    Examples
    --------
    >>> find_columns(["X", "y", "polarity", "timestamp", "extra"])
    {'t': 'timestamp', 'x': 'X', 'y': 'y', 'p': 'polarity'}
    """
    by_lower = {name.strip().lower(): name for name in names}
    found = {key: next((by_lower[name] for name in known if name in by_lower), "") for key, known in _NAMES.items()}
    return found if all(found.values()) else None


def find_fields(dtype: np.dtype[Any]) -> dict[str, str] | None:
    """Return the name of each of the fields t, x, y, p, None when one is missing or holds something else than a number.

    Examples
    --------
    >>> find_fields(np.dtype([("on", "?"), ("timestamp", "<i8"), ("y", "<i2"), ("x", "<i2")]))
    {'t': 'timestamp', 'x': 'x', 'y': 'y', 'p': 'on'}
    """
    found = find_columns(dtype.names or ())
    if found is None or any(dtype[name].kind not in "iufb" or dtype[name].shape for name in found.values()):
        return None
    return found


def is_in_seconds(t: NDArray[Any]) -> bool:
    """Return whether stamps are seconds: they have fractions, which microseconds have not, save for a damaged one."""
    if t.dtype.kind != "f":
        return False
    finite = t[np.isfinite(t)]
    return bool(np.count_nonzero(finite != np.rint(finite)) > _DAMAGED * len(finite))


def pack_columns(columns: Columns, *, in_seconds: bool, offset_us: int = 0) -> NDArray[np.int64]:
    """Return the numbers of events one event after the other, shape (4 n,), for the decoder.

    An event with a number that is not finite gets the mark of a broken one.
    """
    from ._column_kernels import BROKEN

    numbers = np.empty((len(columns[0]), 4), np.int64)
    broken = np.zeros(len(numbers), np.bool_)
    for place, column in enumerate(columns):
        if column.dtype.kind == "f":
            scale = 1e6 if place == 0 and in_seconds else 1.0
            values = np.rint(column.astype(np.float64) * scale)
            # Not "larger than": NaN is neither.
            beyond = ~(np.abs(values) < _LARGEST)
            broken |= beyond
            numbers[:, place] = np.where(beyond, 0.0, values)
        else:
            numbers[:, place] = column.astype(np.int64)
    numbers[:, 0] += offset_us
    numbers[broken, 0] = BROKEN
    return numbers.reshape(-1)


def from_first_event(blocks: Callable[[], Iterable[NDArray[np.int64]]]) -> Blocks:
    """Return how to begin anywhere in what can be read from its first event alone: the blocks before are dropped."""

    def begin_at(position: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        place = 0
        for numbers in blocks():
            if place >= position:
                yield place, numbers
            place += len(numbers)

    return begin_at


@dataclass(frozen=True, kw_only=True)
class ColumnPayload(Payload):
    """Events of a container, read block by block."""

    blocks: Blocks
    """Begin to read at a position that it gave before, at 0 for the first event: yields positions, and there numbers as
    `pack_columns` gives them, of some `BLOCK_EVENTS` events each."""

    triggers: Callable[[], Triggers] = Triggers.empty
    """Read the external triggers, which lie apart from the events."""

    is_file: bool = False
    """Whether the events are those of the file, and not of what a caller has in memory."""

    @property
    def trailing_bytes(self) -> int:
        """None: a container says how much it holds."""
        return 0

    @property
    def is_indexable(self) -> bool:
        """Whether the file alone decides on the events, so that where they lie may be remembered from run to run."""
        return self.is_file

    def pieces(self, position: int, report: ReadReport, *, num_bytes: int) -> Iterator[tuple[int, NDArray[np.integer]]]:
        """Yield the blocks from `position` on, whatever `num_bytes` says."""
        for place, numbers in self.blocks(position - self.data_offset):
            yield self.data_offset + place, numbers

    def read_into(self, report: ReadReport) -> Events:
        """Return all events; counts are added to `report`."""
        return Events.concatenate(self.iter_events(report, num_events=BLOCK_EVENTS))

    def read_triggers(self) -> Triggers:
        """Return all external triggers."""
        return self.triggers()

    def _decoder(
        self, report: ReadReport, *, offset: int, on_triggers: Callable[[Triggers], None] | None = None
    ) -> Decoder:
        if on_triggers is not None:
            # They lie apart from the events: all of them come first.
            on_triggers(self.read_triggers())
        # Faults are located by the number of the event, not by a byte.
        return Decoder(self.encoding, self.sensor_size, policy=self.policy, where=str(self.path), report=report)
