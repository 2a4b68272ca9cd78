"""Planes of the vehicles: plain tables, so that kernels take them as constants."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["BODY", "CABIN", "HEAVY", "LEFT", "LOWER", "PLANES", "PROFILES", "REAR", "RIGHT", "UPPER"]

BODY, CABIN = 0, 1
LEFT, RIGHT, FRONT, REAR, UPPER, SLOPE, BACK_SLOPE, LOWER = range(8)
HATCHBACK, SALOON, ESTATE, VAN, HEAVY, LORRY = range(6)
"""From `HEAVY` (a bus) on, vehicles have no label."""

PROFILES: NDArray[np.float64] = np.array(
    [
        # belt, nose, tail, screen base and top, rear screen base and top, lean of the sides, wheel radius in metres
        [0.62, 0.50, 0.60, 0.74, 0.55, 0.02, 0.14, 0.22, 0.31],
        [0.63, 0.50, 0.60, 0.72, 0.56, 0.15, 0.31, 0.24, 0.32],
        [0.62, 0.51, 0.60, 0.73, 0.57, 0.01, 0.07, 0.20, 0.33],
        [0.55, 0.47, 0.54, 0.90, 0.74, 0.00, 0.03, 0.12, 0.33],
        [0.99, 0.98, 0.98, 0.99, 0.98, 0.00, 0.01, 0.02, 0.48],
        [0.99, 0.98, 0.98, 0.99, 0.98, 0.00, 0.01, 0.02, 0.48],
    ]
)
"""One row a shape; all but the last entry in units of the vehicle."""


def _body(profile: NDArray[np.float64]) -> list[list[float]]:
    belt, nose, tail, screen, _, rear, *_ = profile.tolist()
    bonnet, boot = (belt - nose) / (1.0 - screen), (belt - tail) / max(rear, 0.01)
    return [
        [0.0, -1.0, 0.0, 1.0],
        [0.0, 1.0, 0.0, 1.0],
        [1.0, 0.0, 0.08, 1.04],
        [-1.0, 0.0, 0.06, 0.03],
        [0.0, 0.0, 1.0, belt],
        [bonnet, 0.0, 1.0, belt + bonnet * screen],
        [-boot, 0.0, 1.0, belt - boot * rear],
        [0.0, 0.0, -1.0, 0.0],
    ]


def _cabin(profile: NDArray[np.float64]) -> list[list[float]]:
    belt, _, _, screen, screen_top, rear, rear_top, lean, _ = profile.tolist()
    up = 1.0 - belt
    side = lean / up
    return [
        [0.0, -1.0, side, 1.0 + side * belt],
        [0.0, 1.0, side, 1.0 + side * belt],
        [up, 0.0, screen - screen_top, up * screen_top + screen - screen_top],
        [-up, 0.0, rear_top - rear, rear_top - rear - up * rear_top],
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, -1.0, 0.02 - belt],
    ]


def _block(start: float, stop: float, top: float) -> list[list[float]]:
    sides = [[0.0, -1.0, 0.02, 1.02], [0.0, 1.0, 0.02, 1.02], [1.0, 0.0, 0.02, stop + 0.02], [-1.0, 0.0, 0.0, -start]]
    return sides + [[0.0, 0.0, 1.0, top]] * 3 + [[0.0, 0.0, -1.0, 0.0]]


PLANES: NDArray[np.float64] = np.array(
    [
        *([_body(profile), _cabin(profile)] for profile in PROFILES[:HEAVY]),
        [_block(0.0, 1.0, 1.0), _block(0.0, 1.0, 1.0)],
        [_block(0.0, 0.74, 1.0), _block(0.77, 1.0, 0.8)],
    ]
)
"""Shape (shapes, 2 parts, 8 planes, 4): a point is inside where ``a u + b w + c v <= d`` for all planes of a part."""
