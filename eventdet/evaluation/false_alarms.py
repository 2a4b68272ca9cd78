"""False positives where nothing is labelled, which average precision at label times never sees."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes

from .matching import Results

__all__ = ["FREE_MARGIN_US", "FalseAlarms", "count_false_alarms"]

FREE_MARGIN_US = 1_000_000
"""From a label to where nothing is labelled: Gen1 is labelled once a second at least while an object is in sight."""


class FalseAlarms(NamedTuple):
    """Detections on spans without labels."""

    num_boxes: int
    """Every box of every result there."""

    free_us: int
    """Length of these spans, microseconds."""

    @property
    def per_minute(self) -> float:
        """Boxes a minute; NaN when no span is free."""
        return self.num_boxes * 60e6 / self.free_us if self.free_us else float("nan")

    def plus(self, other: "FalseAlarms") -> "FalseAlarms":
        """Return both together."""
        return FalseAlarms(self.num_boxes + other.num_boxes, self.free_us + other.free_us)


def count_false_alarms(
    results: Results, labels: Boxes, *, least_score: float, margin_us: int = FREE_MARGIN_US
) -> FalseAlarms:
    """Return how many detections stand where nothing is labelled.

    Parameters
    ----------
    results : Results
        Of a recording; from the first to the last of them counts.
    labels : Boxes
        All labels of it, those that no protocol counts as well.
    least_score : float
        Detections below it do not count.
    margin_us : int
        A span begins so long after a label, and ends so long before the next.

    Examples
    --------
    >>> found = Results.of_boxes(Boxes.from_xyxy([[0, 0, 9, 9]] * 3, t=[0, 4_000_000, 9_000_000]))
    >>> count_false_alarms(found, Boxes.from_xyxy([[0, 0, 9, 9]], t=1_000_000), least_score=0.5)
    FalseAlarms(num_boxes=2, free_us=7000000)
    """
    if not len(results.t_us):
        return FalseAlarms(0, 0)
    spans = _free_spans(np.unique(labels.t), int(results.t_us[0]), int(results.t_us[-1]), margin_us)
    stamps = results.boxes.t[results.boxes.score >= least_score]
    inside = [np.count_nonzero((stamps >= begin) & (stamps <= end)) for begin, end in spans]
    return FalseAlarms(int(sum(inside)), sum(end - begin for begin, end in spans))


def _free_spans(label_t_us: NDArray[np.int64], first_us: int, last_us: int, margin_us: int) -> list[tuple[int, int]]:
    begins = [first_us, *(label_t_us + margin_us).tolist()]
    ends = [*(label_t_us - margin_us).tolist(), last_us]
    clipped = ((max(begin, first_us), min(end, last_us)) for begin, end in zip(begins, ends, strict=True))
    return [(begin, end) for begin, end in clipped if begin < end]
