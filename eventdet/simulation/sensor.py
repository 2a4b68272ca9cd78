"""A model of an event camera: from pictures of linear light to events."""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.units import MICROSECONDS_PER_SECOND

from .readout import Readout, in_time_order
from .reproducible import Draws
from .sensor_models import CameraModel, SensorModel

__all__ = ["EventSensor", "Sensor", "check_picture", "make_sensor", "spread_thresholds", "uniform_numbers"]

_TWO_PI = 6.283185307179586


class Sensor(Protocol):
    """A camera with the state of its pixels."""

    @property
    def num_lost(self) -> int:
        """Events that its readout had no time for."""

    def step(self, light: NDArray[np.float32], *, t_us: int) -> Events:
        """Return the events between the picture before and this one; none for the first."""


def make_sensor(model: CameraModel, *, size: SensorSize, seed: int) -> Sensor:
    """Return a camera of a model.

    Parameters
    ----------
    model : SensorModel or VoltmeterModel
        Behaviour of pixels and readout.
    size : SensorSize
        Rows and columns.
    seed : int
        Chooses thresholds, hot pixels and noise.

    Returns
    -------
    Sensor
        One that has seen nothing yet.
    """
    if isinstance(model, SensorModel):
        return EventSensor(model, size=size, seed=seed)
    from .voltmeter import VoltmeterSensor

    return VoltmeterSensor(model, size=size, seed=seed)


def check_picture(light: NDArray[np.float32], t_us: int, *, size: SensorSize, last_us: int | None) -> None:
    """Check a picture and its time.

    Raises
    ------
    OptionError
        When the picture has another shape or dtype, holds negative or not finite light, or time does not advance.
    """
    if light.shape != tuple(size) or light.dtype != np.float32:
        raise OptionError(f"light must be float32 of shape {tuple(size)}, got {light.dtype} {light.shape}")
    if last_us is not None and t_us <= last_us:
        raise OptionError(f"t_us must be later than the picture before at {last_us}, got {t_us}")
    lowest, highest = float(light.min()), float(light.max())
    if not (lowest >= 0.0 and highest < float("inf")):
        raise OptionError(f"light must be finite and >= 0, got [{lowest}, {highest}]")


def uniform_numbers(draw: Draws, count: int) -> NDArray[np.float64]:
    """Return independent numbers in [0, 1), shape (count,), float64."""
    from ._random_kernels import fill_uniform

    numbers = np.empty(count)
    fill_uniform(np.uint64(draw.bits()), numbers)
    return numbers


def spread_thresholds(draw: Draws, mean: float, deviation: float, pixels: int) -> NDArray[np.float32]:
    """Return a threshold for each pixel, shape (pixels,), float32; none is below a quarter of the mean."""
    # The sum of four uniform numbers is near enough to a Gaussian and needs no logarithm.
    total = sum((uniform_numbers(draw, pixels) for _ in range(4)), np.zeros(pixels))
    gauss = (total - 2.0) * 1.7320508075688772
    return np.maximum(mean + deviation * gauss, 0.25 * mean).astype(np.float32)


