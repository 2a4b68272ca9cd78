"""Which rows belong to which columns, so that all pairs together gain most."""

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError

__all__ = ["assign"]


def assign(gain: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of rows and columns that gain most together, each row and column in one pair at most.

    The optimum is exact and found here, as SciPy is no dependency: a greedy choice takes the nearest box first and
    swaps identities where objects pass each other.

    Parameters
    ----------
    gain : ndarray, shape (rows, columns), float64
        What a pair is worth; one that is worth nothing, or less, is never made.

    Returns
    -------
    rows, columns : ndarray, shape (pairs,), int64
        In the order of the rows.

    Raises
    ------
    OptionError
        When `gain` has not two axes, or a number that is not finite.

    Examples
    --------
    >>> rows, columns = assign(np.array([[0.9, 0.8], [0.8, 0.1], [0.2, 0.0]]))
    >>> rows.tolist(), columns.tolist()
    ([0, 1], [1, 0])
    """
    if gain.ndim != 2 or not np.isfinite(gain).all():
        raise OptionError(f"gain must be finite and of shape (rows, columns), got shape {gain.shape}")
    # What gains nothing is left out first: most pairs of boxes never meet.
    useful = gain > 0
    rows, columns = np.flatnonzero(useful.any(axis=1)), np.flatnonzero(useful.any(axis=0))
    if not rows.size:
        return rows, columns
    from ._assignment_kernels import assign_rows

    cost = -np.maximum(gain[np.ix_(rows, columns)], 0.0)
    is_tall = len(rows) > len(columns)
    chosen = np.empty(min(cost.shape), np.int64)
    assign_rows(np.ascontiguousarray(cost.T if is_tall else cost), chosen)
    pairs = (rows[chosen], columns) if is_tall else (rows, columns[chosen])
    is_pair = useful[pairs]
    order = np.argsort(pairs[0][is_pair])
    return pairs[0][is_pair][order], pairs[1][is_pair][order]
