"""What the kernels that read raw events share: the bin of a stamp and the place of a pixel.

A tensor cell is found from integers alone. The bin: by comparing the stamp with the two edges of the current bin; a
division happens only when a stamp leaves it, so events in time order cost one comparison, and events in any other
order give the same tensor, save for the rounding of float32 sums. The pixel: by two look-ups, whose tables end in an
entry for every coordinate beyond the sensor; that costs no branch for scaling, cropping or a stray coordinate, and no
index leaves the tensor whatever the tables of a ``PixelMap`` say.
"""

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Integer", "bin_and_edges", "pixel_steps"]

Integer: TypeAlias = int | np.int64
"""A number inside a kernel; Numba reads no annotation, the type checker sees both forms."""

_CUT = -(1 << 40)
"""Look-up entry of a column or row that is cut away: no sum with another entry is a pixel."""


@njit(cache=True, nogil=True)
def bin_and_edges(stamp: Integer, t0: int, length: int, bins: int) -> tuple[int, int, int]:
    """Return the bin of `stamp`, the first stamp of that bin, and the first stamp after it."""
    index = int(stamp - t0) * bins // length
    lower = t0 - (-index * length // bins)
    upper = t0 - (-(index + 1) * length // bins)
    return index, lower, upper


@njit(cache=True, nogil=True)
def pixel_steps(targets: NDArray[np.int32], limit: int, step: int) -> NDArray[np.int64]:
    """Return what each coordinate adds to the flat index of a pixel; the last entry stands for all beyond."""
    added = np.full(len(targets) + 1, _CUT, np.int64)
    for i in range(len(targets)):
        if 0 <= targets[i] < limit:
            added[i] = targets[i] * step
    return added
