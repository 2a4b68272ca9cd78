"""How the pixels and the readout of a synthetic camera behave: numbers, and their named sets.

Two models of the pixel that share no equation: `SensorModel` filters the logarithm of the light and compares it with
thresholds, `VoltmeterModel` treats the pixel's voltage as a Brownian motion and draws when it first passes them. A
detector trained on one and tested on the other has met no artefact of its training.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TypeAlias

from eventdet.errors import OptionError, check_option

from .reproducible import Draws

__all__ = [
    "ATIS",
    "ATIS_NOISY",
    "NOISE_FREE",
    "SENSORS",
    "VOLTMETER",
    "CameraModel",
    "ReadoutModel",
    "SensorModel",
    "VoltmeterModel",
    "pick_sensor",
]


_SPREAD = 0.03
"""Of the thresholds of `ATIS`, in ln(light)."""


def _check_lowest(model: object, lowest: Mapping[str, float]) -> None:
    """Refuse numbers below their limit, which is 0 where none is named; NaN is below every limit."""
    for item in fields(model):  # type: ignore[arg-type]  # a dataclass of this module
        value = getattr(model, item.name)
        limit = lowest.get(item.name, 0)
        if isinstance(value, (int, float)) and not value >= limit:
            raise OptionError(f"{item.name} must be >= {limit}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutModel:
    """The way of an event from its pixel to its stamp; the defaults are an ideal bus."""

    jitter_us: float = 0.0
    """A request waits up to so long for its row, evenly spread."""

    capacity_hz: float = float("inf")
    """Events that the bus reads out per second."""

    backlog_us: float = 1_000.0
    """Longest queue: an event that would wait longer is lost."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        OptionError
            When a number is below its limit or not a number.
        """
        _check_lowest(self, {"capacity_hz": 1.0})

    @property
    def is_ideal(self) -> bool:
        """Whether every event is stamped when it happens."""
        return self.jitter_us == 0.0 and self.capacity_hz == float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorModel:
    """Thresholds on the filtered logarithm of light; the defaults are those of `ATIS`."""

    threshold_on: float = 0.235
    """Rise of ln(light) that fires an ON event."""

    threshold_off: float = 0.245
    """Fall of ln(light) that fires an OFF event."""

    threshold_spread: float = _SPREAD
    """Standard deviation of both thresholds from pixel to pixel; none falls below a quarter of its mean."""

    start_spread: float = 1.0
    """Share of the thresholds over which the memories lie at the start; at 0 each pixel starts at its own level."""

    cutoff_hz: float = 60.0
    """Cutoff of the photoreceptor at half of full light; infinite for none."""

    receptor_noise: float = 0.0
    """Standard deviation of ln(light) by the photoreceptor's noise at half of full light, before the thresholds."""

    receptor_noise_hz: float = 40.0
    """Corner frequency of that noise."""

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

    readout: ReadoutModel = field(default=ReadoutModel())
    """From pixel to stamp."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        OptionError
            When a number is below its limit or not a number.
        """
        _check_lowest(
            self,
            {"threshold_on": 0.01, "threshold_off": 0.01, "dark_light": 1e-6, "cutoff_hz": 0.01}
            | {"receptor_noise_hz": 0.01},
        )

    def randomised(self, seed: int) -> "SensorModel":
        """Return a camera of other settings: thresholds, bandwidth and noise drawn around these by the seed."""
        draw = Draws(seed, "sensor model")
        return replace(
            self,
            threshold_on=self.threshold_on * draw.octaves(0.8, 0.75),
            threshold_off=self.threshold_off * draw.octaves(0.8, 0.75),
            threshold_spread=self.threshold_spread / _SPREAD * draw.uniform(0.02, 0.05),
            cutoff_hz=self.cutoff_hz * draw.octaves(0.5, 2.5),
            leak_hz=self.leak_hz * draw.uniform(0.0, 2.5),
            shot_noise_hz=self.shot_noise_hz * draw.octaves(0.2, 3.3),
            hot_pixel_share=self.hot_pixel_share * draw.uniform(0.0, 4.0),
            hot_pixel_hz=self.hot_pixel_hz * draw.octaves(0.2, 3.0),
            refractory_us=int(self.refractory_us * draw.octaves(0.3, 3.0)),
            receptor_noise=self.receptor_noise * draw.octaves(0.85, 0.5),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltmeterModel:
    """First passages of a Brownian motion with drift, after DVS-Voltmeter (Lin et al. 2022, equations 7 to 10).

    The voltage of a pixel is counted in thresholds: it fires ON at 1 and OFF at -1 and starts again at 0. Over a step
    it drifts by ``gain * dI / (I + dark_light)`` with the mean light I, and spreads by noise that is strongest where
    light is scarce. Leaving the noise out gives straight lines, as in the other model without its filter.
    """

    gain: float = 5.0
    """Thresholds crossed when ln(light) changes by 1, in light far above `dark_light`."""

    dark_light: float = 0.02
    """Light, as a share of white, below which a pixel answers less than in proportion."""

    threshold_spread: float = 0.4
    """Standard deviation of both thresholds from pixel to pixel, as a share of them; none falls below a quarter."""

    noise_hz: float = 1.2
    """Variance that every pixel's voltage gains per second."""

    photon_noise_hz: float = 0.3
    """What half of full light adds to that variance; it grows with the root of the light over the light, as photons."""

    leak_hz: float = 0.05
    """Drift towards ON per second."""

    photo_leak_hz: float = 0.1
    """What full light adds to that drift."""

    refractory_us: int = 300
    """A pixel stays silent so long after an event, in microseconds."""

    readout: ReadoutModel = field(default=ReadoutModel())
    """From pixel to stamp."""

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises
        ------
        OptionError
            When a number is below its limit or not a number.
        """
        _check_lowest(self, {"gain": 0.01, "dark_light": 1e-6})

    def randomised(self, seed: int) -> "VoltmeterModel":
        """Return a camera of other settings: gain, spread and noise drawn around these by the seed."""
        draw = Draws(seed, "voltmeter model")
        return replace(
            self,
            gain=self.gain * draw.octaves(0.8, 0.65),
            threshold_spread=self.threshold_spread * draw.octaves(0.6, 1.4),
            noise_hz=self.noise_hz * draw.octaves(0.5, 2.0),
            photon_noise_hz=self.photon_noise_hz * draw.octaves(0.5, 2.0),
            leak_hz=self.leak_hz * draw.uniform(0.0, 2.5),
            refractory_us=int(self.refractory_us * draw.octaves(0.3, 3.0)),
        )


CameraModel: TypeAlias = SensorModel | VoltmeterModel
"""A camera, whichever equation its pixels follow."""

ATIS = SensorModel()
"""Near the Gen1 camera: between two settings whose event rates were compared with a few real ATIS patches."""

ATIS_NOISY = SensorModel(
    threshold_on=0.185,
    threshold_off=0.195,
    threshold_spread=0.045,
    cutoff_hz=400.0,
    receptor_noise=0.027,
    receptor_noise_hz=25.0,
    shot_noise_hz=0.15,
    readout=ReadoutModel(jitter_us=20.0, capacity_hz=10e6),
)
"""Nearer real ATIS patches in intervals, polarities and noise; chosen by ``eventdet simulate --report``.

Its noise is that of photoreceptors, mostly seen by pixels of low threshold: it comes in pairs of ON and OFF and from
the same places, as real noise does, where that of `ATIS` is spread evenly.
"""

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

VOLTMETER = VoltmeterModel(readout=ATIS_NOISY.readout)
"""The second model, with event rates like those of `ATIS_NOISY`."""

SENSORS: Mapping[str, CameraModel] = MappingProxyType({"atis": ATIS, "atis-noisy": ATIS_NOISY, "voltmeter": VOLTMETER})
"""Cameras by the name that the command line takes."""


def pick_sensor(name: str, seed: int) -> CameraModel:
    """Return the camera of a name, varied by the seed.

    Raises
    ------
    OptionError
        When there is no such camera.
    """
    return SENSORS[check_option("sensor", name, SENSORS)].randomised(seed)
