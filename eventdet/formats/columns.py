"""A recording of events that another part of the program, or of yours, holds in columns."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size
from eventdet.triggers import Triggers

from ._columns import ColumnPayload, column_encoding, pack_columns
from .policy import ReadPolicy
from .recording import Recording

__all__ = ["recording_of_batches"]


def recording_of_batches(
    path: str | Path,
    batches: Callable[[], Iterable[Events]],
    sensor_size: SensorSize,
    *,
    format: str,  # noqa: A002 - the name that a recording has for it
    policy: str | ReadPolicy = "repair",
    fields: Mapping[str, str] | None = None,
    triggers: Callable[[], Triggers] = Triggers.empty,
    batches_from: Callable[[int], Iterable[Events]] | None = None,
) -> Recording:
    """Return a recording of events that come from a function, checked and counted like those of a file.

    Parameters
    ----------
    path : str or Path
        Where they come from, for messages and pictures.
    batches : callable
        Begins to read: returns the events from the first to the last, in batches; called for every pass.
    sensor_size : SensorSize
        Events outside are dropped and counted.
    format : str
        Name of the format.
    policy : str or ReadPolicy
        As for :func:`eventdet.formats.open_recording`.
    fields : mapping, optional
        What a header would say; ``{"synthetic": "yes"}`` marks the events as simulated.
    triggers : callable, optional
        Reads the external triggers; none by default.
    batches_from : callable, optional
        Begins to read at an event, by its number from 0; without it a part of the recording is found by reading from
        the first event.

    Examples
    --------
    >>> events = Events.from_columns(t=[5, 9], x=[1, 400], y=[1, 1], p=[0, 1])
    >>> recording = recording_of_batches("memory", lambda: [events], SensorSize(240, 304), format="memory")
    >>> recording.num_events, len(recording.slice(0, 10)), recording.report.repairs
    (1, 1, {'out_of_range_dropped': 1})
    """

    def begin_at(position: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
        parts = batches() if batches_from is None else batches_from(position)
        place = 0 if batches_from is None else position
        for batch in parts:
            if len(batch) and place >= position:
                yield place, pack_columns((batch.t, batch.x, batch.y, batch.p), in_seconds=False)
            place += len(batch)

    size = check_sensor_size(sensor_size)
    return Recording(
        ColumnPayload(
            Path(path), column_encoding(format), 0, size, policy, dict(fields or {}),
            blocks=begin_at, triggers=triggers,
        )
    )  # fmt: skip
