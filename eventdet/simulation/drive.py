"""How the camera drives: its way, its speed, and how the car under it shakes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eventdet.geometry import SensorSize

from .presets import ScenePreset
from .reproducible import Draws, sine, sine_at
from .route import Pose, Turn

__all__ = ["Drive", "draw_drive"]

_TWO_PI = 6.283185307179586
_BENDS_PER_M = 1.0 / 280.0


@dataclass(frozen=True, slots=True, eq=False)
class _Wave:
    """A sum of sines; each row is (amplitude, frequency in Hz or per metre, phase in turns)."""

    terms: NDArray[np.float64]

    def at(self, t_s: float) -> float:
        # Added one by one: the order in which NumPy adds depends on the machine, and what `sum` does on the Python.
        total = 0.0
        for amplitude, frequency, phase in self.terms.tolist():
            total += amplitude * sine_at(frequency * t_s + phase)
        return total

    def times(self, factor: float) -> "_Wave":
        return _Wave(self.terms * [factor, 1.0, 1.0])

    @classmethod
    def drawn(cls, draw: Draws, strengths: tuple[tuple[float, float], ...]) -> "_Wave":
        rows = [(a * draw.uniform(0.3, 1.0), hz * draw.uniform(0.8, 1.2), draw.uniform()) for a, hz in strengths]
        return cls(np.array(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
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
    road: _Wave
    lens: float
    blur: float
    vignette: float
    turn: Turn | None = None

    def place_m(self, t_s: float) -> float:
        """Return the way driven: the integral of the speed."""
        return self.speed_m_s * (t_s - self._swing(t_s) + self._swing(0.0))

    def speed_at(self, t_s: float) -> float:
        """Return the speed, least where ``t / period + phase`` is whole."""
        return self.speed_m_s * (1.0 - self.depth * sine_at(t_s / self.period_s + self.phase + 0.25))

    def bend_m(self, z: NDArray[np.float64], t_s: float) -> NDArray[np.float64]:
        """Return how far right of straight ahead the road lies, seen from the place at a time.

        Parameters
        ----------
        z : ndarray, float64
            Metres ahead.
        t_s : float
            Seconds from the start.

        Returns
        -------
        ndarray, float64
            Metres, same shape; the camera looks along the road.
        """
        here = self.place_m(t_s)
        aside = np.zeros_like(z)
        for amplitude, frequency, phase in self.road.terms.tolist():
            aside = aside + amplitude * sine(frequency * (here + z) + phase)
        return aside - self.road.at(here) - self.heading_at(t_s) * z

    def heading_at(self, t_s: float) -> float:
        """Return the slope of the road where the camera is: metres to the right for each metre ahead."""
        here = self.place_m(t_s)
        return self.road.at(here + 0.5) - self.road.at(here - 0.5)

    def poses(self, t_s: float, aside_m: float) -> tuple[Pose, ...]:
        """Return the camera's pose in each street, `aside_m` right of its way; one for each leg."""
        here = self.place_m(t_s)
        if self.turn is None:
            return (Pose(aside_m, here, 1.0, 0.0),)
        pose = self.turn.pose(here)
        moved = pose._replace(x=pose.x + aside_m * pose.cosine, z=pose.z - aside_m * pose.sine)
        return moved, self.turn.beside(moved)

    def with_turn(self, turn: Turn) -> "Drive":
        """Return the same drive with a turn, along straight streets."""
        return replace(self, turn=turn, road=self.road.times(0.0))

    def stops(self, duration_s: float) -> tuple[tuple[float, float], ...]:
        """Return (time, place) of every moment of least speed; one in the middle for a camera that stands."""
        first = -int(self.phase)
        times = [(k - self.phase) * self.period_s for k in range(first, first + 2 + int(duration_s / self.period_s))]
        return tuple((t, self.place_m(t)) for t in times)

    def _swing(self, t_s: float) -> float:
        return self.depth * self.period_s / _TWO_PI * sine_at(t_s / self.period_s + self.phase)


def draw_drive(draw: Draws, size: SensorSize, *, kind: ScenePreset, road: Draws) -> Drive:
    """Return a drive, and a camera behind the windscreen, for pictures of this size.

    `road` is drawn from for what only some kinds of street have, so that the others stay as they are.
    """
    shake = road.uniform(*kind.shake)
    stands = draw.chance(0.12)
    return Drive(
        speed_m_s=draw.uniform(0.02, 0.2) if stands else draw.octaves(2.5, 2.4),
        depth=0.95 if draw.chance(0.5) else draw.uniform(0.1, 0.6),
        period_s=draw.octaves(7.0, 1.5),
        phase=draw.uniform(),
        focal=size.width * draw.uniform(0.75, 1.0),
        horizon=size.height * draw.uniform(0.36, 0.5),
        height_m=draw.uniform(1.15, 1.6),
        lateral=_Wave.drawn(draw, ((0.25, 0.1), (0.02, 1.3))),
        pitch=_Wave.drawn(draw, ((0.006, 1.4), (0.003, 2.6), (0.0012, 11.0))).times(shake),
        yaw=_Wave.drawn(draw, ((0.05, 0.12), (0.012, 0.4), (0.0008, 9.0))).times(shake),
        roll=_Wave.drawn(draw, ((0.012, 0.3), (0.006, 1.1))).times(shake),
        road=_Wave.drawn(road, tuple((road.uniform(*kind.bend_m) / k, k * _BENDS_PER_M) for k in (1, 2))),
        lens=road.uniform(*kind.lens),
        blur=road.uniform(*kind.blur),
        vignette=road.uniform(*kind.vignette),
    )
