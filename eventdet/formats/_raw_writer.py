"""Write RAW files: header, then words batch by batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.triggers import Triggers

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

    encode_triggers: Callable[..., int]
    """Kernel: columns t, channel, value, state, words to number of words."""

    num_channels: int
    """Trigger inputs that a word can name."""

    words_per_event: int
    """Words that one event or trigger takes at most."""

    filler_us: int
    """Time in microseconds that takes at most one more time word, beyond four for the whole batch."""


def write_raw(
    path: Path,
    events: Events | Iterable[Events],
    sensor_size: SensorSize,
    *,
    layout: RawLayout,
    triggers: Sequence[Triggers] = (),
    **header: Any,
) -> None:
    """Write events and external triggers as RAW; `header` is what else `write_raw_header` takes.

    Raises
    ------
    OptionError
        When the events are out of order, off the sensor or half a year apart, a trigger is before an event that is
        written or on a channel that the format cannot name, or the sensor is too large.
    OutputError
        When the folder is missing or cannot be written.
    """
    lines = write_raw_header(layout.version, sensor_size, **header)
    state = np.full(2, -1, np.int64)
    last = 0
    with atomic_writer(path) as file:
        file.write(lines)
        for piece in _in_order(checked_batches(events, sensor_size), triggers, layout.num_channels):
            passed = int(piece.t[-1]) - last
            if passed > _LARGEST_GAP_US:
                raise OptionError(
                    f"events.t must not pass {_LARGEST_GAP_US} us within a batch, got {passed} us",
                    hint="subtract the first stamp (--from-zero)",
                )
            words = np.empty(layout.words_per_event * len(piece) + passed // layout.filler_us + 4, layout.word_dtype)
            if isinstance(piece, Events):
                num_words = layout.encode(*piece, state, words)
            else:
                num_words = layout.encode_triggers(piece.t, piece.channel, piece.value, state, words)
            file.write(words[:num_words].data)
            last = int(piece.t[-1])


def _in_order(
    batches: Iterable[Events], triggers: Sequence[Triggers], num_channels: int
) -> Iterator[Events | Triggers]:
    """Yield pieces in order of time, never empty; triggers stand before the first event with a later stamp."""
    waiting, num_taken, last = Triggers.empty(), 0, 0
    for batch in batches:
        waiting, num_taken = _with_new(waiting, triggers[num_taken:], last, num_channels), len(triggers)
        last = int(batch.t[-1])
        num_ready = int(np.searchsorted(waiting.t, last))
        places = np.searchsorted(batch.t, waiting.t[:num_ready], side="right")
        begin = 0
        for place in np.unique(places).tolist():
            if place > begin:
                yield batch[begin:place]
            yield waiting[:num_ready][places == place]
            begin = place
        yield batch[begin:]
        waiting = waiting[num_ready:]
    waiting = _with_new(waiting, triggers[num_taken:], last, num_channels)
    if len(waiting):
        yield waiting


def _with_new(waiting: Triggers, new: Sequence[Triggers], last_us: int, num_channels: int) -> Triggers:
    """Return the triggers that wait and new ones, sorted, after checking the new ones."""
    for batch in new:
        if len(batch) and (batch.t.min() < last_us or batch.channel.max() >= num_channels or batch.value.max() > 1):
            raise OptionError(
                f"triggers must be from {last_us} us on, on channels below {num_channels}, of value 0 or 1, got "
                f"t {batch.t.min()} us, channel {batch.channel.max()}, value {batch.value.max()}",
                hint="EVT 2.0 and 2.1 have 32 channels, EVT 3.0 has 16",
            )
    every = Triggers.concatenate([waiting, *new])
    return every[np.argsort(every.t, kind="stable")]
