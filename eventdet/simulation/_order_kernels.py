"""Front to back: an order in which no shape comes after one that it hides.

Shapes are upright, so their footprints decide. Two convex footprints that do not touch have an edge of one of them
whose line parts them; the one on the camera's side of it cannot be hidden by the other.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, error_model="numpy")
def _side(x: NDArray[np.float64], z: NDArray[np.float64], x0: float, z0: float, dx: float, dz: float) -> int:
    """Return on which side of a line all corners lie: -1, 1, 0 when all on it, 2 when on both."""
    low, high = 0.0, 0.0
    for k in range(4):
        cross = (x[k] - x0) * dz - (z[k] - z0) * dx
        low, high = min(low, cross), max(high, cross)
    slack = 1e-6 * (abs(dx) + abs(dz))
    if low < -slack:
        return 2 if high > slack else -1
    return 1 if high > slack else 0


@njit(cache=True, nogil=True, error_model="numpy")
def _parted(ax: NDArray[np.float64], az: NDArray[np.float64], bx: NDArray[np.float64], bz: NDArray[np.float64]) -> int:
    """Return 1 when an edge of A shows that A comes first, -1 when one shows that B does, else 0."""
    for k in range(4):
        m = (k + 1) % 4
        dx, dz = ax[m] - ax[k], az[m] - az[k]
        if dx == 0.0 and dz == 0.0:
            continue
        other = _side(bx, bz, ax[k], az[k], dx, dz)
        own = _side(ax, az, ax[k], az[k], dx, dz)
        if other == 0 or other == 2 or own == other:
            continue
        camera = az[k] * dx - ax[k] * dz
        if camera != 0.0:
            return -1 if (camera > 0.0) == (other > 0) else 1
    return 0


@njit(cache=True, nogil=True, error_model="numpy")
def sort_front_to_back(
    x: NDArray[np.float64],
    z: NDArray[np.float64],
    span: NDArray[np.float64],
    behind: NDArray[np.bool_],
    blockers: NDArray[np.int64],
    order: NDArray[np.int64],
) -> None:
    """Write the order of footprints, which come in the order wanted where none hides another.

    `x`, `z` are corners, shape (n, 4); `span` is the range of ``x / z`` that each covers, shape (n, 2); `behind`
    (n, n) is scratch, False; `blockers` (n,) is scratch, 0; `order` (n,) receives the result.
    """
    count = x.shape[0]
    for a in range(count):
        for b in range(a + 1, count):
            if span[a, 0] >= span[b, 1] or span[b, 0] >= span[a, 1]:
                continue
            first = _parted(x[a], z[a], x[b], z[b])
            if first == 0:
                first = -_parted(x[b], z[b], x[a], z[a])
            if first > 0:
                behind[a, b] = True
                blockers[b] += 1
            elif first < 0:
                behind[b, a] = True
                blockers[a] += 1
    for place in range(count):
        chosen = -1
        for a in range(count):
            if blockers[a] == 0:
                chosen = a
                break
            # A ring of shapes that hide each other has no order: its first one goes.
            if blockers[a] > 0 and chosen < 0:
                chosen = a
        order[place] = chosen
        blockers[chosen] = -1
        for b in range(count):
            if behind[chosen, b] and blockers[b] > 0:
                blockers[b] -= 1
