"""Anchors from boxes: k-means of their sides, refined by chance towards the fitness that YOLOv5 takes.

A box is learnt by the anchors whose sides are within a factor of four of its own, so what counts is not how far an
anchor is from the mean of its boxes but by which factor the worse of its two sides is off.
"""

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError

from .config import Anchors

__all__ = ["anchor_fitness", "best_possible_recall", "fit_anchors"]

ANCHOR_RATIO = 4.0
"""Largest factor between a side of a box and of an anchor that learns it."""

ANCHORS_PER_SCALE = 3

_LLOYD_STEPS = 50
_MUTATIONS = 1000
_MOST_BOXES = 20_000
"""Boxes that the fitness is computed over: more change it in the third digit."""


def fit_anchors(
    sides: NDArray[np.floating], *, scales: int, per_scale: int = ANCHORS_PER_SCALE, seed: int = 0
) -> Anchors:
    """Return anchors for boxes, in whole pixels, small ones first.

    Parameters
    ----------
    sides : ndarray, shape (n, 2), floating
        Width and height of every box, in input pixels, both > 0.
    scales, per_scale : int
        Output scales, and anchors of each.
    seed : int
        Of first centres and mutations.

    Returns
    -------
    Anchors
        Width and height, by scale.

    Raises
    ------
    OptionError
        When a side is not > 0, or there are fewer different boxes than anchors.

    Examples
    --------
    >>> boxes = np.array([[10, 20], [11, 21], [40, 30], [90, 80], [200, 100], [180, 110], [60, 60.0]])
    >>> [len(scale) for scale in fit_anchors(boxes, scales=2)]
    [3, 3]
    """
    sides = np.asarray(sides, np.float64).reshape(-1, 2)
    if not (np.isfinite(sides).all() and (sides > 0).all()):
        raise OptionError("sides of boxes must be finite and > 0")
    num_anchors = scales * per_scale
    distinct = len(np.unique(np.round(sides), axis=0))
    if distinct < num_anchors:
        raise OptionError(
            f"anchors need boxes of at least {num_anchors} different sizes, got {distinct}",
            hint="use --anchors gen1 or --anchors coco",
        )
    rng = np.random.default_rng(seed)
    if len(sides) > _MOST_BOXES:
        sides = sides[rng.choice(len(sides), _MOST_BOXES, replace=False)]
    anchors = _evolve(_centres(sides, num_anchors, rng), sides, rng)
    rounded = anchors.round().clip(min=1)
    ordered = rounded[np.argsort(rounded.prod(1), kind="stable")]
    return tuple(
        tuple((float(width), float(height)) for width, height in scale)
        for scale in ordered.reshape(scales, per_scale, 2)
    )


def anchor_fitness(anchors: NDArray[np.floating], sides: NDArray[np.floating]) -> float:
    """Return the mean, over boxes, of how well the best anchor fits: 1 is perfect, a side off by a factor of 2 is 0.5.

    Boxes that no anchor is within a factor of 4 of count 0 (Jocher et al., YOLOv5).

    Parameters
    ----------
    anchors : ndarray, shape (k, 2), floating
        Width and height.
    sides : ndarray, shape (n, 2), floating
        Of the boxes, in the same unit.
    """
    best = _best_fits(np.asarray(anchors, np.float64), np.asarray(sides, np.float64))
    return float(np.where(best > 1 / ANCHOR_RATIO, best, 0.0).mean())


def best_possible_recall(anchors: Anchors, sides: NDArray[np.floating]) -> float:
    """Return the share of the boxes that at least one anchor learns; `sides` as in :func:`anchor_fitness`."""
    flat = np.array([anchor for scale in anchors for anchor in scale], np.float64)
    return float((_best_fits(flat, np.asarray(sides, np.float64)) > 1 / ANCHOR_RATIO).mean())


def _best_fits(anchors: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = sides[:, None] / anchors[None]
    best: NDArray[np.float64] = np.minimum(ratio, 1 / ratio).min(2).max(1)
    return best


def _centres(sides: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the means of `count` clusters of boxes (Lloyd 1982), each axis in units of its deviation."""
    spread = np.maximum(sides.std(0), 1e-9)
    points = sides / spread
    distinct = np.unique(points, axis=0)
    centres = distinct[rng.choice(len(distinct), 1)]
    while len(centres) < count:
        # k-means++ (Arthur and Vassilvitskii 2007): far from all centres so far, by chance.
        distance = np.square(distinct[:, None] - centres[None]).sum(2).min(1)
        centres = np.vstack((centres, distinct[rng.choice(len(distinct), 1, p=distance / distance.sum())]))
    for _ in range(_LLOYD_STEPS):
        nearest = np.square(points[:, None] - centres[None]).sum(2).argmin(1)
        sizes = np.bincount(nearest, minlength=count)
        sums = np.stack([np.bincount(nearest, points[:, axis], count) for axis in (0, 1)], axis=1)
        moved = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.asarray(centres * spread, np.float64)


def _evolve(anchors: NDArray[np.float64], sides: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return anchors that fit at least as well: some sides are changed by chance, and kept when that was for good."""
    fitness = anchor_fitness(anchors, sides)
    for _ in range(_MUTATIONS):
        factors = np.where(rng.random(anchors.shape) < 0.9, 1 + 0.1 * rng.random() * rng.normal(size=anchors.shape), 1)
        changed = np.maximum(anchors * factors.clip(0.3, 3.0), 2.0)
        if (better := anchor_fitness(changed, sides)) > fitness:
            anchors, fitness = changed, better
    return anchors
