"""When a recording is labelled, how people label, and what only a simulator knows."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

import numpy as np

from eventdet.boxes import Boxes
from eventdet.units import MICROSECONDS_PER_SECOND

from .config import SimulationConfig
from .renderer import Renderer
from .reproducible import Draws
from .scene import make_scene
from .truth import GroundTruth

__all__ = ["FIRST_LABEL_US", "ground_truth", "label_at", "label_times"]

FIRST_LABEL_US = 500_000
"""Gen1's evaluation skips the first half second, so no label is earlier."""

_MISSED_SHARE = 0.04
_LATEST_US = 20_000
_EDGE_PIXELS = 2.0


def label_times(config: SimulationConfig) -> Iterator[int]:
    """Yield the times of the labels, microseconds, without end."""
    number = 0
    while True:
        yield FIRST_LABEL_US + int(number * MICROSECONDS_PER_SECOND / config.label_rate_hz)
        number += 1


def label_at(renderer: Renderer, t_us: int, config: SimulationConfig) -> Boxes:
    """Return the labels of a time, exact or, where the configuration wants it, with the faults of people.

    People draw on a picture up to 20 ms old, every edge is off by up to two pixels, and one box in 25 is missing.

    Parameters
    ----------
    renderer : Renderer
        Of the scene.
    t_us : int
        Time of the labels, microseconds; that is what they say.
    config : SimulationConfig
        The recording.
    """
    if not config.label_noise:
        return renderer.boxes(t_us)
    draw = Draws(config.seed, f"people label at {t_us}")
    exact = renderer.boxes(t_us - int(draw.uniform(0.0, _LATEST_US)))
    found = exact[np.array([not draw.chance(_MISSED_SHARE) for _ in range(len(exact))], np.bool_)]
    off = [draw.uniform(-_EDGE_PIXELS, _EDGE_PIXELS) for _ in range(found.xyxy.size)]
    drawn = found.xyxy + np.array(off, np.float32).reshape(-1, 4)
    return replace(found, xyxy=drawn, t=np.full(len(found), t_us, np.int64)).clipped(config.size)


def ground_truth(config: SimulationConfig) -> GroundTruth:
    """Return what only a simulator knows about the labels of a recording; nothing is filmed for it.

    Parameters
    ----------
    config : SimulationConfig
        The recording.

    Returns
    -------
    GroundTruth
        At every label time within the duration.

    Raises
    ------
    OptionError
        When the duration is outside its rule.
    """
    scene = make_scene(config.seed, config.duration_us, preset=config.preset, size=config.size)
    renderer = Renderer(scene)
    times = takewhile(lambda t_us: t_us < config.duration_us, label_times(config))
    return GroundTruth.concatenate(renderer.truth(t_us) for t_us in times)
