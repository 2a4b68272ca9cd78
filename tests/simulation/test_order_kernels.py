"""Front to back against depths along rays."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.simulation._order_kernels import sort_front_to_back


def ordered(x: NDArray[np.float64], z: NDArray[np.float64]) -> list[int]:
    ratio = x / z
    span = np.stack([ratio.min(axis=1), ratio.max(axis=1)], axis=1)
    count = len(x)
    order = np.full(count, -1, np.int64)
    sort_front_to_back(x, z, span, np.zeros((count, count), np.bool_), np.zeros(count, np.int64), order)
    return [int(k) for k in order]


def depth_on_ray(x: NDArray[np.float64], z: NDArray[np.float64], slope: float) -> float:
    """Return the nearest depth at which x = slope z meets the outline of one footprint, or infinity."""
    depths = []
    for k in range(4):
        x0, z0, x1, z1 = x[k], z[k], x[(k + 1) % 4], z[(k + 1) % 4]
        # The signed distance from the ray changes along the edge from a to b.
        a, b = x0 - slope * z0, x1 - slope * z1
        if a * b < 0.0:
            depths.append(z0 + (z1 - z0) * a / (a - b))
    return min(depths, default=np.inf)


CELLS = st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 6)), min_size=1, max_size=12, unique=True)


@settings(deadline=None)
@given(CELLS, st.integers(0, 2**32 - 1))
def test_nearer_footprints_come_first_on_every_ray(cells: list[tuple[int, int]], seed: int) -> None:
    # One turned box or plane in each cell of a grid of 10 m: they cannot touch.
    rng = np.random.default_rng(seed)
    xs, zs = [], []
    for column, row in cells:
        angle = rng.uniform(0, 2 * np.pi)
        half = np.array([rng.uniform(0.5, 3.0), rng.choice([0.0, rng.uniform(0.5, 3.0)])])
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([np.sin(angle), -np.cos(angle)])
        signs = ((-1, -1), (-1, 1), (1, 1), (1, -1))
        corner = np.array([s * half[0] * along + t * half[1] * across for s, t in signs])
        xs.append(10 * column + corner[:, 0])
        zs.append(10 * row + corner[:, 1])
    x, z = np.array(xs), np.array(zs)
    order = ordered(x, z)
    assert sorted(order) == list(range(len(cells)))
    for slope in np.linspace(-3, 3, 121) + 1e-4:
        met = [depth_on_ray(x[k], z[k], slope) for k in order]
        met = [depth for depth in met if depth < np.inf]
        assert met == sorted(met)


def test_footprints_side_by_side_keep_the_order_they_come_in() -> None:
    x = np.array([[10.0, 12, 12, 10], [-12.0, -10, -10, -12], [-1.0, 1, 1, -1]])
    z = np.array([[10.0, 10, 12, 12]] * 3)
    assert ordered(x, z) == [0, 1, 2]
    assert ordered(x[:0], z[:0]) == []
