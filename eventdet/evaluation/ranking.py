"""How well a score tells two kinds of things apart, whatever threshold is chosen."""

import numpy as np
from numpy.typing import ArrayLike

from eventdet.errors import OptionError

__all__ = ["roc_auc"]


def roc_auc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Return the area under the ROC curve, as the share of pairs that are in order.

    It is the statistic of Mann and Whitney (1947) over the number of pairs: a pair counts 1 where the positive has the
    higher score, and a half where both have the same.

    Parameters
    ----------
    positive, negative : array_like, shape (n,) and (m,)
        Scores of what should score high, and of what should score low; one or more each.

    Returns
    -------
    float
        In [0, 1]; 0.5 is chance.

    Raises
    ------
    OptionError
        When one side is empty, not one-dimensional, or holds NaN.

    Examples
    --------
    >>> roc_auc([0.9, 0.4], [0.1, 0.4])
    0.875
    """
    high, low = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    for name, scores in (("positive", high), ("negative", low)):
        if scores.ndim != 1 or not scores.size or np.isnan(scores).any():
            raise OptionError(f"{name} must be one or more numbers in a row, got {scores.size} of shape {scores.shape}")
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, side="left")
    up_to = np.searchsorted(ordered, high, side="right")
    # Integers: the sum is exact.
    return int(below.sum() + up_to.sum()) / (2 * high.size * low.size)
