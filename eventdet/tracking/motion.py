"""Where boxes go: a Kalman filter of constant velocity in real time, for all tracks at once.

Centre, width and height move alike and apart from each other: position and velocity of each are driven by white noise
on the acceleration. In continuous time (Bar-Shalom, Li and Kirubarajan, 2001, section 6.2.2) the prediction
over a span is that over its parts, however it is cut, so windows may be of any length, overlap or be missing. A filter
by frame number, as trackers of video have it, would take every gap for one frame.

The noises of one box are shares of its size, the same for its four numbers; one 2 x 2 covariance serves all four.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from eventdet.units import MICROSECONDS_PER_SECOND

__all__ = ["Motion", "Noise", "correct", "predict", "start"]


@dataclass(frozen=True, slots=True)
class Noise:
    """How little boxes and constant velocities can be trusted, in sizes: square roots of areas."""

    position: float = 0.05
    """Standard deviation of each number of a detected box; a twentieth of its size, as in ByteTrack."""

    velocity: float = 2.0
    """Standard deviation of a velocity before anything is known of it, sizes a second; ByteTrack's, at 30 frames."""

    acceleration: float = 1.0
    """Square root of the density of white acceleration, sizes a second to 1.5; ByteTrack's, at 30 frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """State of n boxes."""

    position: NDArray[np.float64]
    """Shape (n, 4): column and row of the centre, width, height, in pixels."""

    velocity: NDArray[np.float64]
    """Shape (n, 4): of these, in pixels a second."""

    covariance: NDArray[np.float64]
    """Shape (n, 3): variance of a position, covariance with its velocity, variance of that; squared pixels, seconds."""

    size: NDArray[np.float64]
    """Shape (n,): square root of the area of the last detection, pixels; the noises are shares of it."""

    def __getitem__(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> "Motion":
        """Return the chosen rows."""
        return Motion(*(getattr(self, item.name)[index] for item in fields(self)))

    @classmethod
    def concatenate(cls, parts: Iterable["Motion"]) -> "Motion":
        """Return the rows of all parts in order."""
        pieces = list(parts)
        return cls(*(np.concatenate([getattr(piece, item.name) for piece in pieces]) for item in fields(cls)))

    @property
    def xyxy(self) -> NDArray[np.float64]:
        """Shape (n, 4): corners; a side that has shrunk away counts as one pixel."""
        half = np.maximum(self.position[:, 2:], 1.0) / 2
        return np.hstack([self.position[:, :2] - half, self.position[:, :2] + half])


def _measured(xyxy: NDArray[np.float32]) -> NDArray[np.float64]:
    corners = xyxy.astype(np.float64)
    return np.hstack([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]])


def _size(position: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(position[:, 2] * position[:, 3])


def start(xyxy: NDArray[np.float32], noise: Noise) -> Motion:
    """Return the state of boxes that are seen for the first time: at rest, for all that is known."""
    position = _measured(xyxy)
    size = _size(position)
    covariance = np.stack([(noise.position * size) ** 2, np.zeros(len(size)), (noise.velocity * size) ** 2], axis=1)
    return Motion(position, np.zeros_like(position), covariance, size)


def predict(motion: Motion, span_us: int, noise: Noise) -> Motion:
    """Return the state after a span without detections.

    With velocity variance v, covariance c and density q, a span s adds 2cs + vs² + qs³/3 to the variance of the
    position, vs + qs²/2 to c, and qs to v.
    """
    s = span_us / MICROSECONDS_PER_SECOND
    density = (noise.acceleration * motion.size) ** 2
    position, both, velocity = motion.covariance.T
    covariance = np.stack(
        [
            position + 2 * both * s + velocity * s**2 + density * s**3 / 3,
            both + velocity * s + density * s**2 / 2,
            velocity + density * s,
        ],
        axis=1,
    )
    return replace(motion, position=motion.position + s * motion.velocity, covariance=covariance)


def correct(motion: Motion, xyxy: NDArray[np.float32], noise: Noise) -> Motion:
    """Return the state after a detection of each box (Kalman, 1960; Bar-Shalom et al., 2001, section 5.2)."""
    measured = _measured(xyxy)
    size = _size(measured)
    variance = (noise.position * size) ** 2
    position, both, velocity = motion.covariance.T
    gain_position, gain_velocity = position / (position + variance), both / (position + variance)
    covariance = np.stack(
        [gain_position * variance, (1 - gain_position) * both, velocity - gain_velocity * both], axis=1
    )
    surprise = measured - motion.position
    return Motion(
        motion.position + gain_position[:, None] * surprise,
        motion.velocity + gain_velocity[:, None] * surprise,
        covariance,
        size,
    )
