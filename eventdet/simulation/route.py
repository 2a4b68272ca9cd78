"""Where a drive leads: straight on, or with a quarter turn into a crossing road.

Everything stands in frames of streets: x to the right of the middle of the own lane, z along the road. The street that
a drive begins in is leg 0; the one that it turns into, where it does, is leg 1.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from .reproducible import Draws, sine_at

__all__ = ["Pose", "Turn", "draw_turn"]

_TWO_PI = 6.283185307179586
_CAR_HALF_M = 0.9
_SLOW_M_S = 4.0
_FASTEST_M_S = 11.0
_RADII_M = ((3.5, 9.0), (6.0, 12.0))


class Pose(NamedTuple):
    """A place in a street, and the way it looks from there."""

    x: float
    """Metres right of the lane's middle."""

    z: float
    """Metres along the road."""

    cosine: float
    """Of the angle by which it looks to the right of the road."""

    sine: float
    """Of that angle."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A quarter of a circle from the lane of one street into the lane of another that crosses it."""

    start_m: float
    """Way driven where it begins."""

    radius_m: float
    """Of the circle."""

    side: float
    """1 for a turn to the right, -1 to the left."""

    @property
    def lane_m(self) -> float:
        """Where the middle of the new lane lies along the old street."""
        return self.start_m + self.radius_m

    @property
    def stop_m(self) -> float:
        """Way driven where it ends."""
        return self.start_m + self.radius_m * _TWO_PI / 4.0

    def pose(self, place_m: float) -> Pose:
        """Return the pose in the old street after a way driven."""
        turned = min(1.0, max(0.0, (place_m - self.start_m) / (self.stop_m - self.start_m)))
        across, along = sine_at(0.25 * turned), sine_at(0.25 * turned + 0.25)
        per_length = 1.0 / math.sqrt(across * across + along * along)
        across, along = across * per_length, along * per_length
        x = self.radius_m * (1.0 - along) + max(0.0, place_m - self.stop_m)
        z = min(place_m, self.start_m) + self.radius_m * across
        return Pose(self.side * x, z, along, self.side * across)

    def beside(self, pose: Pose) -> Pose:
        """Return a pose of the old street in the frame of the new one, whose z is 0 in the old lane's middle."""
        side = self.side
        return Pose(side * (self.lane_m - pose.z), side * pose.x, side * pose.sine, -side * pose.cosine)

    def way(self, leg_m: float) -> float:
        """Return the way driven that leads to a place beyond the turn along the new street."""
        return self.stop_m + leg_m - self.radius_m


def draw_turn(
    crossings: list[tuple[float, float]],
    *,
    kerbs: tuple[float, float],
    travel_m: float,
    speeds: tuple[float, float],
    draw: Draws,
) -> Turn | None:
    """Return a turn at one of the crossings, or None for a drive straight on.

    Parameters
    ----------
    crossings : list of tuple of float
        Crossing roads (near edge, far edge), as wide as the street.
    kerbs : tuple of float
        Left and right edge of the street, metres.
    travel_m : float
        How far the drive goes.
    speeds : tuple of float
        Mean and least speed of the drive, m/s: who is fast at crossings drives straight on.
    draw : Draws
        Source of every choice.
    """
    mean, least = speeds
    near = [crossing for crossing in crossings if 12.0 < crossing[0] < travel_m - 5.0]
    wants, side = draw.chance(0.8), draw.choice((1.0, -1.0))
    if not (near and wants and least <= _SLOW_M_S and 2.0 < mean <= _FASTEST_M_S):
        return None
    start, stop = near[0]
    left, right = kerbs
    lane = start + right if side > 0.0 else stop - right
    # The inner side of the car clears the corner: r sqrt(2) - corner sqrt(2) < r - half a car.
    corner = right if side > 0.0 else -left
    widest = (math.sqrt(2.0) * corner - _CAR_HALF_M) / (math.sqrt(2.0) - 1.0)
    low, high = _RADII_M[0 if side > 0.0 else 1]
    radius = min(high, max(low, 0.9 * widest))
    return Turn(lane - radius, radius, side)
