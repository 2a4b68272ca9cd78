"""Film a scene with an event camera: whole in memory, in chunks, or into files of Gen1's form."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from eventdet.boxes import Boxes
from eventdet.errors import OptionError, OutputError
from eventdet.events import Events
from eventdet.geometry import GEN1, SensorSize
from eventdet.units import MICROSECONDS_PER_SECOND

from .renderer import Renderer
from .scene import Scene, make_scene
from .sensor import ATIS, EventSensor, SensorModel

__all__ = [
    "FIRST_LABEL_US",
    "SimulatedRecording",
    "WrittenRecording",
    "iter_simulate",
    "simulate",
    "write_recording",
]

FIRST_LABEL_US = 500_000
"""Gen1's evaluation skips the first half second, so no label is earlier."""

_CHUNK_US = 1_000_000

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedRecording:
    """A synthetic recording in memory."""

    events: Events
    """In time order, ``0 < t < duration``."""

    boxes: Boxes
    """Labels in time order."""

    size: SensorSize
    """Rows and columns of the camera."""

    seed: int
    """What it was drawn from."""


@dataclass(frozen=True, slots=True)
class WrittenRecording:
    """A synthetic recording on disk."""

    td_path: Path
    """The events."""

    bbox_path: Path
    """The labels."""

    num_events: int
    """Events written."""

    num_boxes: int
    """Boxes written."""

    sha256: str
    """Digest of the event file, the same on every machine."""

    def to_dict(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return asdict(self) | {"td_path": str(self.td_path), "bbox_path": str(self.bbox_path)}


def iter_simulate(
    seed: int,
    duration_us: int,
    *,
    label_rate_hz: float = 4.0,
    sensor: SensorModel | None = None,
    size: SensorSize = GEN1,
    chunk_us: int = _CHUNK_US,
) -> Iterator[tuple[Events, Boxes]]:
    """Yield a synthetic recording piece by piece; memory stays bounded however long it is.

    Parameters
    ----------
    seed : int
        Chooses street, light, traffic, drive and camera.
    duration_us : int
        Length in microseconds.
    label_rate_hz : float
        Labels per second, the first at 0.5 s; the events do not depend on it.
    sensor : SensorModel, optional
        Behaviour of the pixels; an ATIS varied by the seed when not given.
    size : SensorSize
        Rows and columns of the camera.
    chunk_us : int
        Time that one piece covers; the joined pieces do not depend on it.

    Yields
    ------
    events : Events
        Those with ``start <= t < start + chunk_us``.
    boxes : Boxes
        Labels of the same span.

    Raises
    ------
    OptionError
        When the duration, label rate or chunk is outside its rule.
    """
    if not 0.0 < label_rate_hz <= 1000.0:
        raise OptionError(f"label_rate_hz must be in (0, 1000], got {label_rate_hz}")
    if chunk_us <= 0:
        raise OptionError(f"chunk_us must be > 0, got {chunk_us}")
    scene = make_scene(seed, duration_us, size=size)
    model = ATIS.randomised(seed) if sensor is None else sensor
    return _chunks(scene, EventSensor(model, size=size, seed=seed), label_rate_hz, chunk_us)


def simulate(
    seed: int,
    duration_us: int,
    *,
    label_rate_hz: float = 4.0,
    sensor: SensorModel | None = None,
    size: SensorSize = GEN1,
) -> SimulatedRecording:
    """Return a synthetic recording.

    Parameters
    ----------
    seed, duration_us, label_rate_hz, sensor, size
        As in :func:`iter_simulate`.

    Returns
    -------
    SimulatedRecording
        The same for the same arguments on every machine.

    Raises
    ------
    OptionError
        When the duration or the label rate is outside its rule.

    Examples
    --------
    >>> recording = simulate(1, 20_000)
    >>> recording.events.is_sorted(), recording.size
    (True, SensorSize(height=240, width=304))
    """
    pieces = list(iter_simulate(seed, duration_us, label_rate_hz=label_rate_hz, sensor=sensor, size=size))
    events, boxes = zip(*pieces, strict=True)
    return SimulatedRecording(Events.concatenate(events), Boxes.concatenate(boxes), size, seed)


def write_recording(
    td_path: Path | str,
    seed: int,
    duration_us: int,
    *,
    label_rate_hz: float = 4.0,
    sensor: SensorModel | None = None,
    size: SensorSize = GEN1,
    on_progress: Progress | None = None,
) -> WrittenRecording:
    """Write a synthetic recording as Gen1 comes: ``<stem>_td.dat`` and ``<stem>_bbox.npy`` beside it.

    The header of the event file has one line more than Gen1's, which says that the events are synthetic; readers skip
    it.

    Parameters
    ----------
    td_path : path
        File for the events; it must end in ``_td.dat``. Its folder is made when missing.
    seed, duration_us, label_rate_hz, sensor, size
        As in :func:`iter_simulate`.
    on_progress : callable, optional
        Called with the microseconds recorded so far.

    Returns
    -------
    WrittenRecording
        The two files and what they hold.

    Raises
    ------
    OptionError
        When the name does not end in ``_td.dat`` or another argument is outside its rule.
    OutputError
        When the files cannot be written.
    """
    from eventdet.formats import write_boxes, write_dat

    path = Path(td_path)
    if not path.name.endswith("_td.dat"):
        raise OptionError(f"the event file must end in _td.dat, got {path.name}", hint=f"use -o {path.stem}_td.dat")
    _make_folder(path)
    boxes: list[Boxes] = []
    num_events = 0

    def film() -> Iterator[Events]:
        nonlocal num_events
        chunks = iter_simulate(seed, duration_us, label_rate_hz=label_rate_hz, sensor=sensor, size=size)
        for number, (events, labels) in enumerate(chunks, start=1):
            boxes.append(labels)
            num_events += len(events)
            yield events
            if on_progress is not None:
                on_progress(min(duration_us, number * _CHUNK_US))

    write_dat(path, film(), size, synthetic=True)
    bbox_path = path.with_name(path.name.removesuffix("_td.dat") + "_bbox.npy")
    write_boxes(bbox_path, Boxes.concatenate(boxes))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return WrittenRecording(path, bbox_path, num_events, sum(map(len, boxes)), digest)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _chunks(scene: Scene, sensor: EventSensor, label_rate_hz: float, chunk_us: int) -> Iterator[tuple[Events, Boxes]]:
    renderer = Renderer(scene)
    steps = _steps(scene, renderer, sensor)
    pending = Events.empty()
    label = 0
    for start_us in range(0, scene.duration_us, chunk_us):
        stop_us = min(start_us + chunk_us, scene.duration_us)
        ready = [pending]
        # A step ends after the chunk does; its late events wait for the next one.
        while not len(ready[-1]) or int(ready[-1].t[-1]) < stop_us:
            step = next(steps, None)
            if step is None:
                break
            ready.append(step)
        joined = Events.concatenate(ready)
        cut = int(joined.t.searchsorted(stop_us))
        pending = joined[cut:]
        boxes = []
        while (t_us := FIRST_LABEL_US + int(label * MICROSECONDS_PER_SECOND / label_rate_hz)) < stop_us:
            boxes.append(renderer.boxes(t_us))
            label += 1
        yield joined[:cut], Boxes.concatenate(boxes)


def _steps(scene: Scene, renderer: Renderer, sensor: EventSensor) -> Iterator[Events]:
    t_us = 0
    sensor.step(renderer.light(0), t_us=0)
    while t_us < scene.duration_us:
        t_us += scene.step_us(t_us)
        yield sensor.step(renderer.light(t_us), t_us=t_us)
