"""tonic's transforms on our events."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import MissingExtraError, OptionError
from eventdet.events import Events
from eventdet.formats import to_structured
from eventdet.geometry import SensorSize

__all__ = ["apply_transform", "load_transforms", "to_tonic_size"]


def load_transforms() -> ModuleType:
    """Return the module ``tonic.transforms``.

    Raises
    ------
    MissingExtraError
        When tonic is not installed.
    """
    try:
        from tonic import transforms
    except ImportError as error:
        raise MissingExtraError("a transform of tonic", extra="interop") from error
    module: ModuleType = transforms
    return module


def to_tonic_size(size: SensorSize) -> tuple[int, int, int]:
    """Return a sensor size as tonic writes it: columns, rows, polarities.

    Examples
    --------
    >>> to_tonic_size(SensorSize(height=240, width=304))
    (304, 240, 2)
    """
    return size.width, size.height, 2


def apply_transform(
    events: Events, transform: Callable[[NDArray[np.void]], object], sensor_size: SensorSize
) -> Any:  # what a transform gives is its own affair
    """Return what a transform of tonic makes of events.

    The transform gets an array of its own, which it may change. Events that it returns are put in order of time, since
    some transforms shift stamps and leave the sorting to their user.

    Parameters
    ----------
    events : Events
        They stay as they are.
    transform : callable
        A transform of tonic, or a ``Compose`` of several.
    sensor_size : SensorSize
        Of the events that come back.

    Returns
    -------
    Events or object
        Events where the transform gives events, else its result as it is: frames, grids, surfaces.

    Raises
    ------
    OptionError
        When the transform puts events outside the sensor or before time 0.

    Examples
    --------
    >>> events = Events.from_columns(t=[0, 10, 20], x=[3, 4, 5], y=[1, 1, 1], p=[1, 0, 1])
    >>> apply_transform(events, lambda array: array[array["x"] > 3], SensorSize(4, 8)).t.tolist()
    [10, 20]
    """
    result = transform(to_structured(events, layout="tonic"))
    if not isinstance(result, np.ndarray) or result.dtype.names is None:
        return result
    name = type(transform).__name__
    inside = (result["x"] >= 0) & (result["x"] < sensor_size.width)
    inside &= (result["y"] >= 0) & (result["y"] < sensor_size.height) & (result["t"] >= 0)
    if not inside.all():
        raise OptionError(
            f"tonic {name} put {np.count_nonzero(~inside)} of {len(inside)} events outside the {sensor_size} sensor or "
            "before time 0",
            hint="some transforms take clip_outliers or clip_negative",
        )
    t = np.rint(result["t"]).astype(np.int64) if result.dtype["t"].kind == "f" else result["t"]
    changed = Events.from_columns(t=t, x=result["x"], y=result["y"], p=result["p"] > 0)
    return changed if changed.is_sorted() else changed[np.argsort(changed.t, kind="stable")]
