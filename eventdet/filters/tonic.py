"""A transform of tonic as a filter: ``tonic:Denoise,filter_time=10000``."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Any, get_args

from eventdet.arguments import parse_arguments
from eventdet.boxes import Boxes
from eventdet.bridges import apply_transform, load_transforms, to_tonic_size
from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .base import EventFilter, Run

__all__ = ["TonicTransform", "parse_tonic_transform"]

_MOVES_PIXELS = {
    "CenterCrop": "crop",
    "Downsample": "scale",
    "EventDownsampling": "scale",
    "RandomCrop": "crop",
    "RandomFlipLR": "flip",
    "RandomFlipUD": "flip",
}
"""Transforms that labels do not follow, and the filter of ours that they do."""

_FAULTS = (ArithmeticError, AssertionError, IndexError, TypeError, ValueError)
"""What tonic raises where an argument or a batch does not suit it."""


@dataclass(frozen=True)
class TonicTransform(EventFilter):
    """A transform of tonic that gives events, applied to one batch at a time.

    Unlike our own filters it has no memory: what it does near the first events of a batch depends on how a recording
    is cut into batches. A transform that needs the whole recording (`TimeJitter` over the ends of batches,
    `TimeAlignment`, `RandomTimeReversal`) is refused as soon as stamps would step back from one batch to the next.
    Random ones draw from NumPy's global generator. The sensor stays as it is.
    """

    name: str
    """Class in ``tonic.transforms``."""

    arguments: tuple[tuple[str, object], ...] = ()
    """Its arguments but `sensor_size`, which it gets by itself."""

    def output_size(self, size: SensorSize) -> SensorSize:
        """Return the same size, once the transform could be made for it."""
        self._make(size)
        return size

    def move_boxes(self, boxes: Boxes, size: SensorSize) -> Boxes:
        """Return the same boxes.

        Raises
        ------
        OptionError
            When there are any, and the transform moves pixels.
        """
        if self.name in _MOVES_PIXELS and len(boxes):
            raise OptionError(
                f"tonic:{self.name} moves events away from their labels",
                hint=f"use filter {_MOVES_PIXELS[self.name]}",
            )
        return boxes

    def start(self, size: SensorSize) -> Run:
        """Return a run that holds the last stamp, to see that none steps back."""
        transform = self._make(size)
        last = 0

        def run(events: Events) -> Events:
            nonlocal last
            # Several of tonic's transforms raise at no events.
            if not len(events):
                return events
            try:
                changed: Events = apply_transform(events, transform, size)
            except _FAULTS as error:
                raise self._refusal(error) from error
            if len(changed):
                if changed.t[0] < last:
                    raise OptionError(
                        f"tonic:{self.name} steps back from {last} us to {changed.t[0]} us between two batches",
                        hint="apply it to windows, with eventdet.bridges.apply_transform",
                    )
                last = int(changed.t[-1])
            return changed

        return run

    def _make(self, size: SensorSize) -> Any:
        make = getattr(load_transforms(), self.name)
        takes_size = any(field.name == "sensor_size" for field in fields(make))
        try:
            return make(**dict(self.arguments), **({"sensor_size": to_tonic_size(size)} if takes_size else {}))
        except _FAULTS as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> OptionError:
        if isinstance(error, OptionError):
            return error
        reason = (str(error).splitlines() or [""])[0]
        return OptionError(f"tonic:{self.name}: {type(error).__name__} {reason}".rstrip())


def parse_tonic_transform(text: str) -> TonicTransform:
    """Return the transform that a text names.

    Parameters
    ----------
    text : str
        ``Name,arg=value,...`` as in ``Denoise,filter_time=10000``: numbers, true or false, and names, in tonic's own
        units (time in microseconds).

    Raises
    ------
    MissingExtraError
        When tonic is not installed.
    OptionError
        When it has no such transform of events, or the arguments do not suit it.

    Examples
    --------
    >>> parse_tonic_transform("Denoise,filter_time=10000")  # doctest: +SKIP
    TonicTransform(name='Denoise', arguments=(('filter_time', 10000.0),))
    """
    name, _, rest = text.partition(",")
    known = vars(load_transforms())
    make = known[check_option("transform of tonic", name, _names_of_event_transforms(known))]
    parameters = {field.name: field for field in fields(make) if field.name != "sensor_size"}
    kinds = {key: kind for key, field in parameters.items() if (kind := _kind(field)) is not None}
    values = parse_arguments(f"transform {name}", rest, kinds)
    missing = [key for key, field in parameters.items() if field.default is MISSING and key not in values]
    if missing:
        raise OptionError(f"tonic:{name} needs {', '.join(missing)}", hint=f"write tonic:{name},{missing[0]}=…")
    return TonicTransform(name, tuple(values.items()))


def _names_of_event_transforms(known: Mapping[str, object]) -> list[str]:
    """Return the names of the transforms from events to events among those of tonic."""
    others = ("NumpyAsType", "Repeat")
    return [
        name for name, made in known.items() if is_dataclass(made) and not name.startswith("To") and name not in others
    ]


def _kind(field: Field[Any]) -> type | None:
    """Return the type that a text can give a parameter, None for one that takes pairs or lists alone."""
    known = (bool, int, float, str)
    return next((kind for kind in known if field.type is kind or kind in get_args(field.type)), None)
