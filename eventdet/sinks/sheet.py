"""A sheet of small pictures for the eye: what scenes look like to a person and to the camera."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eventdet.drawing import Style, draw_boxes, render_frame
from eventdet.simulation import Renderer, SimulationConfig, make_scene, simulate
from eventdet.simulation.filming import to_grey

__all__ = ["SHEET_TIME_US", "draw_sheet"]

SHEET_TIME_US = 1_000_000
"""When the pictures are taken, microseconds from the start."""

_WINDOW_US = 50_000
_COLUMNS = 2
_GAP = 4
_STYLE = Style(scale=1, line_width=1, show_tags=False, show_header=False)


def draw_sheet(configs: Sequence[SimulationConfig]) -> NDArray[np.uint8]:
    """Return a sheet with two recordings in a row, each as grey picture and as events, both with their boxes.

    Parameters
    ----------
    configs : sequence of SimulationConfig
        At least one; all of one size. Their durations do not count: each is filmed for as long as the sheet needs.

    Returns
    -------
    ndarray, shape (rows, columns, 3), uint8
        RGB.
    """
    pairs = [_pair(config) for config in configs]
    pairs += [np.zeros_like(pairs[0])] * (-len(pairs) % _COLUMNS)
    rows = [np.concatenate(pairs[k : k + _COLUMNS], axis=1) for k in range(0, len(pairs), _COLUMNS)]
    return np.concatenate(rows)


def _pair(config: SimulationConfig) -> NDArray[np.uint8]:
    scene = make_scene(config.seed, SHEET_TIME_US, preset=config.preset, size=config.size)
    renderer = Renderer(scene)
    boxes = renderer.boxes(SHEET_TIME_US)
    grey = np.repeat(to_grey(renderer.light(SHEET_TIME_US))[:, :, None], 3, axis=2)
    shown = draw_boxes(grey, boxes, style=_STYLE)
    filmed = simulate(SimulationConfig(config.seed, SHEET_TIME_US, config.preset, config.sensor, size=config.size))
    window = filmed.events.between(SHEET_TIME_US - _WINDOW_US, SHEET_TIME_US)
    seen = render_frame(window, config.size, labels=boxes, style=_STYLE)
    return np.pad(np.concatenate([shown, seen], axis=1), ((0, _GAP), (0, _GAP), (0, 0)))
