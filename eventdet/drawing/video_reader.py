"""Pictures out of a video file."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, InputError
from eventdet.geometry import SensorSize
from eventdet.units import MICROSECONDS_PER_SECOND

__all__ = ["VideoInfo", "probe_video", "read_video"]

# Greys are stored as about the root of the light: the exponent 2.2 of sRGB, from a table of its 256 values.
_LIGHT = ((np.arange(256) / 255.0) ** 2.2).astype(np.float32)


class VideoInfo(NamedTuple):
    """What a video file says of itself."""

    size: SensorSize
    """Rows and columns of its pictures."""

    rate_hz: float
    """Pictures per second."""

    num_pictures: int
    """How many it claims to hold; 0 when it does not say."""


def probe_video(path: str | Path) -> VideoInfo:
    """Return size and rate of a video, or of numbered pictures named like ``frames/%06d.png``.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it holds no pictures, or no rate.
    """
    capture = _open(path)
    try:
        height, width = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        rate_hz, count = float(capture.get(cv2.CAP_PROP_FPS)), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    if height <= 0 or width <= 0 or not 0.0 < rate_hz < float("inf"):
        raise FormatError(f"{path}: video must have pictures and a rate, got {width}x{height} at {rate_hz} per second")
    return VideoInfo(SensorSize(height, width), rate_hz, max(0, count))


def read_video(path: str | Path) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the pictures of a video in order, at even distances in time.

    Parameters
    ----------
    path : str or Path
        Anything that OpenCV reads: a video file, or numbered pictures named like ``frames/%06d.png``.

    Yields
    ------
    t_us : int
        Microseconds from the first picture.
    light : ndarray, shape (height, width), float32
        Linear light in [0, 1].

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it holds no pictures, or no rate, or pictures of several sizes.
    """
    info = probe_video(path)
    capture = _open(path)
    try:
        number = 0
        while True:
            more, picture = capture.read()
            if not more:
                return
            if picture.shape[:2] != tuple(info.size):
                raise FormatError(f"{path}: picture {number} must be {info.size}, got shape {picture.shape[:2]}")
            t_us = round(number * MICROSECONDS_PER_SECOND / info.rate_hz)
            yield t_us, _LIGHT[_to_grey(np.asarray(picture, np.uint8))]
            number += 1
    finally:
        capture.release()


def _to_grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def _open(path: str | Path) -> cv2.VideoCapture:
    if "%" not in str(path) and not Path(path).is_file():
        raise InputError(f"{path}: no such file", hint="check the path")
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise InputError(f"{path}: OpenCV cannot open it as a video", hint="convert it to MP4 or to numbered PNG files")
    return capture
