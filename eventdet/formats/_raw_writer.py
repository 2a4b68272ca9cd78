"""Write RAW files: header, then words batch by batch."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

from ._atomic import atomic_writer
from ._batches import checked_batches
from ._raw_header import write_raw_header

__all__ = ["RawLayout", "write_raw"]

_LARGEST_GAP_US = 1 << 44
"""Half a year: EVT3 would fill a longer silence with more than 6 MB of time words."""


@dataclass(frozen=True, slots=True)
class RawLayout:
    """How one encoding is written."""

    version: str
    """Value of the ``evt`` line."""

    word_dtype: np.dtype[np.integer]
    """Unsigned little-endian word."""

    encode: Callable[..., int]
    """Kernel: columns t, x, y, p, state, words to number of words."""

    words_per_event: int
    """Words that one event takes at most."""

    filler_us: int
    """Time in microseconds that takes at most one more time word, beyond four for the whole batch."""


def write_raw(
    path: Path, events: Events | Iterable[Events], sensor_size: SensorSize, *, layout: RawLayout, **header: Any
) -> None:
    """Write events as RAW; `header` is what else `write_raw_header` takes.

    Raises
    ------
    OptionError
        When the events are out of order, off the sensor or half a year apart, or the sensor is too large.
    OutputError
        When the folder is missing or cannot be written.
    """
    lines = write_raw_header(layout.version, sensor_size, **header)
    state = np.full(2, -1, np.int64)
    last = 0
    with atomic_writer(path) as file:
        file.write(lines)
        for batch in checked_batches(events, sensor_size):
            passed = int(batch.t[-1]) - last
            if passed > _LARGEST_GAP_US:
                raise OptionError(
                    f"events.t must not pass {_LARGEST_GAP_US} us within a batch, got {passed} us",
                    hint="subtract the first stamp (--from-zero)",
                )
            words = np.empty(layout.words_per_event * len(batch) + passed // layout.filler_us + 4, layout.word_dtype)
            file.write(words[: layout.encode(*batch, state, words)].data)
            last = int(batch.t[-1])
