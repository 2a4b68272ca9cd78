"""Events as the records of a DAT file, which are also what our wire carries."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack_dat"]


def pack_dat(
    t: NDArray[np.integer], x: NDArray[np.integer], y: NDArray[np.integer], p: NDArray[np.integer | np.bool_]
) -> NDArray[np.uint32]:
    """Return events as DAT records.

    Parameters
    ----------
    t : ndarray, shape (n,), integer
        Microseconds; the lower 32 bits are kept.
    x, y : ndarray, shape (n,), integer
        Column and row, at most 16383.
    p : ndarray, shape (n,), integer or bool
        Polarity, 0 or 1.

    Returns
    -------
    ndarray, shape (n, 2), uint32
        Stamp and word of each event, little endian.
    """
    records = np.empty((len(t), 2), "<u4")
    # Casting to fewer bits keeps the lower ones.
    records[:, 0] = t.astype(np.uint32)
    records[:, 1] = x | y.astype(np.uint32) << 14 | p.astype(np.uint32) << 28
    return records
