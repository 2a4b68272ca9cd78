"""A synthetic camera before any pictures, and pictures as its exposure measurement would show them."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .sensor import make_sensor
from .sensor_models import CameraModel

__all__ = ["film", "to_grey"]

_LONGEST_STEP_US = 4_000
_DARK = 1e-3
_WHITE_QUANTILE = 0.98


def film(
    pictures: Iterable[tuple[int, NDArray[np.float32]]], model: CameraModel, *, size: SensorSize, seed: int = 0
) -> Iterator[Events]:
    """Yield what a camera sees in a sequence of pictures, one batch from each to the next.

    Between two pictures the logarithm of every pixel's light runs straight, in steps of at most 4 ms. So nothing moves
    in between: an edge that jumps by several pixels from picture to picture fades out here and in there, all at once
    over its whole way. Pictures that follow each other at less than two pixels of motion are filmed well.

    Parameters
    ----------
    pictures : iterable of (int, ndarray of shape (height, width), float32)
        Time in microseconds, rising, and linear light, 1 is white; not negative.
    model : SensorModel or VoltmeterModel
        The camera.
    size : SensorSize
        Rows and columns of the pictures.
    seed : int
        Chooses the camera's thresholds and noise.

    Yields
    ------
    Events
        In time order, from batch to batch too.

    Raises
    ------
    OptionError
        When a picture has another shape or dtype, holds negative or not finite light, or time does not advance.
    """
    sensor = make_sensor(model, size=size, seed=seed)
    before: tuple[int, NDArray[np.float32]] | None = None
    for t_us, light in pictures:
        if light.shape != tuple(size):
            raise OptionError(f"pictures must be of shape {tuple(size)}, got {light.shape} at {t_us} us")
        if before is None:
            yield sensor.step(light, t_us=t_us)
        else:
            steps = _between(before, (t_us, light))
            yield Events.concatenate([sensor.step(picture, t_us=when) for when, picture in steps])
        before = t_us, light


def _between(
    start: tuple[int, NDArray[np.float32]], stop: tuple[int, NDArray[np.float32]]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield pictures between two, the second one among them but not the first."""
    (t0, first), (t1, last) = start, stop
    num_steps = max(1, -(-(t1 - t0) // _LONGEST_STEP_US))
    if num_steps > 1:
        low, high = np.log(first + np.float32(_DARK)), np.log(last + np.float32(_DARK))
        for k in range(1, num_steps):
            share = np.float32(k / num_steps)
            yield t0 + (t1 - t0) * k // num_steps, np.maximum(np.exp(low + share * (high - low)) - np.float32(_DARK), 0)
    yield t1, last


def to_grey(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a picture as the exposure measurement of an ATIS gives it: the whole range of light in 256 greys.

    Parameters
    ----------
    light : ndarray, shape (height, width), float32
        Linear light, not negative.

    Returns
    -------
    ndarray, shape (height, width), uint8
        The root of the light, near to how bright it looks; 255 for the brightest 2 %.
    """
    white = max(float(np.quantile(light, _WHITE_QUANTILE)), 1e-9)
    grey: NDArray[np.uint8] = (255.0 * np.sqrt(np.clip(light / np.float32(white), 0.0, 1.0))).astype(np.uint8)
    return grey
