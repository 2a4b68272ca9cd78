"""A street and the drive along it, both drawn from a seed; at any time a list of surfaces before a camera."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.geometry import GEN1, SensorSize
from eventdet.units import MICROSECONDS_PER_SECOND

from . import _columns as column
from .reproducible import Draws, exp2, sine
from .traffic import Objects, StreetPlan, populate

__all__ = ["Scene", "View", "make_scene"]

_FARTHEST_M = 110.0
_TWO_PI = 6.283185307179586
_LONGEST_US = 3_600_000_000
_STEP_PIXELS = 2.0
_STEP_DEPTH_M = 8.0
_OTHERS_PIXELS_PER_S = 100.0
_STEP_LIMITS_US = (1_000, 8_000)


class View(NamedTuple):
    """What the renderer needs for one picture."""

    camera: NDArray[np.float64]
    """Shape (NUM_CAMERA,): see `_columns`."""

    surfaces: NDArray[np.float64]
    """Shape (n, NUM_COLUMNS), nearest first: see `_columns`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wave:
    """A sum of sines; each row is (amplitude, frequency in Hz, phase in turns)."""

    terms: NDArray[np.float64]

    def at(self, t_s: float) -> float:
        # Summed one by one: the order in which NumPy adds depends on the machine.
        parts: list[float] = (self.terms[:, 0] * sine(self.terms[:, 1] * t_s + self.terms[:, 2])).tolist()
        return sum(parts)

    @classmethod
    def drawn(cls, draw: Draws, strengths: tuple[tuple[float, float], ...]) -> "_Wave":
        rows = [(a * draw.uniform(0.3, 1.0), hz * draw.uniform(0.8, 1.2), draw.uniform()) for a, hz in strengths]
        return cls(np.array(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drive:
    """Speed between slow and fast, and how the car shakes."""

    speed_m_s: float
    depth: float
    period_s: float
    phase: float
    focal: float
    horizon: float
    height_m: float
    lateral: _Wave
    pitch: _Wave
    yaw: _Wave
    roll: _Wave

    def place_m(self, t_s: float) -> float:
        """Return the way driven: the integral of the speed."""
        return self.speed_m_s * (t_s - self._swing(t_s) + self._swing(0.0))

    def speed_at(self, t_s: float) -> float:
        """Return the speed, least where ``t / period + phase`` is whole."""
        return self.speed_m_s * (1.0 - self.depth * float(sine(np.array(t_s / self.period_s + self.phase + 0.25))))

    def stops(self, duration_s: float) -> tuple[tuple[float, float], ...]:
        """Return (time, place) of every moment of least speed; one in the middle for a camera that stands."""
        first = -int(self.phase)
        times = [(k - self.phase) * self.period_s for k in range(first, first + 2 + int(duration_s / self.period_s))]
        return tuple((t, self.place_m(t)) for t in times)

    def _swing(self, t_s: float) -> float:
        turns = np.array(t_s / self.period_s + self.phase)
        return self.depth * self.period_s / _TWO_PI * float(sine(turns))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A synthetic street as a function of time. Made by :func:`make_scene`."""

    seed: int
    """What it was drawn from."""

    duration_us: int
    """How long the street lasts, in microseconds."""

    size: SensorSize
    """Rows and columns of its pictures."""

    brightness: float
    """Light of a white surface."""

    ground: NDArray[np.float64]
    """Shape (NUM_GROUND,): see `_columns`."""

    tile: NDArray[np.float32]
    """Shape (64, 64): noise for every texture."""

    objects: Objects
    """Everything that stands or moves."""

    drive: _Drive
    """Motion of the camera."""

    def step_us(self, t_us: int) -> int:
        """Return how long the next picture may wait: until a house front 8 m away has moved by two pixels."""
        speed = self.drive.speed_at(t_us / MICROSECONDS_PER_SECOND)
        pixels_per_s = self.drive.focal * speed / _STEP_DEPTH_M + _OTHERS_PIXELS_PER_S
        low, high = _STEP_LIMITS_US
        return min(high, max(low, int(_STEP_PIXELS / pixels_per_s * MICROSECONDS_PER_SECOND)))

    def view(self, t_us: int) -> View:
        """Return camera and surfaces at a time.

        Parameters
        ----------
        t_us : int
            Microseconds from the start.

        Returns
        -------
        View
            Input of the renderer.
        """
        t_s = t_us / MICROSECONDS_PER_SECOND
        drive = self.drive
        shake = drive.speed_at(t_s) / (drive.speed_at(t_s) + 5.0)
        camera = np.empty(column.NUM_CAMERA)
        camera[column.FOCAL] = drive.focal
        camera[column.CENTER_X] = 0.5 * self.size.width + drive.focal * shake * drive.yaw.at(t_s)
        camera[column.CENTER_Y] = drive.horizon + drive.focal * shake * drive.pitch.at(t_s)
        camera[column.ROLL] = shake * drive.roll.at(t_s)
        camera[column.CAMERA_HEIGHT] = drive.height_m
        camera[column.CAMERA_X] = shake * drive.lateral.at(t_s)
        camera[column.CAMERA_Z] = drive.place_m(t_s)
        return View(camera, _surfaces(self.objects, camera, t_s))


def _surfaces(objects: Objects, camera: NDArray[np.float64], t_s: float) -> NDArray[np.float64]:
    swing = objects.swing_m * sine(objects.swing_hz * t_s + objects.phase)
    x = objects.x + objects.speed_x * t_s - camera[column.CAMERA_X]
    z = objects.z + objects.speed_z * t_s + swing - camera[column.CAMERA_Z] * (1.0 - objects.rides)
    seen = np.flatnonzero((z < _FARTHEST_M) & (z + objects.depth > column.NEAREST))
    x, z = x[seen], z[seen]
    half = 0.5 * objects.width[seen]
    depth = objects.depth[seen]
    rows = np.zeros((2, len(seen), column.NUM_COLUMNS))
    common = {column.HEIGHT: objects.height, column.ALBEDO: objects.albedo, column.TONE: objects.tone}
    for index, values in {**common, column.SEED: objects.seed, column.FLIP: objects.flip}.items():
        rows[:, :, index] = values[seen]
    rows[:, :, column.IDENTITY] = np.where(objects.class_id[seen] >= 0, seen + 1.0, 0.0)
    gait = 0.55 * _stride(objects, seen) * sine(objects.gait_hz[seen] * t_s + objects.phase[seen])
    # Reflections stay with the street while the car moves through them.
    place = 0.7 * (z + camera[column.CAMERA_Z] + x)
    rows[:, :, column.SWING] = np.where(objects.face[seen] == column.WALKER, gait, place)
    face, side = rows
    face[:, column.PLANE], face[:, column.LENGTH] = z, 2.0 * half
    face[:, column.START], face[:, column.STOP], face[:, column.ORIGIN] = x - half, x + half, x - half
    face[:, column.MATERIAL] = objects.face[seen]
    side[:, column.LATERAL] = 1.0
    side[:, column.PLANE] = np.where(x > 0.0, x - half, x + half)
    side[:, column.START], side[:, column.STOP], side[:, column.ORIGIN] = np.maximum(z, column.NEAREST), z + depth, z
    side[:, column.LENGTH], side[:, column.MATERIAL] = depth, objects.side[seen]
    # On one ray, farther ahead is also farther out, so this sum sorts surfaces that lie behind each other.
    keys = np.concatenate([z + 2.0 * np.abs(x), z + depth + 2.0 * np.abs(side[:, column.PLANE])])
    shown = np.concatenate([z > column.NEAREST, (objects.side[seen] != column.NOTHING) & (np.abs(x) > half)])
    order = np.argsort(keys, kind="stable")
    return np.ascontiguousarray(rows.reshape(-1, column.NUM_COLUMNS)[order[shown[order]]])


def _stride(objects: Objects, seen: NDArray[np.intp]) -> NDArray[np.float64]:
    # Legs swing across the picture only for those who cross it.
    across: NDArray[np.float64] = np.where(objects.speed_x[seen] != 0.0, 1.0, 0.45)
    return across


def make_scene(seed: int, duration_us: int, *, size: SensorSize = GEN1) -> Scene:
    """Return the street of a seed.

    Parameters
    ----------
    seed : int
        Chooses everything: street, light, traffic, drive.
    duration_us : int
        How long it shall last in microseconds, at most an hour.
    size : SensorSize
        Rows and columns of the pictures.

    Returns
    -------
    Scene
        The same for the same arguments on every machine.

    Raises
    ------
    OptionError
        When the duration is not between 1 us and an hour.

    Examples
    --------
    >>> make_scene(1, 1_000_000).view(500_000).camera.shape
    (7,)
    """
    if not 0 < duration_us <= _LONGEST_US:
        raise OptionError(f"duration_us must be in [1, {_LONGEST_US}], got {duration_us}")
    draw = Draws(seed, "scene")
    drive = _draw_drive(draw, size)
    ground = _draw_ground(draw)
    duration_s = duration_us / MICROSECONDS_PER_SECOND
    plan = StreetPlan(
        left_m=float(ground[column.ROAD_LEFT]),
        right_m=float(ground[column.ROAD_RIGHT]),
        travel_m=drive.place_m(duration_s),
        duration_s=duration_s,
        speed_m_s=drive.speed_m_s,
        stops=drive.stops(duration_s),
    )
    brightness = exp2(draw.uniform(-2.5, 0.5))
    side = column.TILE_SIDE
    tile = np.array([draw.uniform() for _ in range(side * side)], np.float32).reshape(side, side)
    objects = populate(plan, Draws(seed, "traffic"))
    return Scene(
        seed=seed,
        duration_us=duration_us,
        size=size,
        brightness=brightness,
        ground=ground,
        tile=tile,
        objects=objects,
        drive=drive,
    )


def _draw_drive(draw: Draws, size: SensorSize) -> _Drive:
    stands = draw.chance(0.12)
    return _Drive(
        speed_m_s=draw.uniform(0.02, 0.2) if stands else draw.octaves(2.5, 2.4),
        depth=0.95 if draw.chance(0.5) else draw.uniform(0.1, 0.6),
        period_s=draw.octaves(7.0, 1.5),
        phase=draw.uniform(),
        focal=size.width * draw.uniform(0.75, 1.0),
        horizon=size.height * draw.uniform(0.36, 0.5),
        height_m=draw.uniform(1.15, 1.6),
        lateral=_Wave.drawn(draw, ((0.25, 0.1), (0.02, 1.3))),
        pitch=_Wave.drawn(draw, ((0.006, 1.4), (0.003, 2.6), (0.0012, 11.0))),
        yaw=_Wave.drawn(draw, ((0.05, 0.12), (0.012, 0.4), (0.0008, 9.0))),
        roll=_Wave.drawn(draw, ((0.012, 0.3), (0.006, 1.1))),
    )


def _draw_ground(draw: Draws) -> NDArray[np.float64]:
    ground = np.empty(column.NUM_GROUND)
    ground[column.ROAD_LEFT] = -draw.uniform(5.4, 8.2)
    ground[column.ROAD_RIGHT] = draw.uniform(1.9, 4.6)
    ground[column.ROAD_ALBEDO] = draw.uniform(0.1, 0.28)
    ground[column.ROAD_GRAIN] = draw.uniform(0.2, 0.7)
    ground[column.MARK_ALBEDO] = draw.uniform(0.4, 0.8)
    ground[column.VERGE_ALBEDO] = draw.uniform(0.08, 0.22)
    ground[column.VERGE_GRAIN] = draw.uniform(0.4, 1.2)
    ground[column.SKY] = draw.uniform(0.6, 1.2)
    ground[column.CLOUDS] = draw.uniform(0.0, 0.3)
    return ground
