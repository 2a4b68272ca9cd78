"""From logits to boxes, in NumPy: decoding and class-aware suppression, pure functions on values."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError

from .config import DetectorConfig

__all__ = ["boxes_from_logits", "decode", "suppress"]

_BOX_VALUES = 5

_LARGEST_LOG_SIDE = 10.0
"""Of a box in strides: no picture is 22,000 strides wide, and float32 does not overflow."""


def boxes_from_logits(
    logits: Sequence[NDArray[np.float32]],
    config: DetectorConfig,
    *,
    conf: float = 0.25,
    iou: float = 0.45,
    max_det: int = 300,
    t_us: int = 0,
) -> list[Boxes]:
    """Return the detections of each picture of a batch, best first.

    Parameters
    ----------
    logits : sequence of ndarray, shape (B, anchors * (5 + classes), rows, columns), float32
        By scale, fine first.
    config : DetectorConfig
        Anchors and classes.
    conf : float
        Least score, objectness times class probability, of a detection.
    iou : float
        Largest overlap of two detections of one class.
    max_det : int
        Most detections a picture.
    t_us : int
        Stamp of the boxes, microseconds.

    Returns
    -------
    list of Boxes
        In input pixels, not cut to the picture.

    Raises
    ------
    OptionError
        When `conf` or `iou` is outside [0, 1], or `max_det` is negative.

    Examples
    --------
    >>> config = DetectorConfig()
    >>> empty = [np.full((1, 21, 16, 20), -9, np.float32), np.full((1, 21, 8, 10), -9, np.float32)]
    >>> len(boxes_from_logits(empty, config)[0])
    0
    """
    for name, value in (("conf", conf), ("iou", iou)):
        if not 0 <= value <= 1:
            raise OptionError(f"{name} must be in [0, 1], got {value}")
    if max_det < 0:
        raise OptionError(f"max_det must be >= 0, got {max_det}")
    found = []
    # A class probability is at most 1: a score above `conf` needs an objectness above it.
    for picture in decode(logits, config, conf=conf):
        scores = picture[:, 4:5] * picture[:, _BOX_VALUES:]
        class_id = scores.argmax(1)
        score = scores[np.arange(len(scores)), class_id]
        candidates = np.flatnonzero(score > conf)
        kept = candidates[
            suppress(picture[candidates, :4], score[candidates], class_id[candidates], iou=iou, max_det=max_det)
        ]
        found.append(Boxes.from_xyxy(picture[kept, :4], t=t_us, class_id=class_id[kept], score=score[kept]))
    return found


def decode(
    logits: Sequence[NDArray[np.float32]], config: DetectorConfig, *, conf: float = 0.0
) -> list[NDArray[np.float32]]:
    """Return what each anchor of each cell says, picture by picture, where its objectness is above `conf`.

    With anchors ``xy = (2 sigmoid - 0.5 + cell) stride``, ``wh = (2 sigmoid)² anchor``; without
    ``xy = (value + cell) stride``, ``wh = exp(value) stride`` (Ge et al. 2021). The rest are probabilities.

    Parameters
    ----------
    logits : sequence of ndarray, shape (B, anchors * (5 + classes), rows, columns), float32
        By scale, fine first.
    config : DetectorConfig
        Anchors and classes.
    conf : float
        What the objectness of an anchor has to exceed.

    Returns
    -------
    list of ndarray, shape (n, 5 + classes), float32
        x1, y1, x2, y2 in input pixels, objectness, class probabilities; n over scales, anchors, rows and columns.
    """
    pictures: list[list[NDArray[np.float32]]] = [[] for _ in range(len(logits[0]))]
    for maps, anchors, stride in zip(logits, config.anchors, config.strides, strict=True):
        batch, _, rows, columns = maps.shape
        raw = maps.reshape(batch, len(anchors), _BOX_VALUES + config.classes, rows, columns)
        picture, anchor, row, column = np.nonzero(_sigmoid(raw[:, :, 4]) > conf)
        chosen = raw[picture, anchor, :, row, column]
        values = _sigmoid(chosen)
        cell = np.stack((column, row), axis=1).astype(np.float32)
        if config.head == "simota":
            centre = (chosen[:, :2] + cell) * stride
            half = np.exp(chosen[:, 2:4].clip(max=_LARGEST_LOG_SIDE)) * np.float32(stride / 2)
        else:
            centre = (2 * values[:, :2] - 0.5 + cell) * stride
            half = (2 * values[:, 2:4]) ** 2 * np.array(anchors, np.float32)[anchor] / 2
        decoded = np.concatenate((centre - half, centre + half, values[:, 4:]), axis=1)
        bounds = np.searchsorted(picture, np.arange(batch + 1))
        for index, scales in enumerate(pictures):
            scales.append(decoded[bounds[index] : bounds[index + 1]])
    return [np.concatenate(scales) for scales in pictures]


def suppress(
    xyxy: NDArray[np.float32],
    score: NDArray[np.float32],
    class_id: NDArray[np.int64],
    *,
    iou: float,
    max_det: int,
) -> NDArray[np.intp]:
    """Return which boxes stay when each, best first, removes the rest of its class that overlap it by more than `iou`.

    Parameters
    ----------
    xyxy : ndarray, shape (n, 4), float32
        Corners in pixels.
    score : ndarray, shape (n,), float32
        Confidence; of equals the first stays.
    class_id : ndarray, shape (n,), int64
        Boxes of two classes never remove each other.
    iou : float
        Largest overlap that is kept, in [0, 1].
    max_det : int
        Most boxes that stay.

    Returns
    -------
    ndarray, shape (m,), intp
        Indices, best first.
    """
    waiting = np.argsort(-score, kind="stable")
    area = np.prod(np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0), axis=1)
    kept: list[int] = []
    while len(waiting) and len(kept) < max_det:
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        low = np.maximum(xyxy[best, :2], xyxy[waiting, :2])
        high = np.minimum(xyxy[best, 2:], xyxy[waiting, 2:])
        common = np.prod(np.maximum(high - low, 0), axis=1)
        # Compared as products: a box without area divides nothing by nothing.
        overlaps = common > iou * (area[best] + area[waiting] - common)
        waiting = waiting[~(overlaps & (class_id[waiting] == class_id[best]))]
    return np.array(kept, np.intp)


def _sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    # By tanh, which never overflows.
    values: NDArray[np.float32] = 0.5 * (1 + np.tanh(0.5 * x))
    return values
