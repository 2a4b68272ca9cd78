"""Two-threshold association after ByteTrack (Zhang et al., 2022, algorithm 1), in microseconds in place of frames."""

from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes, pairwise_iou
from eventdet.errors import OptionError
from eventdet.geometry import SensorSize

from .assignment import assign
from .motion import Motion, Noise, correct, predict, start

__all__ = ["Tracker", "TrackerConfig", "Tracks"]


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """Rules of a tracker; overlaps are intersections over unions.

    Each default was varied alone on synthetic drives with the bundled weights: docs/evaluation.md has the scores.
    """

    high_score: float = 0.4
    """Detections from this score on may begin a track and find any track again."""

    low_score: float = 0.1
    """Detections from this score on go on with a track that was seen in the window before; lower ones do not count."""

    new_score: float = 0.6
    """A track begins at this score."""

    high_iou: float = 0.2
    """Least overlap of a track with a detection of high score."""

    low_iou: float = 0.5
    """Least overlap of a track with a detection of low score."""

    new_iou: float = 0.3
    """Least overlap of a track that is not yet sure with a detection of high score."""

    sure_after: int = 2
    """Detections, one in each window, until a track is told; one that is missed earlier was noise."""

    keep_us: int = 1_000_000
    """Microseconds without a detection after which a track ends; until then it may be found again."""

    predict_us: int = 100_000
    """Microseconds without a detection through which a track is told all the same, where it should be."""

    max_tracks: int = 512
    """Most tracks at a time; those longest unseen make room."""

    noise: Noise = field(default_factory=Noise)
    """How little boxes and constant velocities can be trusted."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises
        ------
        OptionError
            When a value is outside its rule.
        """
        for name in ("high_iou", "low_iou", "new_iou"):
            if not 0 <= getattr(self, name) < 1:
                raise OptionError(f"{name} must be in [0, 1), got {getattr(self, name)}")
        if not 0 <= self.low_score <= self.high_score <= self.new_score <= 1:
            scores = (self.low_score, self.high_score, self.new_score)
            raise OptionError(f"low_score, high_score and new_score must be in [0, 1] and not fall, got {scores}")
        if not 0 <= self.predict_us <= self.keep_us:
            raise OptionError(f"predict_us must be in 0..keep_us = {self.keep_us}, got {self.predict_us}")
        for name in ("sure_after", "max_tracks"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be >= 1, got {getattr(self, name)}")
        for item in fields(self.noise):
            if not 0 < getattr(self.noise, item.name) < float("inf"):
                raise OptionError(f"noise.{item.name} must be > 0, got {getattr(self.noise, item.name)}")


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The tracks of a window, in the order of their ids."""

    boxes: Boxes
    """Where the filter has them, with their `track_id` and the score of their last detection."""

    age_us: NDArray[np.int64]
    """Shape (n,): microseconds since the track began."""

    velocity: NDArray[np.float32]
    """Shape (n, 2): of the centre, to the right and down, in pixels a second."""

    is_predicted: NDArray[np.bool_]
    """Shape (n,): whether the box is where the track should be, without a detection in this window."""

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.boxes)


@dataclass(frozen=True, slots=True, eq=False)
class _Alive:
    """Every track that may be found again, one a row, in the order of the ids."""

    motion: Motion
    class_id: NDArray[np.int64]
    score: NDArray[np.float32]
    track_id: NDArray[np.int64]
    begun_us: NDArray[np.int64]
    seen_us: NDArray[np.int64]
    """Of the last detection."""
    num_seen: NDArray[np.int64]
    """Detections so far, no further than until the track is sure."""

    def __len__(self) -> int:
        return len(self.track_id)

    def __getitem__(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> "_Alive":
        if index.dtype == np.bool_ and index.all():
            return self
        return _Alive(*(getattr(self, item.name)[index] for item in fields(self)))

    @classmethod
    def begun(cls, boxes: Boxes, t_us: int, first_id: int, noise: Noise) -> "_Alive":
        """Return new tracks at detections."""
        stamps, ones = np.full(len(boxes), t_us, np.int64), np.ones(len(boxes), np.int64)
        track_id = np.arange(first_id, first_id + len(boxes), dtype=np.int64)
        return cls(start(boxes.xyxy, noise), boxes.class_id, boxes.score, track_id, stamps, stamps, ones)

    def plus(self, other: "_Alive") -> "_Alive":
        """Return both."""
        if not len(other):
            return self
        joined = [
            np.concatenate([getattr(self, item.name), getattr(other, item.name)])
            for item in fields(self)
            if item.name != "motion"
        ]
        return _Alive(Motion.concatenate([self.motion, other.motion]), *joined)


class Tracker:
    """Gives boxes of successive windows the ids of the objects that they show.

    Tracks are predicted to the time of the window. Detections of high score find tracks first, lost ones too; those of
    low score then go on with tracks that were seen in the window before, and never begin one: objects fade before they
    vanish, and what fades in from nothing is mostly noise. Boxes of different classes never meet. Each step makes the
    pairs whose overlaps exceed its least overlap by most in sum.

    The time of an update is whatever the caller says: windows may overlap, be missing, or come at any pace. Detections
    of windows that overlap share events, and so their errors; the filter takes them for independent.

    Parameters
    ----------
    config : TrackerConfig, optional
        Rules; the defaults when left out.
    sensor_size : SensorSize, optional
        Boxes are cut to it, and a track that leaves it ends; None: no edge is known.

    Examples
    --------
    >>> tracker = Tracker()
    >>> for t_us, left in ((0, 10), (50_000, 12), (120_000, 14.8)):
    ...     tracks = tracker.update(Boxes.from_xywh([[left, 20, 40, 30]], t=t_us), t_us)
    >>> tracks.boxes.track_id.tolist(), tracks.age_us.tolist(), bool(tracks.velocity[0, 0] > 20)
    ([1], [120000], True)
    >>> tracker.update(Boxes.empty(), 170_000).is_predicted.tolist()
    [True]
    """

    def __init__(self, config: TrackerConfig | None = None, *, sensor_size: SensorSize | None = None) -> None:
        self.config = TrackerConfig() if config is None else config
        """Rules."""
        self._size = sensor_size
        self._next_id = 1
        # Loads the kernel, which takes up to seconds: in a live stream the first two boxes would wait for it.
        assign(np.ones((1, 1)))
        self.reset()

    def reset(self) -> None:
        """Forget every track, after a seek or a jump of time; ids go on, so that none ever means two objects."""
        self._alive = _Alive.begun(Boxes.empty(), 0, 0, self.config.noise)
        self._t_us: int | None = None

    def update(self, boxes: Boxes, t_us: int) -> Tracks:
        """Return the tracks at the time of a window.

        Parameters
        ----------
        boxes : Boxes
            Detections of the window, those of low score too; none is an answer like any other. Their own stamps and
            track ids are not looked at.
        t_us : int
            Time of the window, microseconds; not before that of the last one.

        Returns
        -------
        Tracks
            Those that are sure, detected in this window or at most `predict_us` before.

        Raises
        ------
        OptionError
            When time goes backward, a score or corner is not finite, or a box has no area.
        """
        self._check(boxes, t_us)
        config = self.config
        boxes = boxes[boxes.score >= config.low_score]
        before_us = t_us if self._t_us is None else self._t_us
        alive = self._alive[t_us - self._alive.seen_us <= config.keep_us]
        alive = replace(alive, motion=predict(alive.motion, t_us - before_us, config.noise))
        alive = alive[self._is_inside(alive)]
        found, is_left = self._associate(alive, boxes, before_us)
        begun = boxes[is_left & (boxes.score >= config.new_score)]
        alive = self._corrected(alive, found, boxes, t_us)
        alive = alive[(alive.seen_us == t_us) | (alive.num_seen >= config.sure_after)]
        alive = alive.plus(_Alive.begun(begun, t_us, self._next_id, config.noise))
        self._next_id += len(begun)
        # Nothing is kept of the call until here, so that one that fails leaves the tracker as it was.
        self._t_us, self._alive = t_us, self._limited(alive)
        return self._told(t_us)

    def _check(self, boxes: Boxes, t_us: int) -> None:
        if self._t_us is not None and t_us < self._t_us:
            raise OptionError(f"t_us must be >= {self._t_us}, got {t_us}", hint="reset the tracker when time jumps")
        is_sound = np.isfinite(boxes.xyxy).all(axis=1) & np.isfinite(boxes.score)
        is_sound &= np.all(boxes.xyxy[:, 2:] > boxes.xyxy[:, :2], axis=1)
        if not is_sound.all():
            row = int(np.argmin(is_sound))
            raise OptionError(
                "boxes must have an area and finite corners and scores, "
                f"got {boxes.xyxy[row].tolist()} with score {boxes.score[row]} in box {row}"
            )

    def _is_inside(self, alive: _Alive) -> NDArray[np.bool_]:
        """Return which tracks have a part of their box on the sensor."""
        if self._size is None:
            return np.ones(len(alive), np.bool_)
        xyxy, edge = alive.motion.xyxy, (self._size.width, self._size.height)
        inside: NDArray[np.bool_] = np.all((xyxy[:, :2] < edge) & (xyxy[:, 2:] > 0), axis=1)
        return inside

    def _associate(self, alive: _Alive, boxes: Boxes, before_us: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the box of each track, -1 for none, and which boxes are left."""
        config = self.config
        overlap = pairwise_iou(alive.motion.xyxy, boxes.xyxy.astype(np.float64))
        overlap *= alive.class_id[:, None] == boxes.class_id
        is_sure, is_high = alive.num_seen >= config.sure_after, boxes.score >= config.high_score
        was_seen = alive.seen_us == before_us
        found, is_left = np.full(len(alive), -1, np.int64), np.ones(len(boxes), np.bool_)
        for of_tracks, of_boxes, least in (
            (is_sure, is_high, config.high_iou),
            (is_sure & was_seen, ~is_high, config.low_iou),
            (~is_sure, is_high, config.new_iou),
        ):
            rows, columns = np.flatnonzero(of_tracks & (found < 0)), np.flatnonzero(of_boxes & is_left)
            if not rows.size or not columns.size:
                continue
            chosen, partners = assign(overlap[np.ix_(rows, columns)] - least)
            found[rows[chosen]] = columns[partners]
            is_left[columns[partners]] = False
        return found, is_left

    def _corrected(self, alive: _Alive, found: NDArray[np.int64], boxes: Boxes, t_us: int) -> _Alive:
        """Return the tracks in order, those that were found corrected by their boxes."""
        is_found = found >= 0
        if not is_found.any():
            return alive
        partners = boxes[found[is_found]]
        seen = alive[is_found]
        seen = replace(
            seen,
            motion=correct(seen.motion, partners.xyxy, self.config.noise),
            score=partners.score,
            seen_us=np.full(len(seen), t_us, np.int64),
            num_seen=np.minimum(seen.num_seen + 1, self.config.sure_after),
        )
        both = alive[~is_found].plus(seen)
        return both[np.argsort(both.track_id)]

    def _limited(self, alive: _Alive) -> _Alive:
        surplus = len(alive) - self.config.max_tracks
        if surplus <= 0:
            return alive
        # Of those seen equally late the newest go, which are the least sure.
        order = np.lexsort((-alive.track_id, alive.seen_us))
        keep = np.ones(len(alive), np.bool_)
        keep[order[:surplus]] = False
        return alive[keep]

    def _told(self, t_us: int) -> Tracks:
        config, alive = self.config, self._alive
        told = alive[(alive.num_seen >= config.sure_after) & (t_us - alive.seen_us <= config.predict_us)]
        boxes = Boxes.from_xyxy(
            told.motion.xyxy, t=t_us, class_id=told.class_id, score=told.score, track_id=told.track_id
        )
        if self._size is not None:
            limit = np.array([self._size.width, self._size.height] * 2, np.float32)
            boxes = replace(boxes, xyxy=np.clip(boxes.xyxy, 0, limit))
        has_area: NDArray[np.bool_] = np.all(boxes.xyxy[:, 2:] > boxes.xyxy[:, :2], axis=1)
        told = told[has_area]
        return Tracks(
            boxes[has_area],
            t_us - told.begun_us,
            told.motion.velocity[:, :2].astype(np.float32),
            told.seen_us < t_us,
        )
