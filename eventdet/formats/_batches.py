"""Check events on their way into a file."""

from collections.abc import Iterable, Iterator

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

__all__ = ["checked_batches"]


def checked_batches(
    events: Events | Iterable[Events], sensor_size: SensorSize, *, num_events: int = 1 << 20
) -> Iterator[Events]:
    """Yield `events` in batches of at most `num_events`, after checking that they are in order and on the sensor.

    Raises
    ------
    OptionError
        When a stamp is negative or smaller than the one before, a coordinate is outside `sensor_size`, or a polarity
        is neither 0 nor 1.
    """
    last = 0
    for given in [events] if isinstance(events, Events) else events:
        for start in range(0, len(given), num_events):
            batch = given[start : start + num_events]
            if batch.t[0] < last or not batch.is_sorted():
                raise OptionError(
                    f"events.t must be >= 0 and not decrease, broken in the batch from {batch.t[0]} us after {last} us",
                    hint="sort the events by t first",
                )
            if batch.x.max() >= sensor_size.width or batch.y.max() >= sensor_size.height:
                raise OptionError(
                    f"events must lie on the {sensor_size} sensor, got ({batch.x.max()}, {batch.y.max()})"
                )
            if batch.p.max() > 1:
                raise OptionError(f"events.p must be 0 or 1, got {batch.p.max()}")
            last = int(batch.t[-1])
            yield batch
