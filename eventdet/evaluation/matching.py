"""Which results belong to a label time: what a detector said exactly then, around then, or last before.

Labels come a few times a second and results at a detector's own pace. The choice moves the score of one and the same
detector: all results around a label are mostly repeats of each other, and all but one of them count as false.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError, check_option

__all__ = ["MATCHINGS", "Results", "boxes_at"]

MATCHINGS = ("exact", "all-in-window", "newest-before")
"""Results stamped as the label; all within a tolerance, as Prophesee's toolbox takes them; the newest one by then."""


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What a detector gave for a recording."""

    boxes: Boxes
    """Of all results, in the order of time, each stamped as its result."""

    t_us: NDArray[np.int64]
    """Shape (n,): stamps of the results, rising, those without boxes included."""

    latency_us: NDArray[np.int64] | None = None
    """Shape (n,): from the stamp until the result was there; None when that is not known."""

    def __post_init__(self) -> None:
        """Check order and shape.

        Raises
        ------
        OptionError
            When the stamps do not rise, a box belongs to none of them, or there are not as many latencies.
        """
        if np.any(np.diff(self.t_us) <= 0):
            raise OptionError("stamps of results must rise", hint="evaluate one recording at a time")
        if np.any(np.diff(self.boxes.t) < 0) or not np.isin(self.boxes.t, self.t_us).all():
            raise OptionError("boxes of results must be in the order of time, each stamped as a result")
        if self.latency_us is not None and self.latency_us.shape != self.t_us.shape:
            raise OptionError(f"latency_us must be of shape {self.t_us.shape}, got {self.latency_us.shape}")

    @classmethod
    def of_boxes(cls, boxes: Boxes) -> "Results":
        """Return the results that boxes in any order tell of; those without boxes have left no trace."""
        ordered = boxes[np.argsort(boxes.t, kind="stable")]
        return cls(ordered, np.unique(ordered.t))

    def at(self, t_us: int) -> Boxes:
        """Return the boxes stamped exactly `t_us`."""
        return self.within(t_us, t_us)

    def within(self, first_us: int, last_us: int) -> Boxes:
        """Return the boxes with ``first_us <= t <= last_us``."""
        begin, end = np.searchsorted(self.boxes.t, first_us), np.searchsorted(self.boxes.t, last_us, side="right")
        return self.boxes[int(begin) : int(end)]

    def replaced(self, boxes: Boxes) -> "Results":
        """Return the same results with other boxes, e.g. after a filter."""
        return Results(boxes, self.t_us, self.latency_us)


def boxes_at(
    results: Results, label_t_us: NDArray[np.int64], *, matching: str, tolerance_us: int | None = None
) -> tuple[list[Boxes], int]:
    """Return the boxes that stand for each label time, and how many label times no result belongs to.

    Parameters
    ----------
    results : Results
        Of the same recording. Where latencies are known, ``newest-before`` takes the newest *finished* result; to leave
        them out of account, give results without.
    label_t_us : ndarray, shape (n,), int64
        Label times, microseconds.
    matching : str
        One of `MATCHINGS`.
    tolerance_us : int, optional
        ``all-in-window``: farthest from the label, before and after; needed. ``newest-before``: an older result has
        expired; None: none ever does.

    Raises
    ------
    OptionError
        When the matching is unknown, or a tolerance is missing or negative.

    Examples
    --------
    >>> found = Results.of_boxes(Boxes.from_xyxy([[0, 0, 9, 9]] * 3, t=[100, 200, 300]))
    >>> [len(boxes_at(found, np.array([250]), matching="all-in-window", tolerance_us=50)[0][0])]
    [2]
    >>> boxes_at(found, np.array([250]), matching="newest-before")[0][0].t.tolist()
    [200]
    """
    check_option("matching", matching, MATCHINGS)
    if tolerance_us is None and matching == "all-in-window":
        raise OptionError("matching all-in-window needs a tolerance", hint="Prophesee's toolbox has 50 ms")
    if tolerance_us is not None and tolerance_us < 0:
        raise OptionError(f"tolerance_us must be >= 0, got {tolerance_us}")
    stamps = label_t_us.tolist()
    if matching == "newest-before":
        newest = _newest_stamps(results, label_t_us, tolerance_us)
        found = [Boxes.empty() if stamp is None else results.at(stamp) for stamp in newest]
        return found, newest.count(None)
    reach = (tolerance_us or 0) if matching == "all-in-window" else 0
    first, last = (
        np.searchsorted(results.t_us, label_t_us - reach),
        np.searchsorted(results.t_us, label_t_us + reach, side="right"),
    )
    return [results.within(stamp - reach, stamp + reach) for stamp in stamps], int(np.count_nonzero(first == last))


def _newest_stamps(results: Results, label_t_us: NDArray[np.int64], tolerance_us: int | None) -> list[int | None]:
    """Return the stamp of the newest result that is there at each label time, None for none."""
    # Results come in order: one that was late holds up those behind it.
    finished = results.t_us if results.latency_us is None else np.maximum.accumulate(results.t_us + results.latency_us)
    newest = np.searchsorted(finished, label_t_us, side="right") - 1
    stamps: list[int | None] = []
    for label_us, index in zip(label_t_us.tolist(), newest.tolist(), strict=True):
        stamp = int(results.t_us[index]) if index >= 0 else None
        expired = stamp is not None and tolerance_us is not None and label_us - stamp > tolerance_us
        stamps.append(None if expired else stamp)
    return stamps
