"""A model of an event camera: from pictures of linear light to events."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .reproducible import Draws

__all__ = ["ATIS", "NOISE_FREE", "EventSensor", "SensorModel"]

_TWO_PI = 6.283185307179586
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorModel:
    """How the pixels of a camera behave; the defaults are those of `ATIS`."""

    threshold_on: float = 0.235
    """Rise of ln(light) that fires an ON event."""

    threshold_off: float = 0.245
    """Fall of ln(light) that fires an OFF event."""

    threshold_spread: float = 0.03
    """Standard deviation of both thresholds from pixel to pixel; none falls below a quarter of its mean."""

    start_spread: float = 1.0
    """Share of the thresholds over which the memories lie at the start; at 0 each pixel starts at its own level."""

    cutoff_hz: float = 60.0
    """Cutoff of the photoreceptor at half of full light; infinite for none."""

    leak_hz: float = 0.1
    """ON events per pixel and second of a constant scene, from the leaking memory."""

    shot_noise_hz: float = 1.4
    """Noise events per second of a dark pixel; a quarter of it in full light."""

    hot_pixel_share: float = 2e-4
    """Share of pixels that fire all the time."""

    hot_pixel_hz: float = 100.0
    """Rate of such a pixel."""

    refractory_us: int = 300
    """A pixel stays silent so long after an event, in microseconds."""

    dark_light: float = 0.004
    """Light, as a share of white, that a pixel sees in the dark: its dark current."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        OptionError
            When a number is below its limit or not a number.
        """
        lowest = {"threshold_on": 0.01, "threshold_off": 0.01, "dark_light": 1e-6, "cutoff_hz": 0.01}
        for field in fields(self):
            value = getattr(self, field.name)
            limit = lowest.get(field.name, 0)
            if not value >= limit:
                raise OptionError(f"{field.name} must be >= {limit}, got {value}")

    def randomised(self, seed: int) -> "SensorModel":
        """Return a camera of other settings: thresholds, bandwidth and noise drawn around these by the seed."""
        draw = Draws(seed, "sensor model")
        return replace(
            self,
            threshold_on=self.threshold_on * draw.octaves(0.8, 0.75),
            threshold_off=self.threshold_off * draw.octaves(0.8, 0.75),
            threshold_spread=draw.uniform(0.02, 0.05),
            cutoff_hz=self.cutoff_hz * draw.octaves(0.5, 2.5),
            leak_hz=self.leak_hz * draw.uniform(0.0, 2.5),
            shot_noise_hz=self.shot_noise_hz * draw.octaves(0.2, 3.3),
            hot_pixel_share=self.hot_pixel_share * draw.uniform(0.0, 4.0),
            hot_pixel_hz=self.hot_pixel_hz * draw.octaves(0.2, 3.0),
            refractory_us=int(self.refractory_us * draw.octaves(0.3, 3.0)),
        )


ATIS = SensorModel()
"""Near the Gen1 camera: between two settings whose event rates were compared with a few real ATIS patches."""

NOISE_FREE = SensorModel(
    threshold_spread=0.0,
    start_spread=0.0,
    cutoff_hz=float("inf"),
    leak_hz=0.0,
    shot_noise_hz=0.0,
    hot_pixel_share=0.0,
    refractory_us=0,
)
"""The bare equation: equal thresholds, no filter, no noise."""


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
        self._on = self._thresholds(model.threshold_on, pixels)
        self._off = self._thresholds(model.threshold_off, pixels)
        self._hot = np.flatnonzero(self._uniform(pixels) < model.hot_pixel_share)
        self._level = np.zeros(pixels, np.float32)
        self._previous = np.zeros(pixels, np.float32)
        self._memory = np.zeros(pixels, np.float32)
        self._last = np.full(pixels, -(2**62), np.int64)
        self._t_us: int | None = None

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
            In time order, all with ``previous < t <= t_us``.

        Raises
        ------
        OptionError
            When the picture has another shape or dtype, holds negative or not finite light, or time does not advance.
        """
        from ._sensor_kernels import front_end

        self._check(light, t_us)
        received = np.ravel(light + np.float32(self._model.dark_light))
        elapsed_us = 0 if self._t_us is None else t_us - self._t_us
        # The first picture fills the filter: as if it had been seen for ever.
        turns = np.inf if self._t_us is None else _TWO_PI * self._model.cutoff_hz * elapsed_us / _SECOND_US
        front_end(received, received.view(np.int32), self._level, self._previous, np.float32(turns))
        start_us, self._t_us = self._t_us, t_us
        if start_us is None:
            self._start_memory()
            return Events.empty()
        clock = np.array([start_us, t_us, self._model.refractory_us], np.int64)
        return self._in_order(self._crossings(clock), self._noise(received, clock), start_us)

    def _thresholds(self, mean: float, pixels: int) -> NDArray[np.float32]:
        # The sum of four uniform numbers is near enough to a Gaussian and needs no logarithm.
        total = sum((self._uniform(pixels) for _ in range(4)), np.zeros(pixels))
        gauss = (total - 2.0) * 1.7320508075688772
        return np.maximum(mean + self._model.threshold_spread * gauss, 0.25 * mean).astype(np.float32)

    def _uniform(self, count: int) -> NDArray[np.float64]:
        from ._sensor_kernels import fill_uniform

        numbers = np.empty(count)
        fill_uniform(np.uint64(self._draw.bits()), numbers)
        return numbers

    def _start_memory(self) -> None:
        # Evenly between the two thresholds around the level, so that the first second is like any other.
        place = self._uniform(self._level.size).astype(np.float32) * (self._on + self._off) - self._on
        self._memory[:] = self._level + np.float32(self._model.start_spread) * np.float32(0.999) * place

    def _check(self, light: NDArray[np.float32], t_us: int) -> None:
        if light.shape != tuple(self._size) or light.dtype != np.float32:
            raise OptionError(f"light must be float32 of shape {tuple(self._size)}, got {light.dtype} {light.shape}")
        if self._t_us is not None and t_us <= self._t_us:
            raise OptionError(f"t_us must be later than the picture before at {self._t_us}, got {t_us}")
        lowest, highest = float(light.min()), float(light.max())
        if not (lowest >= 0.0 and highest < float("inf")):
            raise OptionError(f"light must be finite and >= 0, got [{lowest}, {highest}]")

    def _crossings(self, clock: NDArray[np.int64]) -> Events:
        from ._sensor_kernels import count_crossings, emit_crossings

        leak = np.float32(self._model.leak_hz * float(clock[1] - clock[0]) / _SECOND_US)
        count = count_crossings(self._level, self._memory, self._on, self._off, leak)
        t, pixel, p = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.uint8)
        kept = emit_crossings(
            self._level, self._previous, self._memory, self._on, self._off, self._last, clock, t, pixel, p
        )
        return self._at_pixels(t[:kept], pixel[:kept], p[:kept])

    def _noise(self, received: NDArray[np.float32], clock: NDArray[np.int64]) -> Events:
        from ._sensor_kernels import emit_noise

        seconds = float(clock[1] - clock[0]) / _SECOND_US
        shots = self._whole(self._model.shot_noise_hz * seconds * received.size)
        chosen = np.full(shots, -1, np.int64)
        if self._hot.size:
            firing = self._uniform(self._hot.size) < self._model.hot_pixel_hz * seconds
            chosen = np.concatenate([chosen, self._hot[firing]])
        t, pixel, p = np.empty(chosen.size, np.int64), np.empty(chosen.size, np.int64), np.empty(chosen.size, np.uint8)
        key = np.uint64(self._draw.bits())
        kept = emit_noise(received, self._level, self._memory, self._last, clock, key, chosen, t, pixel, p)
        return self._at_pixels(t[:kept], pixel[:kept], p[:kept])

    def _whole(self, expected: float) -> int:
        # Rounded up or down at random, so that the mean is right however short the step is.
        return int(expected + self._draw.uniform())

    def _at_pixels(self, t: NDArray[np.int64], pixel: NDArray[np.int64], p: NDArray[np.uint8]) -> Events:
        y, x = np.divmod(pixel, self._size.width)
        return Events(t, x.astype(np.uint16), y.astype(np.uint16), p)

    @staticmethod
    def _in_order(crossings: Events, noise: Events, start_us: int) -> Events:
        events = Events.concatenate([crossings, noise])
        # Offsets in 16 bits are sorted by radix, several times as fast; a step of a scene is at most 8 ms.
        offset = events.t - start_us
        dense = offset.astype(np.uint16) if len(events) and offset.max() < 1 << 16 else offset
        return events[np.argsort(dense, kind="stable")]
