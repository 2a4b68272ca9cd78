"""Augmentation of clips: drawn once a clip, applied alike to its events or tensors and to its boxes.

Events are moved before they are counted, so that a zoom out adds up the events of the pixels that meet and no value is
interpolated. Stored tensors can only be moved afterwards: a zoom in repeats pixels, a zoom out leaves some out.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import PixelMap, SensorSize

__all__ = ["Augmentation", "ClipTransform"]

_SMALLEST_ZOOM, _LARGEST_ZOOM = 0.1, 10.0


@dataclass(frozen=True, slots=True)
class ClipTransform:
    """What one clip goes through, drawn by :meth:`Augmentation.draw`.

    A place x of the picture comes to ``zoom * x + offset_x``, then to ``width`` minus that when mirrored. The picture
    lies at the top left of the tensor; the padding beside it stays empty, as it always is for a detector at work.
    """

    size: SensorSize
    """Rows and columns of the picture."""

    zoom: float = 1.0
    """Factor of both axes."""

    offset_x: float = 0.0
    """Columns that the zoomed picture moves to the right."""

    offset_y: float = 0.0
    """Rows that it moves down."""

    is_mirrored: bool = False
    """Whether left and right are swapped."""

    swaps_polarity: bool = False
    """Whether ON and OFF are swapped."""

    drop_share: float = 0.0
    """Share of the events that are left out."""

    jitter_us: int = 0
    """Farthest that an event moves in time."""

    least_visible: float = 0.0
    """Share of a box that must stay inside for it to stay a label."""

    seed: int = 0
    """Of the choice of single events."""

    @property
    def moves_pixels(self) -> bool:
        """Whether any pixel changes its place."""
        return self.is_mirrored or (self.zoom, self.offset_x, self.offset_y) != (1.0, 0.0, 0.0)

    @property
    def changes_events(self) -> bool:
        """Whether events change in more than their place."""
        return self.swaps_polarity or self.drop_share > 0 or self.jitter_us > 0

    def pixel_map(self, pixels: PixelMap) -> PixelMap:
        """Return the look-up tables of `pixels` with this move behind; only the tables of the result have meaning."""
        if not self.moves_pixels:
            return pixels
        columns = self._moved(pixels.columns, self.offset_x, self.size.width)
        if self.is_mirrored:
            columns = np.where(columns >= 0, self.size.width - 1 - columns, -1).astype(np.int32)
        return replace(pixels, columns=columns, rows=self._moved(pixels.rows, self.offset_y, self.size.height))

    def move_events(self, events: Events, t0_us: int, t1_us: int) -> Events:
        """Return the events of the clip ``[t0_us, t1_us)`` with polarity, number and stamps changed.

        Events keep within the clip: none of those after it, which a label has not seen, can enter.
        """
        rng = np.random.default_rng(self.seed)
        if self.drop_share > 0:
            events = events[rng.random(len(events)) >= self.drop_share]
        if self.swaps_polarity:
            events = Events(events.t, events.x, events.y, np.uint8(1) - events.p)
        if self.jitter_us > 0 and len(events):
            moved = events.t + rng.integers(-self.jitter_us, self.jitter_us + 1, len(events))
            stamps = np.clip(moved, t0_us, t1_us - 1)
            order = np.argsort(stamps, kind="stable")
            events = Events(stamps[order], events.x[order], events.y[order], events.p[order])
        return events

    def move_tensor(self, tensor: NDArray[Any], out: NDArray[Any]) -> None:
        """Move `tensor` (..., h, w) into `out` (..., H, W), which keeps what it holds where nothing comes to."""
        from ._gather_kernels import gather_pixels

        (height, width), target = tensor.shape[-2:], out.shape[-2:]
        if not self.moves_pixels:
            out[..., :height, :width] = tensor
            return
        rows, columns = np.full(target[0], -1), np.full(target[1], -1)
        rows[: self.size.height] = self._origins(self.offset_y, self.size.height, height)
        moved = self._origins(self.offset_x, self.size.width, width)
        columns[: self.size.width] = moved[::-1] if self.is_mirrored else moved
        gather_pixels(tensor.reshape(-1, height, width), rows, columns, out.reshape(-1, *target))

    def move_boxes(self, boxes: Boxes) -> Boxes:
        """Return the moved boxes, cut to the picture; those of which too little is left are dropped."""
        offset = np.array([self.offset_x, self.offset_y] * 2)
        moved = boxes.xyxy * self.zoom + offset
        if self.is_mirrored:
            moved[:, [0, 2]] = self.size.width - moved[:, [2, 0]]
        inside = np.clip(moved, 0, [self.size.width, self.size.height] * 2)
        visible = _areas(inside) >= np.maximum(self.least_visible * _areas(moved), np.finfo(np.float32).eps)
        return replace(boxes, xyxy=inside.astype(np.float32))[visible]

    def _moved(self, places: NDArray[np.int32], offset: float, length: int) -> NDArray[np.int32]:
        """Return where the middle of each pixel comes to, -1 beyond the picture and for those cut away before."""
        moved = np.floor((places + 0.5) * self.zoom + offset)
        return np.where((places >= 0) & (moved >= 0) & (moved < length), moved, -1).astype(np.int32)

    def _origins(self, offset: float, length: int, source_length: int) -> NDArray[np.int64]:
        """Return which pixel of the source comes to each of the picture, -1 where none does."""
        origins = np.floor((np.arange(length) + 0.5 - offset) / self.zoom)
        return np.where((origins >= 0) & (origins < source_length), origins, -1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may happen to a clip, and how often; the default changes nothing.

    Raises
    ------
    OptionError
        When a value is outside its rule.

    Examples
    --------
    >>> Augmentation(flip=1.0).draw(np.random.default_rng(0), SensorSize(240, 304)).is_mirrored
    True
    """

    flip: float = 0.0
    """Probability that left and right are swapped."""

    zoom: float = 0.0
    """Probability of a zoom."""

    zoom_range: tuple[float, float] = (0.8, 1.5)
    """Least and largest factor; below 1 the picture shrinks, above 1 a part of it is seen enlarged."""

    translate: float = 0.0
    """Farthest shift of the picture, as a share of each side."""

    polarity_flip: float = 0.0
    """Probability that ON and OFF are swapped."""

    event_drop: float = 0.0
    """Largest share of the events that are left out; needs events."""

    time_jitter_us: int = 0
    """Farthest that single events move in time, within their clip; needs events."""

    least_visible: float = 0.4
    """Share of a box that must stay inside for it to stay a label."""

    def __post_init__(self) -> None:
        """Check every field, see `Raises`."""
        for name in ("flip", "zoom", "translate", "polarity_flip", "event_drop", "least_visible"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} must be in 0..1, got {getattr(self, name)}")
        low, high = self.zoom_range
        if not _SMALLEST_ZOOM <= low <= high <= _LARGEST_ZOOM:
            raise OptionError(f"zoom_range must lie in {_SMALLEST_ZOOM}..{_LARGEST_ZOOM}, got {self.zoom_range}")
        if self.time_jitter_us < 0:
            raise OptionError(f"time_jitter_us must be >= 0, got {self.time_jitter_us}")

    @property
    def needs_events(self) -> bool:
        """Whether it changes single events, which a tensor no longer has."""
        return self.event_drop > 0 or self.time_jitter_us > 0

    def draw(self, rng: np.random.Generator, size: SensorSize) -> ClipTransform:
        """Return one draw for pictures of `size`.

        A zoomed out picture lies anywhere within the old one, a zoomed in one covers it from anywhere; the shift comes
        on top.
        """
        zoom = float(rng.uniform(*self.zoom_range)) if rng.random() < self.zoom else 1.0
        free = np.array([size.width, size.height]) * (1 - zoom)
        shift = np.array([size.width, size.height]) * rng.uniform(-self.translate, self.translate, 2)
        offset_x, offset_y = (free * rng.random(2) + shift).tolist()
        return ClipTransform(
            size,
            zoom,
            offset_x,
            offset_y,
            is_mirrored=bool(rng.random() < self.flip),
            swaps_polarity=bool(rng.random() < self.polarity_flip),
            drop_share=float(rng.uniform(0, self.event_drop)),
            jitter_us=self.time_jitter_us,
            least_visible=self.least_visible,
            seed=int(rng.integers(1 << 62)),
        )


def _areas(xyxy: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    areas: NDArray[np.floating[Any]] = np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1)
    return areas
