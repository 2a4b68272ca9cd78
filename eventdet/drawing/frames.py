"""Events of a window as a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .palettes import PALETTES

__all__ = ["enlarge", "event_frame"]


def event_frame(events: Events, size: SensorSize, *, palette: str = "dark") -> NDArray[np.uint8]:
    """Return the picture of a window: each pixel shows the polarity of its last event.

    Parameters
    ----------
    events : Events
        Events in time order.
    size : SensorSize
        Rows and columns of the sensor.
    palette : str
        Name of a palette: dark, light, coolwarm or gray.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        RGB.

    Raises
    ------
    OptionError
        When the palette is unknown or an event lies outside the sensor.

    Examples
    --------
    >>> events = Events.from_columns(t=[0, 5], x=[1, 1], y=[0, 0], p=[0, 1])
    >>> event_frame(events, SensorSize(1, 2)).tolist()
    [[[30, 37, 52], [255, 255, 255]]]
    """
    colours = PALETTES[check_option("palette", palette, PALETTES)]
    if len(events) and (events.x.max() >= size.width or events.y.max() >= size.height):
        raise OptionError(
            f"events must lie within the {size} sensor, got x up to {events.x.max()} and y up to {events.y.max()}"
        )
    state = np.zeros(size, np.uint8)
    # NumPy assigns repeated indices in order, so the last event of a pixel stays.
    state[events.y, events.x] = events.p + np.uint8(1)
    return np.array([colours.background, colours.off, colours.on], np.uint8)[state]


def enlarge(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Return the picture with every pixel repeated `scale` times in both directions.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        Any picture.
    scale : int
        At least 1.

    Returns
    -------
    ndarray, shape (H * scale, W * scale, 3), uint8
        A new picture; single-pixel events keep their hard edges.

    Raises
    ------
    OptionError
        When `scale` is below 1.
    """
    if scale < 1:
        raise OptionError(f"scale must be >= 1, got {scale}")
    height, width = image.shape[:2]
    target_wh = (width * scale, height * scale)
    return np.asarray(cv2.resize(image, target_wh, interpolation=cv2.INTER_NEAREST), np.uint8)
