"""Synthetic events with the statistics of a drive: upright edges that sweep across the sensor, and noise."""

import numpy as np

from eventdet.events import Events
from eventdet.geometry import GEN1

__all__ = ["traffic"]

_NUM_EDGES = 12
_NOISE_SHARE = 0.12


def traffic(num_events: int, duration_us: int, *, seed: int = 1) -> Events:
    """Return events of a Gen1 sensor in time order, the same for the same arguments."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, duration_us, num_events))
    edge = rng.integers(0, _NUM_EDGES, num_events)
    speed = np.linspace(20, 150, _NUM_EDGES)
    x = (edge * 25 + speed[edge] * t / 1e6 + rng.normal(0, 1.5, num_events)) % GEN1.width
    y = rng.normal(GEN1.height / 2, GEN1.height / 6, num_events).clip(0, GEN1.height - 1)
    noise = rng.random(num_events) < _NOISE_SHARE
    x[noise] = rng.uniform(0, GEN1.width, noise.sum())
    y[noise] = rng.uniform(0, GEN1.height, noise.sum())
    return Events(t, x.astype(np.uint16), y.astype(np.uint16), rng.integers(0, 2, num_events, np.uint8))