class EventSensor:
    """A camera with the state of its pixels; feed it pictures in time order.

    Parameters
    ----------
    model : SensorModel
        Behaviour of the pixels.
    size : SensorSize
        Rows and columns.
    seed : int
        Chooses thresholds, hot pixels and noise.

    Examples
    --------
    >>> from eventdet.simulation import NOISE_FREE
    >>> sensor = EventSensor(NOISE_FREE, size=SensorSize(1, 1), seed=0)
    >>> dark, bright = np.full((1, 1), 0.1, np.float32), np.full((1, 1), 0.2, np.float32)
    >>> len(sensor.step(dark, t_us=0)), sensor.step(bright, t_us=1000).p.tolist()
    (0, [1, 1])
    """

    def __init__(self, model: SensorModel, *, size: SensorSize, seed: int) -> None:
        self._model = model
        self._size = size
        self._draw = Draws(seed, "sensor pixels")
        pixels = size.height * size.width
        self._on = spread_thresholds(self._draw, model.threshold_on, model.threshold_spread, pixels)
        self._off = spread_thresholds(self._draw, model.threshold_off, model.threshold_spread, pixels)
        self._hot = np.flatnonzero(uniform_numbers(self._draw, pixels) < model.hot_pixel_share)
        self._receptor = Draws(seed, "sensor photoreceptors")
        self._readout = Readout(model.readout, seed=seed)
        self._level = np.zeros(pixels, np.float32)
        self._wander = np.zeros(pixels, np.float32)
        # What the thresholds are compared with: the level, and with it the receptor's noise where there is any.
        self._seen = np.zeros(pixels, np.float32) if model.receptor_noise else self._level
        self._previous = np.zeros(pixels, np.float32)
        self._memory = np.zeros(pixels, np.float32)
        self._last = np.full(pixels, -(2**62), np.int64)
        self._t_us: int | None = None

    @property
    def num_lost(self) -> int:
        """Events that the readout had no time for."""
        return self._readout.num_lost

    def step(self, light: NDArray[np.float32], *, t_us: int) -> Events:
        """Return the events between the picture before and this one; none for the first.

        Parameters
        ----------
        light : ndarray, shape (height, width), float32
            Linear light at `t_us`, 1 is white; not negative.
        t_us : int
            Time of the picture in microseconds, later than the one before.

        Returns
        -------
        Events
            In time order, all with ``previous < t <= t_us``; only a readout of limited speed stamps later than that.

        Raises
        ------
        OptionError
            When the picture has another shape or dtype, holds negative or not finite light, or time does not advance.
        """
        check_picture(light, t_us, size=self._size, last_us=self._t_us)
        received = np.ravel(light + np.float32(self._model.dark_light))
        start_us, self._t_us = self._t_us, t_us
        self._receive(received, None if start_us is None else t_us - start_us)
        if start_us is None:
            self._start_memory()
            return Events.empty()
        clock = np.array([start_us, t_us, self._model.refractory_us], np.int64)
        fired = Events.concatenate([self._crossings(clock), self._noise(received, clock)])
        return self._readout.release(in_time_order(fired, start_us), stop_us=t_us)

    def _receive(self, received: NDArray[np.float32], elapsed_us: int | None) -> None:
        from ._sensor_kernels import add_receptor_noise, front_end

        # The first picture fills the filters: as if it had been seen for ever.
        elapsed = np.inf if elapsed_us is None else float(elapsed_us)
        turns = _TWO_PI * self._model.cutoff_hz * elapsed / MICROSECONDS_PER_SECOND
        front_end(received, received.view(np.int32), self._level, self._previous, np.float32(turns))
        if self._seen is self._level:
            return
        turns = _TWO_PI * self._model.receptor_noise_hz * elapsed / MICROSECONDS_PER_SECOND
        remains = 1.0 / (1.0 + turns * (1.0 + turns * (0.5 + turns / 6.0)))
        kick = self._model.receptor_noise * math.sqrt(1.0 - remains * remains)
        key = np.uint64(self._receptor.bits())
        add_receptor_noise(received, self._level, self._wander, self._seen, self._previous, remains, kick, key)

    def _start_memory(self) -> None:
        # Evenly between the two thresholds around the level, so that the first second is like any other.
        place = uniform_numbers(self._draw, self._seen.size).astype(np.float32) * (self._on + self._off) - self._on
        self._memory[:] = self._seen + np.float32(self._model.start_spread) * np.float32(0.999) * place

    def _crossings(self, clock: NDArray[np.int64]) -> Events:
        from ._sensor_kernels import count_crossings, emit_crossings

        leak = np.float32(self._model.leak_hz * float(clock[1] - clock[0]) / MICROSECONDS_PER_SECOND)
        count = count_crossings(self._seen, self._memory, self._on, self._off, leak)
        t, pixel, p = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.uint8)
        kept = emit_crossings(
            self._seen, self._previous, self._memory, self._on, self._off, self._last, clock, t, pixel, p
        )
        return self._at_pixels(t[:kept], pixel[:kept], p[:kept])

    def _noise(self, received: NDArray[np.float32], clock: NDArray[np.int64]) -> Events:
        from ._sensor_kernels import emit_noise

        seconds = float(clock[1] - clock[0]) / MICROSECONDS_PER_SECOND
        shots = self._whole(self._model.shot_noise_hz * seconds * received.size)
        chosen = np.full(shots, -1, np.int64)
        if self._hot.size:
            firing = uniform_numbers(self._draw, self._hot.size) < self._model.hot_pixel_hz * seconds
            chosen = np.concatenate([chosen, self._hot[firing]])
        t, pixel, p = np.empty(chosen.size, np.int64), np.empty(chosen.size, np.int64), np.empty(chosen.size, np.uint8)
        key = np.uint64(self._draw.bits())
        kept = emit_noise(received, self._seen, self._memory, self._last, clock, key, chosen, t, pixel, p)
        return self._at_pixels(t[:kept], pixel[:kept], p[:kept])

    def _whole(self, expected: float) -> int:
        # Rounded up or down at random, so that the mean is right however short the step is.
        return int(expected + self._draw.uniform())

    def _at_pixels(self, t: NDArray[np.int64], pixel: NDArray[np.int64], p: NDArray[np.uint8]) -> Events:
        y, x = np.divmod(pixel, self._size.width)
        return Events(t, x.astype(np.uint16), y.astype(np.uint16), p)
