"""What determines a synthetic recording, to the last bit."""

from dataclasses import asdict, dataclass

from eventdet.errors import OptionError, check_option
from eventdet.geometry import GEN1, SensorSize

from .presets import PRESETS
from .sensor_models import SENSORS, CameraModel, pick_sensor

__all__ = ["SimulationConfig"]

_HIGHEST_LABEL_RATE_HZ = 1000.0
_HIGHEST_RATE_HZ = 50e6


@dataclass(frozen=True, slots=True)
class SimulationConfig:
    """A recording that could be made: equal ones give the same bits on every machine.

    Examples
    --------
    >>> SimulationConfig(7, 60_000_000, preset="night").sensor
    'atis'
    """

    seed: int
    """Chooses street, light, traffic, drive and camera."""

    duration_us: int
    """Length in microseconds."""

    preset: str = "plain"
    """Kind of street, a name of `PRESETS`."""

    sensor: str | CameraModel = "atis"
    """A name of `SENSORS`, which the seed then varies, or a model that is taken as it is."""

    label_rate_hz: float = 4.0
    """Labels per second, the first at 0.5 s; the events do not depend on it."""

    label_noise: bool = False
    """Whether labels have the faults of people: late, a little off, sometimes missing."""

    rate_hz: float | None = None
    """Events per second that every part of the recording is brought to; None leaves what the camera sees."""

    size: SensorSize = GEN1
    """Rows and columns of the camera."""

    def __post_init__(self) -> None:
        """Check the choices.

        Raises
        ------
        OptionError
            When a name is unknown, the label rate is not in (0, 1000] or the event rate not in (0, 50e6]; the street
            checks the duration.
        """
        check_option("preset", self.preset, PRESETS)
        if isinstance(self.sensor, str):
            check_option("sensor", self.sensor, SENSORS)
        if not 0.0 < self.label_rate_hz <= _HIGHEST_LABEL_RATE_HZ:
            raise OptionError(f"label_rate_hz must be in (0, {_HIGHEST_LABEL_RATE_HZ:g}], got {self.label_rate_hz}")
        if self.rate_hz is not None and not 0.0 < self.rate_hz <= _HIGHEST_RATE_HZ:
            raise OptionError(f"rate_hz must be in (0, {_HIGHEST_RATE_HZ:g}], got {self.rate_hz}")

    @property
    def camera(self) -> CameraModel:
        """The camera of this seed."""
        return pick_sensor(self.sensor, self.seed) if isinstance(self.sensor, str) else self.sensor

    def to_dict(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return asdict(self) | {"size": list(self.size)}
