"""From one event file to another, whole or in part, with bounded memory."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from .recording import Recording
from .registry import FORMATS

__all__ = [
    "EventOrigin",
    "Region",
    "TranscodeSummary",
    "TriggerQueue",
    "output_format",
    "transcode",
    "write_events",
    "written_suffixes",
]

_DEFAULT_ENCODING = "evt3"
"""Of the encodings that share the name ``.raw``, the one that current cameras send."""


_LARGEST_SIDE = 1 << 14
"""Of any sensor."""


class Region(NamedTuple):
    """A rectangle of pixels, in sensor coordinates."""

    x: int
    """First column."""

    y: int
    """First row."""

    width: int
    """Columns."""

    height: int
    """Rows."""

    @classmethod
    def parse(cls, text: str) -> "Region":
        """Return the region written as ``x,y,width,height``.

        Raises
        ------
        OptionError
            When the text is not four whole numbers, or the region is empty.

        Examples
        --------
        >>> Region.parse("0,10,304,100")
        Region(x=0, y=10, width=304, height=100)
        """
        numbers = [part.strip() for part in text.split(",")]
        if len(numbers) != 4 or not all(number.isdecimal() for number in numbers):
            raise OptionError(f"region must be x,y,width,height, got {text!r}", hint="write it like 0,10,304,100")
        region = cls(*map(int, numbers))
        if not (region.width and region.height) or max(region) > _LARGEST_SIDE:
            raise OptionError(f"region must not be empty, and no number above {_LARGEST_SIDE}, got {text!r}")
        return region

    def of(self, events: Events) -> Events:
        """Return the events inside, with the coordinates they have."""
        # Unsigned columns: what lies left of or above the region becomes large and falls out too.
        x, y = events.x.astype("u4") - self.x, events.y.astype("u4") - self.y
        return events[(x < self.width) & (y < self.height)]


class TriggerQueue:
    """External triggers on their way from a reader to a writer, while the events of a span go the same way.

    Parameters
    ----------
    start_us, stop_us : int, optional
        The span; triggers outside of it do not belong to it.
    """

    def __init__(self, start_us: int | None = None, stop_us: int | None = None) -> None:
        self._limits = (-math.inf if start_us is None else start_us, math.inf if stop_us is None else stop_us)
        self._waiting: list[Triggers] = []
        self.passed: list[Triggers] = []
        """For the writer, on its clock."""
        self.num_put = 0
        """Those of the span."""
        self.repairs: dict[str, int] = {}
        """How many were stamped before events that had been written, and raised to the last of these."""

    def put(self, triggers: Triggers) -> None:
        """Take what a reader has found."""
        start_us, stop_us = self._limits
        self._waiting.append(triggers[(triggers.t >= start_us) & (triggers.t < stop_us)])
        self.num_put += len(self._waiting[-1])

    def pass_on(self, offset_us: int, *, last_us: int) -> None:
        """Hand what waits to the writer, `offset_us` earlier; events up to `last_us` have been written."""
        found = Triggers.concatenate(self._waiting)
        self._waiting.clear()
        found = found[found.t >= offset_us]
        num_late = int(np.count_nonzero(found.t < last_us))
        if num_late:
            self.repairs["triggers_clamped"] = self.repairs.get("triggers_clamped", 0) + num_late
        if len(found):
            self.passed.append(Triggers(np.maximum(found.t, last_us) - offset_us, found.channel, found.value))


class EventOrigin(Protocol):
    """Where events come from, as far as a file says it of them: a recording, or a live source."""

    @property
    def sensor_size(self) -> SensorSize:
        """Rows and columns of the camera."""

    @property
    def synthetic(self) -> bool:
        """Whether the events are simulated; asked once the size is known."""

    @property
    def report(self) -> ReadReport:
        """Counts of what was read and repaired so far."""


@dataclass(frozen=True, slots=True)
class TranscodeSummary:
    """What was written."""

    output: str
    """The file."""

    format: str
    """Its format."""

    sensor_size: SensorSize
    """Rows and columns of the sensor."""

    num_events: int
    """Events written."""

    num_bytes: int
    """Size of the file."""

    repairs: dict[str, int]
    """What was changed or dropped on reading, by name."""

    num_triggers_left_out: int
    """External triggers of the part that were not written, since the format has none or they would lie before zero."""

    keeps_synthetic_mark: bool
    """False when the recording is marked as synthetic and the new format has no place for the mark."""

    def to_dict(self) -> dict[str, object]:
        """Return the summary as values that JSON can hold."""
        return asdict(self) | {"sensor_size": str(self.sensor_size)}


def written_suffixes() -> list[str]:
    """Return the file name endings that `transcode` writes."""
    return sorted({FORMATS[name].suffix for name in _writers()})


def output_format(output: str | Path, *, encoding: str | None = None) -> str:
    """Return the name of the format that a file is written in, told by its ending.

    Parameters
    ----------
    output : str or Path
        The file.
    encoding : str, optional
        One of the formats that share the ending; for ``.raw`` evt3 by default.

    Raises
    ------
    OptionError
        When no format of this ending is written, or `encoding` is none of them.

    Examples
    --------
    >>> output_format("drive.raw"), output_format("drive.raw", encoding="evt2")
    ('evt3', 'evt2')
    """
    suffix = Path(output).suffix.lower()
    names = [name for name in _writers() if FORMATS[name].suffix == suffix]
    if not names:
        raise OptionError(
            f"{output}: no format is written with the ending {suffix!r}",
            hint=f"endings: {', '.join(written_suffixes())}",
        )
    default = _DEFAULT_ENCODING if _DEFAULT_ENCODING in names else names[0]
    return check_option("encoding", default if encoding is None else encoding, names)


def transcode(
    recording: Recording,
    output: str | Path,
    *,
    encoding: str | None = None,
    start_us: int | None = None,
    stop_us: int | None = None,
    region: Region | None = None,
    from_zero: bool = False,
    on_progress: Callable[[int], None] = lambda _num_events: None,
) -> TranscodeSummary:
    """Write a recording, or a part of it, as another event file; one batch is in memory at a time.

    Parameters
    ----------
    recording : Recording
        What to write.
    output : str or Path
        File to write; it appears when complete. Its ending names the format.
    encoding : str, optional
        Which of the formats with this ending, see `output_format`.
    start_us, stop_us : int, optional
        Part ``[start_us, stop_us)`` on the clock of the recording; all of it by default.
    region : Region, optional
        Keep the events inside alone. Coordinates and sensor size stay, so that labels keep fitting.
    from_zero : bool
        Subtract the stamp of the first event written; the clock of the recording is kept otherwise.
    on_progress : callable, optional
        Called with the number of events written so far.

    Returns
    -------
    TranscodeSummary
        What was written, and what was repaired on reading.

    Raises
    ------
    OptionError
        When the ending or encoding is unknown, the output is the input, or the format cannot hold the events (too
        large a sensor, too long a silence).
    InputError
        When a file cannot be read or written.
    """
    output_format(output, encoding=encoding)
    output = Path(output)
    # Events of a topic in a bag, or from memory, have no file of their own.
    if output.exists() and recording.path.exists() and output.samefile(recording.path):
        raise OptionError(f"{output}: is the recording itself", hint="give another name")
    triggers = TriggerQueue(start_us, stop_us)
    return write_events(
        recording,
        recording.span(start_us, stop_us, on_triggers=triggers.put),
        output,
        encoding=encoding,
        region=region,
        from_zero=from_zero,
        on_progress=on_progress,
        triggers=triggers,
    )


def write_events(
    origin: EventOrigin,
    batches: Iterator[Events],
    output: str | Path,
    *,
    encoding: str | None = None,
    region: Region | None = None,
    from_zero: bool = False,
    on_progress: Callable[[int], None] = lambda _num_events: None,
    triggers: TriggerQueue | None = None,
) -> TranscodeSummary:
    """Write events as they come as an event file; parameters and errors as `transcode`.

    Parameters
    ----------
    origin : EventOrigin
        Tells what a file says besides the events.
    batches : iterator of Events
        Its events in time order; they are taken once the output is known to be written.
    output : str or Path
        File to write; it appears when the batches have ended.
    triggers : TriggerQueue, optional
        Where the external triggers of the batches arrive; without it they are left out, as `origin` counts them.
    """
    output = Path(output)
    name = output_format(output, encoding=encoding)
    size = origin.sensor_size
    marks = {"synthetic": True} if origin.synthetic and FORMATS[name].marks_synthetic else {}
    tally = _Tally(region, from_zero, on_progress, triggers or TriggerQueue())
    kept = {"triggers": tally.triggers.passed} if FORMATS[name].keeps_triggers else {}
    triggers_before = origin.report.trigger_words
    _writers()[name](output, tally.of(batches), size, **marks, **kept)
    num_triggers = tally.triggers.num_put if triggers else origin.report.trigger_words - triggers_before
    return TranscodeSummary(
        output=str(output),
        format=name,
        sensor_size=size,
        num_events=tally.num_events,
        num_bytes=output.stat().st_size,
        repairs=origin.report.repairs | tally.triggers.repairs,
        num_triggers_left_out=num_triggers - (sum(map(len, tally.triggers.passed)) if kept else 0),
        keeps_synthetic_mark=origin.synthetic == bool(marks),
    )


def _writers() -> dict[str, Callable[..., None]]:
    return {name: known.write for name, known in FORMATS.items() if known.write is not None}


@dataclass(slots=True)
class _Tally:
    """Passes batches on as they are to be written, and counts them."""

    region: Region | None
    from_zero: bool
    on_progress: Callable[[int], None]
    triggers: TriggerQueue
    num_events: int = 0
    offset_us: int | None = None

    def of(self, batches: Iterator[Events]) -> Iterator[Events]:
        """Yield what is left of each batch."""
        last_us = 0
        for given in batches:
            batch = given if self.region is None else self.region.of(given)
            if not len(batch):
                continue
            if self.offset_us is None:
                self.offset_us = int(batch.t[0]) if self.from_zero else 0
            self.num_events += len(batch)
            self.triggers.pass_on(self.offset_us, last_us=last_us)
            last_us = int(batch.t[-1])
            yield Events(batch.t - self.offset_us, batch.x, batch.y, batch.p) if self.offset_us else batch
            self.on_progress(self.num_events)
        self.triggers.pass_on(self.offset_us or 0, last_us=last_us)
