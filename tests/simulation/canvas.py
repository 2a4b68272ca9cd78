"""An empty picture to draw into."""

import numpy as np

from eventdet.simulation._canvas import Canvas


def make_canvas(*, height: int = 240, width: int = 304, objects: int = 1) -> Canvas:
    shape = (height, width)
    return Canvas(
        image=np.zeros(shape, np.float32),
        lamps=np.zeros((0, 0), np.float32),
        through=np.ones(shape, np.float32),
        owner=np.zeros(shape, np.int32),
        reach=np.zeros(objects + 1, np.int64),
    )
