"""Find a time in a recording without decoding what lies before it: checkpoints, taken in one pass through the file.

A decoder is its state, a few integers. Copied between two records and put back later, it goes on as if it had read all
that lies before, clamped stamps, overflows and the words that EVT3 leaves in force included. So a part that is read
from a checkpoint equals the same part of a full read by construction, whatever is wrong with the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.report import ReadReport

from ._state import CLOCK, NUM_SLOTS

if TYPE_CHECKING:
    from ._payload import Payload

__all__ = [
    "MOST_CHECKPOINTS",
    "NOTHING",
    "ROW_INTEGERS",
    "Checkpoint",
    "Extent",
    "SeekIndex",
    "build_index",
    "extent_of",
]

MOST_CHECKPOINTS = 1 << 16
"""When a file has more, every second one is forgotten: an index takes 12 MB at most."""

ROW_INTEGERS = 1 + NUM_SLOTS
"""A checkpoint as a row of integers: its position, then the state."""

_BATCH_EVENTS = 1 << 16


class Checkpoint(NamedTuple):
    """A place in a file where decoding can begin."""

    position: int
    """Where to go on: byte offset of a record, packet or line, or number of an event, as the format has it."""

    state: NDArray[np.int64]
    """Shape (NUM_SLOTS,), of the decoder that has read all that lies before; see `_state`."""


class Extent(NamedTuple):
    """Number and limits of the events of a recording; zeros without events."""

    num_events: int
    t_first_us: int
    t_last_us: int


NOTHING = Extent(0, 0, 0)


@dataclass(frozen=True, slots=True)
class SeekIndex:
    """Checkpoints of one file under one policy."""

    rows: NDArray[np.int64]
    """Shape (n, ROW_INTEGERS), in the order of the file."""

    extent: Extent
    """Of a full read."""

    def before(self, t_us: int) -> Checkpoint | None:
        """Return the last checkpoint that no event stamped `t_us` or later lies before; None is the start of the file.

        No stamp before a checkpoint is above its clock. An exact repeat has the stamp of its original, so that both
        lie behind the checkpoint and the repeat is found although the search for repeats begins there.
        """
        place = int(np.searchsorted(self.rows[:, 1 + CLOCK], t_us)) - 1
        return Checkpoint(int(self.rows[place, 0]), self.rows[place, 1:]) if place >= 0 else None


def extent_of(batches: Iterable[Events]) -> Extent:
    """Return number and limits of the events of `batches`, which are in time order and not empty."""
    num_events = t_first = t_last = 0
    for batch in batches:
        t_first = t_first if num_events else int(batch.t[0])
        t_last = int(batch.t[-1])
        num_events += len(batch)
    return Extent(num_events, t_first, t_last)


def build_index(payload: "Payload") -> SeekIndex:
    """Return the index of a file, after one pass with bounded memory that is counted in no report.

    Raises
    ------
    FormatError
        When the policy is strict and a record needs a repair.
    """
    keeper = _Keeper()
    columns = Events.empty(_BATCH_EVENTS)
    extent = extent_of(
        payload.iter_events(ReadReport(), num_events=_BATCH_EVENTS, out=columns, on_checkpoint=keeper.take)
    )
    return SeekIndex(keeper.rows(), extent)


class _Keeper:
    """Keeps every checkpoint while there are few, every second, fourth, ... of many."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._num_seen = 0
        self._stride = 1

    def take(self, checkpoint: Checkpoint) -> None:
        """Keep the next checkpoint or not."""
        if self._num_seen % self._stride == 0:
            if len(self._rows) == MOST_CHECKPOINTS:
                del self._rows[1::2]
                self._stride *= 2
            self._rows.append(checkpoint.position.to_bytes(8, "little") + checkpoint.state.astype("<i8").tobytes())
        self._num_seen += 1

    def rows(self) -> NDArray[np.int64]:
        """Return what was kept, shape (n, ROW_INTEGERS)."""
        return np.frombuffer(b"".join(self._rows), "<i8").reshape(-1, ROW_INTEGERS)
