"""One recording, whatever its format: size, extent, slices, chunks, windows."""

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._payload import Payload
from ._seek import Extent, SeekIndex, build_index, extent_of
from ._seek_cache import cached_index
from ._windows import OnRead, Window, WindowGrid, check_grid, cut_windows, timed

__all__ = ["BATCH_EVENTS", "Recording"]

BATCH_EVENTS = 1 << 20
"""Events in a batch, unless another number is asked for."""

_SOUGHT_EVENTS = 1 << 14
"""Events decoded at once from a checkpoint on: about as many as lie between two of them."""


class Recording:
    """An event file, opened by :func:`open_recording`.

    Opening reads the header alone. Memory is bounded whatever the size of the file: 32 MB of it, one batch, and 12 MB
    of index. What asks for a time (`slice`, `span` and `windows` with a start) or for the extent goes once through the
    file to index it; a cache folder keeps the index for the next run.
    """

    _is_plain = True
    """Whether events go out as they are decoded: a pass may begin anywhere, and what it cuts off does not count."""

    def __init__(self, payload: Payload) -> None:
        self._payload = payload
        self.report = payload.new_report()
        """Counts of everything read so far; what is read twice counts twice.

        `num_events` counts events delivered. The repairs are those of all records decoded for them, which for a part
        of the file begin at the checkpoint before it, up to 128 kB ahead, and end with the batch that goes beyond it.
        They are the same whether an index was in the cache or not: building one counts nothing.
        """

    @property
    def path(self) -> Path:
        """The file."""
        return self._payload.path

    @property
    def name(self) -> str:
        """Name of the file without its folder."""
        return self.path.name

    @property
    def synthetic(self) -> bool:
        """Whether the header marks the events as simulated."""
        return self._payload.fields.get("synthetic") == "yes"

    @property
    def format(self) -> str:
        """Name of the format, one of `eventdet.formats.FORMATS`."""
        return self._payload.encoding.name

    @property
    def reader(self) -> str:
        """Who decodes the events, one of `eventdet.formats.READERS`."""
        return self._payload.reader

    @property
    def sensor_size(self) -> SensorSize:
        """Rows and columns of the sensor."""
        return self._payload.sensor_size

    @property
    def num_events(self) -> int:
        """Events that a full read delivers."""
        return self._extent.num_events

    @property
    def t_first_us(self) -> int:
        """Stamp of the first event, 0 without events."""
        return self._extent.t_first_us

    @property
    def t_last_us(self) -> int:
        """Stamp of the last event, 0 without events."""
        return self._extent.t_last_us

    @property
    def duration_us(self) -> int:
        """Microseconds from the first to the last event."""
        return self.t_last_us - self.t_first_us

    def slice(self, t0_us: int, t1_us: int) -> Events:
        """Return the events with ``t0_us <= t < t1_us``, exactly as a full read delivers them.

        Raises
        ------
        FormatError
            When the policy is strict and the file needs a repair.
        """
        return Events.concatenate(self.span(t0_us, t1_us))

    def chunks(
        self,
        num_events: int = BATCH_EVENTS,
        *,
        out: Events | None = None,
        on_triggers: Callable[[Triggers], None] | None = None,
    ) -> Iterator[Events]:
        """Yield all events in order, in batches that are never empty.

        Parameters
        ----------
        num_events : int
            Events in a batch; formats with vectors (EVT2.1, EVT3, EVT4) do not cut one and may exceed it by up to 31.
        out : Events, optional
            Columns of 32 events or more to decode into, which saves the time that new memory takes: every batch is
            then a view of them, valid until the next, and `num_events` is not used.
        on_triggers : callable, optional
            Takes the external triggers, in the order of the file, as the same pass comes by them.

        Yields
        ------
        Events
            Consecutive batches, in columns of their own without `out`.

        Raises
        ------
        OptionError
            When `num_events` is not positive, or, at the first batch, `out` is too short.
        FormatError
            When the policy is strict and a record needs a repair.
        """
        if num_events <= 0:
            raise OptionError(f"num_events must be > 0, got {num_events}")
        return self._batches(self.report, num_events=num_events, out=out, on_triggers=on_triggers)

    def span(
        self,
        start_us: int | None = None,
        stop_us: int | None = None,
        *,
        on_triggers: Callable[[Triggers], None] | None = None,
    ) -> Iterator[Events]:
        """Yield the events with ``start_us <= t < stop_us`` in order, in batches that are never empty.

        Unlike `slice` it holds one batch at a time, so that a part of any length stays within bounded memory.

        Parameters
        ----------
        start_us, stop_us : int, optional
            On the clock of the recording; without them the first or last event is the limit.
        on_triggers : callable, optional
            Takes the external triggers that the pass comes by, also some outside of the span.

        Yields
        ------
        Events
            Consecutive batches.

        Raises
        ------
        FormatError
            When the policy is strict and a record needs a repair.
        """
        for batch in self._events_from(start_us, on_triggers):
            first = int(batch.t[0]) if start_us is None else start_us
            part = batch.between(first, int(batch.t[-1]) + 1 if stop_us is None else stop_us)
            if self._is_plain:
                self.report.num_events -= len(batch) - len(part)
            if len(part):
                yield part
            if stop_us is not None and batch.t[-1] >= stop_us:
                return

    def windows(
        self,
        length_us: int,
        stride_us: int | None = None,
        start_us: int | None = None,
        stop_us: int | None = None,
    ) -> Iterator[Window]:
        """Yield consecutive windows; number k spans ``[start + k * stride, start + k * stride + length)``.

        Parameters
        ----------
        length_us : int
            Length of a window.
        stride_us : int, optional
            From one start to the next; the length by default.
        start_us : int, optional
            Start of the first window; by default the largest multiple of the stride up to the first event, so that
            windows of the same stride lie on the same grid in every recording.
        stop_us : int, optional
            The windows cover all time before it; by default the last one is the one that holds the last event.

        Yields
        ------
        Window
            Empty windows too.

        Raises
        ------
        OptionError
            When length or stride is not positive.
        FormatError
            When the policy is strict and a record needs a repair.
        """
        return self.cut(WindowGrid(length_us, length_us if stride_us is None else stride_us, start_us, stop_us))

    def cut(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window]:
        """Yield the windows of a grid, by time, by count or both.

        Parameters
        ----------
        grid : WindowGrid
            Where they lie.
        on_read : callable, optional
            Takes the nanoseconds that each batch took to be read; the rest is cutting.

        Raises
        ------
        OptionError, FormatError
            As `windows`.
        """
        return cut_windows(timed(self.span(check_grid(grid).start_us), on_read), grid)

    def triggers(self) -> Triggers:
        """Return the external triggers of the recording, none for a format without them.

        The whole file is decoded for it, with bounded memory but for the triggers themselves.

        Raises
        ------
        FormatError
            When the policy is strict and a record needs a repair.
        """
        return self._payload.read_triggers()

    def _batches(
        self,
        report: ReadReport,
        *,
        num_events: int,
        out: Events | None = None,
        on_triggers: Callable[[Triggers], None] | None = None,
    ) -> Iterator[Events]:
        """Yield all events, counted in `report`."""
        return self._payload.iter_events(report, num_events=num_events, out=out, on_triggers=on_triggers)

    def _events_from(
        self, start_us: int | None, on_triggers: Callable[[Triggers], None] | None = None
    ) -> Iterator[Events]:
        """Yield batches that hold at least all events from `start_us` on."""
        if start_us is None or start_us <= 0 or not self._is_plain:
            return self.chunks(on_triggers=on_triggers)
        return self._payload.iter_events(
            self.report, num_events=_SOUGHT_EVENTS, begin=self._index.before(start_us), on_triggers=on_triggers
        )

    @cached_property
    def _index(self) -> SeekIndex:
        return self._payload.claimed_index() or cached_index(self._payload, build=build_index)

    @cached_property
    def _extent(self) -> Extent:
        if self._is_plain:
            return self._index.extent
        return extent_of(self._batches(ReadReport(), num_events=BATCH_EVENTS))
