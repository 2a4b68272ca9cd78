"""Numba kernels of average precision: who claims which label, and what precision each recall is reached with.

Every detection is held against every label of its image and class once; the claims of all size ranges and overlap
thresholds follow from these overlaps.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["HIT", "IGNORED", "MISS", "average_hits", "match_boxes"]

MISS, HIT, IGNORED = 0, 1, 2
"""What becomes of a detection; an ignored one counts neither for nor against."""

_HIGHEST_THRESHOLD = 1 - 1e-10
"""A perfect overlap passes every threshold in spite of rounding."""


@njit(cache=True, nogil=True)
def _overlap(a: NDArray[np.float64], b: NDArray[np.float64], b_is_crowd: bool) -> float:
    """Return the intersection over the union of two boxes, over `a` alone with a crowd; 0 where they do not meet."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    whole = (a[2] - a[0]) * (a[3] - a[1])
    if not b_is_crowd:
        whole += (b[2] - b[0]) * (b[3] - b[1]) - shared
    overlap: float = shared / whole
    return overlap


@njit(cache=True, nogil=True)
def _claim(
    overlaps: NDArray[np.float64],
    sizes: NDArray[np.float64],
    crowds: NDArray[np.bool_],
    taken: NDArray[np.bool_],
    size_range: NDArray[np.float64],
    threshold: float,
) -> int:
    """Return the free label that overlaps most, -1 for none; crowds, which stay free, and other sizes come last."""
    for is_outside in (False, True):
        best, least = -1, min(threshold, _HIGHEST_THRESHOLD)
        for label in range(len(overlaps)):
            is_ignored = crowds[label] or sizes[label] < size_range[0] or sizes[label] > size_range[1]
            if (taken[label] and not crowds[label]) or is_ignored != is_outside:
                continue
            # Of equal overlaps the last wins, as in the reference evaluator.
            if overlaps[label] >= least:
                best, least = label, overlaps[label]
        if best >= 0:
            return best
    return -1


@njit(cache=True, nogil=True)
def match_boxes(
    found: NDArray[np.float64],
    found_starts: NDArray[np.int64],
    true: NDArray[np.float64],
    true_starts: NDArray[np.int64],
    areas: NDArray[np.float64],
    crowds: NDArray[np.bool_],
    size_ranges: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    only_best: bool,
    overlaps: NDArray[np.float64],
    taken: NDArray[np.bool_],
    outcome: NDArray[np.uint8],
) -> None:
    """Fill `outcome` (ranges, thresholds, detections) with what becomes of each detection.

    `found` and `true` hold corners, sorted by group (image and class), detections within it by falling score; the
    starts say where each group begins. `areas` and `crowds` are those of the labels. `overlaps` and `taken` (ranges,
    thresholds, labels) are scratch for the largest group of labels. With `only_best` a detection asks for no label but
    the one that it overlaps most.
    """
    for group in range(len(found_starts) - 1):
        first, count = true_starts[group], true_starts[group + 1] - true_starts[group]
        taken[:, :, :count] = False
        sizes, is_crowd = areas[first : first + count], crowds[first : first + count]
        for index in range(found_starts[group], found_starts[group + 1]):
            box = found[index]
            size = (box[2] - box[0]) * (box[3] - box[1])
            best = 0
            for label in range(count):
                overlaps[label] = _overlap(box, true[first + label], is_crowd[label])
                if overlaps[label] > overlaps[best]:
                    best = label
            begin, end = (best, min(best + 1, count)) if only_best else (0, count)
            for area in range(len(size_ranges)):
                low, high = size_ranges[area]
                for row in range(len(thresholds)):
                    label = begin + _claim(
                        overlaps[begin:end],
                        sizes[begin:end],
                        is_crowd[begin:end],
                        taken[area, row, begin:end],
                        size_ranges[area],
                        thresholds[row],
                    )
                    if label < begin:
                        outcome[area, row, index] = IGNORED if size < low or size > high else MISS
                    else:
                        taken[area, row, label] = True
                        is_ignored = is_crowd[label] or sizes[label] < low or sizes[label] > high
                        outcome[area, row, index] = IGNORED if is_ignored else HIT


@njit(cache=True, nogil=True)
def average_hits(
    outcome: NDArray[np.uint8],
    ranks: NDArray[np.int64],
    num_labels: NDArray[np.int64],
    max_detections: NDArray[np.int64],
    recalls: NDArray[np.float64],
    curve: NDArray[np.float64],
    precision: NDArray[np.float64],
    recall: NDArray[np.float64],
) -> None:
    """Fill `precision` (thresholds, recalls, ranges) and `recall` (thresholds, ranges, limits) of one class.

    `outcome` (ranges, thresholds, n) and `ranks` are sorted by falling score over all images; a rank is the place of a
    detection in its image. The last limit of `max_detections` is the largest, and that of the precision. Precision
    peaks where a label is found, so `curve`, scratch for one value a label, holds all that the envelope needs.
    """
    for area in range(outcome.shape[0]):
        count = num_labels[area]
        if count == 0:
            continue
        for row in range(outcome.shape[1]):
            hits = 0
            for limit in range(len(max_detections)):
                hits = misses = 0
                for index in range(outcome.shape[2]):
                    if ranks[index] >= max_detections[limit]:
                        continue
                    if outcome[area, row, index] == HIT:
                        hits += 1
                        curve[hits - 1] = hits / (hits + misses)
                    elif outcome[area, row, index] == MISS:
                        misses += 1
                recall[row, area, limit] = hits / count
            for place in range(hits - 2, -1, -1):
                curve[place] = max(curve[place], curve[place + 1])
            place = 0
            for step in range(len(recalls)):
                while place < hits and (place + 1) / count < recalls[step]:
                    place += 1
                precision[row, step, area] = curve[place] if place < hits else 0.0
