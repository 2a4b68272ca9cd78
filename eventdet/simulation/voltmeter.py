"""The second model of an event camera: voltages as Brownian motions, events as their first passages."""

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.geometry import SensorSize

from .readout import Readout, in_time_order
from .reproducible import Draws
from .sensor import check_picture, spread_thresholds, uniform_numbers
from .sensor_models import VoltmeterModel

__all__ = ["VoltmeterSensor"]

_FIRST_ROOM = 4096


class VoltmeterSensor:
    """A camera with the state of its pixels; feed it pictures in time order.

    Parameters
    ----------
    model : VoltmeterModel
        Behaviour of the pixels.
    size : SensorSize
        Rows and columns.
    seed : int
        Chooses thresholds and noise.
    """

    def __init__(self, model: VoltmeterModel, *, size: SensorSize, seed: int) -> None:
        self._model = model
        self._size = size
        self._draw = Draws(seed, "voltmeter pixels")
        pixels = size.height * size.width
        self._on = spread_thresholds(self._draw, 1.0, model.threshold_spread, pixels)
        self._off = spread_thresholds(self._draw, 1.0, model.threshold_spread, pixels)
        # As if it had run for a while: anywhere between the barriers.
        place = uniform_numbers(self._draw, pixels).astype(np.float32) * (self._on + self._off) - self._off
        self._voltage = np.float32(0.9 * (model.noise_hz > 0.0)) * place
        self._last = np.full(pixels, -(2**62), np.int64)
        self._readout = Readout(model.readout, seed=seed)
        self._light: NDArray[np.float32] | None = None
        self._t_us: int | None = None
        self._room = _FIRST_ROOM

    @property
    def num_lost(self) -> int:
        """Events that the readout had no time for."""
        return self._readout.num_lost

    def step(self, light: NDArray[np.float32], *, t_us: int) -> Events:
        """Return the events between the picture before and this one; as :meth:`EventSensor.step`, whose rules hold."""
        check_picture(light, t_us, size=self._size, last_us=self._t_us)
        received = np.ravel(light).copy()
        before, self._light = self._light, received
        start_us, self._t_us = self._t_us, t_us
        if before is None or start_us is None:
            return Events.empty()
        clock = np.array([start_us, t_us, self._model.refractory_us], np.int64)
        return self._readout.release(in_time_order(self._fire(received, before, clock), start_us), stop_us=t_us)

    def _fire(self, light: NDArray[np.float32], before: NDArray[np.float32], clock: NDArray[np.int64]) -> Events:
        from ._voltmeter_kernels import emit_passages

        model = self._model
        numbers = np.array(
            [model.gain, model.dark_light, model.noise_hz, model.photon_noise_hz, model.leak_hz, model.photo_leak_hz]
        )
        key = np.uint64(self._draw.bits())
        after = np.empty_like(self._voltage)
        state = (light, before, self._voltage, after, self._on, self._off, self._last, clock, numbers, key)
        while True:
            room = self._room
            t, pixel, p = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uint8)
            count = emit_passages(*state, t, pixel, p)
            if count <= room:
                break
            # Drawn again from the same numbers, with room for all.
            self._room = 2 * count
        self._voltage = after
        # A pixel's events come in time order, so that the last one stays.
        self._last[pixel[:count]] = t[:count]
        y, x = np.divmod(pixel[:count], self._size.width)
        return Events(t[:count], x.astype(np.uint16), y.astype(np.uint16), p[:count])
