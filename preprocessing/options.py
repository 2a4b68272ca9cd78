"""What to write for each recording that is converted."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from eventdet.errors import OptionError, check_option
from eventdet.filters import EventFilter, parse_filter
from eventdet.formats import ReadPolicy, WindowGrid, check_grid
from eventdet.formats.label_presets import LABEL_PRESETS
from eventdet.geometry import SensorSize, check_sensor_size

from ._layout import FORMAT_VERSION
from .representations import Representation

__all__ = ["ALIGNMENTS", "ConvertOptions"]

ALIGNMENTS = ("grid", "label-end")
"""Where windows lie: at multiples of the stride, or one before each stamp of a label, ending at it."""

_DEFAULT_REPRESENTATION = Representation("histogram", bins=5)
"""Of EMS-YOLO: five steps over the last 250 ms."""

_COUNTING = ReadPolicy(duplicates="count")


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """What to write for each recording.

    Raises
    ------
    OptionError
        When a value is outside its rule, or neither events nor frames are wanted.
    """

    representation: Representation = _DEFAULT_REPRESENTATION
    """Tensor of a window."""

    window_us: int | None = 250_000
    """Length of a window, microseconds; None: a count alone ends it."""

    stride_us: int | None = None
    """From one window's start to the next, microseconds; None: the window. Not used by ``label-end``."""

    window_events: int | None = None
    """Events that make a window full, see :class:`eventdet.formats.WindowGrid`; None: only time ends it."""

    stride_events: int | None = None
    """Events from one window's start to the next; None: those of a window."""

    align: str = "grid"
    """One of `ALIGNMENTS`."""

    write_events: bool = True
    """Store the events themselves, from which any other window can be cut later."""

    write_frames: bool = True
    """Store the tensors."""

    sensor_size: SensorSize | None = None
    """For files that do not name theirs."""

    policy: str | ReadPolicy = _COUNTING
    """What happens to dirty input; given by its name alone, exact repeats are not looked for."""

    filters: tuple[str, ...] = ()
    """What the events pass through, as `eventdet.filters.parse_filter` reads it; labels move with them."""

    start_us: int | None = None
    """Leave out what is earlier than this after the first event, labels and triggers too; microseconds."""

    end_us: int | None = None
    """Leave out what is not earlier than this after the first event, labels and triggers too; microseconds."""

    labels: str = "none"
    """Rules by which labels are left out, one of `eventdet.formats.label_presets.LABEL_PRESETS`."""

    classes: tuple[int, ...] | None = None
    """Class ids of the labels that stay; None: all."""

    def __post_init__(self) -> None:
        """Check every field, see `Raises`."""
        ReadPolicy.of(self.policy)
        self.parse_filters()
        check_option("align", self.align, ALIGNMENTS)
        check_option("labels", self.labels, LABEL_PRESETS)
        check_grid(self.grid)
        if self.align == "label-end" and self.has_counts:
            raise OptionError("windows that end at labels have a length alone", hint="give a duration, like 50ms")
        if self.align == "label-end" and self.stride_us not in (None, self.window_us):
            raise OptionError("windows that end at labels have no stride", hint="leave out the stride")
        if (self.start_us or 0) < 0 or (self.end_us is not None and (self.start_us or 0) >= self.end_us):
            raise OptionError(f"start_us must be >= 0 and before end_us, got {self.start_us} and {self.end_us}")
        if self.sensor_size is not None:
            check_sensor_size(self.sensor_size)
        if not (self.write_events or self.write_frames):
            raise OptionError("nothing to write: neither events nor frames", hint="leave out one of the two")

    @property
    def grid(self) -> WindowGrid:
        """Where windows lie."""
        stride_us = self.window_us if self.stride_us is None else self.stride_us
        return WindowGrid(self.window_us, stride_us, None, None, self.window_events, self.stride_events)

    @property
    def has_counts(self) -> bool:
        """Whether windows end by the number of their events, and so differ in length."""
        return self.window_events is not None

    @property
    def is_regular(self) -> bool:
        """Whether start and stride tell where every window lies."""
        return self.align == "grid" and not self.has_counts

    @property
    def takes_part(self) -> bool:
        """Whether only a part of each recording is wanted."""
        return self.start_us is not None or self.end_us is not None

    def parse_filters(self) -> list[EventFilter]:
        """Return the filters that the events pass through."""
        return [parse_filter(text) for text in self.filters]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values, the stride filled in."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            **plain,
            "representation": self.representation.to_dict(),
            "policy": asdict(ReadPolicy.of(self.policy)),
            "stride_us": self.grid.stride_us,
        }

    @property
    def digest(self) -> str:
        """SHA-256 over all that decides what is written, the version of the layout included."""
        # A mask is told by its pixels, wherever its file lies.
        filters = [one.identity for one in self.parse_filters()]
        values = {**self.to_dict(), "filters": filters, "format_version": FORMAT_VERSION}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
