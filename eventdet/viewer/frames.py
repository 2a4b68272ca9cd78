"""What travels to the page: a window's picture in two bits a pixel, and what is known of it as JSON.

The page draws; it is sent states, not colours. Two bits a pixel are a quarter of a byte whatever happens in the scene,
lossless where JPEG smears single pixels, and cost a small part of its packing (`tests/viewer` shows the layout).
"""

import json
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

__all__ = ["encode_frame", "pack_picture"]

_PIXELS_A_BYTE = 4


def pack_picture(events: Events, size: SensorSize) -> bytes:
    """Return the last polarity of each pixel, four pixels a byte, the first in the lowest bits.

    Parameters
    ----------
    events : Events
        Events of a window in time order.
    size : SensorSize
        Rows and columns of the sensor.

    Returns
    -------
    bytes
        Row by row, 0: no event, 1: OFF, 2: ON; the last byte is filled up with zeros.

    Raises
    ------
    OptionError
        When an event lies outside the sensor.

    Examples
    --------
    >>> pack_picture(Events.from_columns(t=[0, 5], x=[1, 4], y=[0, 0], p=[0, 1]), SensorSize(1, 5)).hex()
    '0402'
    """
    if len(events) and (events.x.max() >= size.width or events.y.max() >= size.height):
        raise OptionError(
            f"events must lie within the {size} sensor, got x up to {events.x.max()} and y up to {events.y.max()}"
        )
    num_pixels = size.height * size.width
    state: NDArray[np.uint8] = np.zeros(-(-num_pixels // _PIXELS_A_BYTE) * _PIXELS_A_BYTE, np.uint8)
    # NumPy assigns repeated indices in order, so the last event of a pixel stays.
    state[events.y.astype(np.int64) * size.width + events.x] = events.p + np.uint8(1)
    quads = state.reshape(-1, _PIXELS_A_BYTE)
    packed = quads[:, 0] | (quads[:, 1] << 2) | (quads[:, 2] << 4) | (quads[:, 3] << 6)
    return packed.tobytes()


def encode_frame(record: Mapping[str, object], picture: bytes = b"") -> bytes:
    """Return a message of the page: the length of the JSON (uint32, little endian), the JSON, the picture."""
    text = json.dumps(record).encode()
    return struct.pack("<I", len(text)) + text + picture
