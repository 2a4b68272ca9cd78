"""Film a scene with an event camera: whole in memory, or piece by piece."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events

from .config import SimulationConfig
from .labels import label_at, label_times
from .load import EventLoad
from .renderer import Renderer
from .scene import Scene, make_scene
from .sensor import Sensor, make_sensor

__all__ = ["CHUNK_US", "SimulatedRecording", "iter_simulate", "simulate", "start_simulation"]

CHUNK_US = 1_000_000
"""Time that one piece covers when nothing else is said."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedRecording:
    """A synthetic recording in memory."""

    events: Events
    """In time order, ``0 < t < duration``."""

    boxes: Boxes
    """Labels in time order."""

    config: SimulationConfig
    """What it was made from."""

    num_lost: int
    """Events that the readout of the camera had no time for."""


class _Step(NamedTuple):
    """What a camera saw between two pictures."""

    events: Events
    start_us: int
    stop_us: int


def iter_simulate(config: SimulationConfig, *, chunk_us: int = CHUNK_US) -> Iterator[tuple[Events, Boxes]]:
    """Yield a synthetic recording piece by piece; memory stays bounded however long it is.

    Parameters
    ----------
    config : SimulationConfig
        What to film, and with what.
    chunk_us : int
        Time that one piece covers, microseconds; the joined pieces do not depend on it.

    Yields
    ------
    events : Events
        Those with ``start <= t < start + chunk_us``.
    boxes : Boxes
        Labels of the same span.

    Raises
    ------
    OptionError
        When the duration or the chunk is outside its rule.
    """
    return start_simulation(config, chunk_us=chunk_us)[1]


def start_simulation(
    config: SimulationConfig, *, chunk_us: int = CHUNK_US
) -> tuple[Sensor, Iterator[tuple[Events, Boxes]]]:
    """Return the camera of a recording, which counts what it loses, and its pieces; as :func:`iter_simulate`."""
    if chunk_us <= 0:
        raise OptionError(f"chunk_us must be > 0, got {chunk_us}")
    scene = make_scene(config.seed, config.duration_us, preset=config.preset, size=config.size)
    sensor = make_sensor(config.camera, size=config.size, seed=config.seed)
    return sensor, _chunks(scene, sensor, config, chunk_us)


def simulate(config: SimulationConfig) -> SimulatedRecording:
    """Return a synthetic recording.

    Parameters
    ----------
    config : SimulationConfig
        What to film, and with what.

    Returns
    -------
    SimulatedRecording
        The same for the same configuration on every machine.

    Raises
    ------
    OptionError
        When the duration is outside its rule.

    Examples
    --------
    >>> recording = simulate(SimulationConfig(seed=1, duration_us=20_000))
    >>> recording.events.is_sorted(), recording.config.size
    (True, SensorSize(height=240, width=304))
    """
    sensor, pieces = start_simulation(config)
    events, boxes = zip(*pieces, strict=True)
    return SimulatedRecording(Events.concatenate(events), Boxes.concatenate(boxes), config, sensor.num_lost)


def _chunks(scene: Scene, sensor: Sensor, config: SimulationConfig, chunk_us: int) -> Iterator[tuple[Events, Boxes]]:
    renderer = Renderer(scene)
    steps = _steps(renderer, sensor)
    if config.rate_hz is not None:
        steps = _loaded(steps, EventLoad(config.rate_hz, size=config.size, seed=config.seed))
    pending = Events.empty()
    times = label_times(config)
    label_us = next(times)
    for start_us in range(0, scene.duration_us, chunk_us):
        stop_us = min(start_us + chunk_us, scene.duration_us)
        ready = [pending]
        # A step ends after the chunk does; its late events wait for the next one.
        while not len(ready[-1]) or int(ready[-1].t[-1]) < stop_us:
            step = next(steps, None)
            if step is None:
                break
            ready.append(step.events)
        joined = Events.concatenate(ready)
        cut = int(joined.t.searchsorted(stop_us))
        pending = joined[cut:]
        boxes = []
        while label_us < stop_us:
            boxes.append(label_at(renderer, label_us, config))
            label_us = next(times)
        yield joined[:cut], Boxes.concatenate(boxes)


def _steps(renderer: Renderer, sensor: Sensor) -> Iterator[_Step]:
    pictures = renderer.pictures()
    start_us, light = next(pictures)
    sensor.step(light, t_us=start_us)
    for t_us, light in pictures:
        yield _Step(sensor.step(light, t_us=t_us), start_us, t_us)
        start_us = t_us


def _loaded(steps: Iterator[_Step], load: EventLoad) -> Iterator[_Step]:
    for step in steps:
        yield step._replace(events=load.apply(step.events, start_us=step.start_us, stop_us=step.stop_us))
