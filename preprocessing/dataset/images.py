"""Pictures with boxes as batches for torch: letterboxed, and for training mosaics, mirrored, of other colours.

One draw a picture, decided by seed, epoch and place, as with clips.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import InputError
from eventdet.geometry import SensorSize

from .coco import CocoImages

__all__ = ["ImageAugmentation", "LabelledImage", "Letterbox", "load_image", "make_image"]

_GREY = 114
"""Of what lies beside a picture (Jocher et al., YOLOv5)."""

_LEAST_SIDE = 2.0
"""Pixels; a box that augmentation leaves narrower teaches nothing."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ImageAugmentation:
    """What may happen to a picture."""

    flip: float = 0.5
    """Probability that left and right are swapped."""

    mosaic: float = 1.0
    """Probability that four pictures make one."""

    hsv: tuple[float, float, float] = (0.015, 0.7, 0.4)
    """Largest change of hue, saturation and value, as shares."""

    scale: float = 0.5
    """Largest change of a mosaic's size, as a share."""

    least_visible: float = 0.1
    """Share of a box that must stay inside for it to stay a label."""


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One picture as the network takes it."""

    pixels: Picture
    """Shape (3, H, W): red, green, blue."""

    labels: Boxes
    """In its pixels."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a picture comes into a frame: by one factor for both axes, in the middle."""

    scale: float
    """Pixels of the frame a pixel of the picture."""

    left: int
    """Columns beside it."""

    top: int
    """Rows above it."""

    size: SensorSize
    """Of the scaled picture."""

    @classmethod
    def of(cls, picture: SensorSize, frame: SensorSize) -> "Letterbox":
        """Return how a picture fills a frame."""
        scale = min(frame.height / picture.height, frame.width / picture.width)
        size = SensorSize(
            min(frame.height, max(1, round(picture.height * scale))),
            min(frame.width, max(1, round(picture.width * scale))),
        )
        return cls(scale, (frame.width - size.width) // 2, (frame.height - size.height) // 2, size)

    def into_frame(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return boxes of the picture in pixels of the frame."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        return (xyxy * np.float32(self.scale) + offset).astype(np.float32)

    def out_of_frame(self, xyxy: NDArray[np.float32], picture: SensorSize) -> NDArray[np.float32]:
        """Return boxes of the frame in pixels of the picture, cut to it."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        limit = np.array([picture.width, picture.height] * 2, np.float32)
        corners: NDArray[np.float32] = np.clip((xyxy - offset) / np.float32(self.scale), 0, limit)
        return corners


def load_image(images: CocoImages, number: int, frame: SensorSize) -> LabelledImage:
    """Return a picture letterboxed into a frame, with the labels that are no crowd.

    Raises
    ------
    InputError
        When it cannot be decoded, or has another size than the instances file tells.
    """
    import cv2

    picture = _decode(images, number)
    box = Letterbox.of(images.sizes[number], frame)
    canvas = np.full((*frame, 3), _GREY, np.uint8)
    size_wh = (box.size.width, box.size.height)
    canvas[box.top : box.top + box.size.height, box.left : box.left + box.size.width] = cv2.resize(
        picture, size_wh, interpolation=cv2.INTER_AREA if box.scale < 1 else cv2.INTER_LINEAR
    )
    labels = images.objects(number)
    placed = Boxes.from_xyxy(box.into_frame(labels.xyxy), class_id=labels.class_id)
    return LabelledImage(np.ascontiguousarray(canvas.transpose(2, 0, 1)), placed.clipped(frame))


def make_image(
    images: CocoImages,
    number: int,
    frame: SensorSize,
    augmentation: ImageAugmentation,
    rng: np.random.Generator,
) -> LabelledImage:
    """Return a picture for training: a mosaic or letterboxed, maybe mirrored, its colours changed; raises as above."""
    if rng.random() < augmentation.mosaic:
        made = _mosaic(images, number, frame, augmentation, rng)
    else:
        made = load_image(images, number, frame)
    pixels, labels = made.pixels, made.labels
    if rng.random() < augmentation.flip:
        pixels = np.ascontiguousarray(pixels[..., ::-1])
        mirrored = labels.xyxy.copy()
        mirrored[:, [0, 2]] = frame.width - labels.xyxy[:, [2, 0]]
        labels = Boxes.from_xyxy(mirrored, class_id=labels.class_id)
    return LabelledImage(_recoloured(pixels, augmentation, rng), labels)


def _mosaic(
    images: CocoImages, number: int, frame: SensorSize, augmentation: ImageAugmentation, rng: np.random.Generator
) -> LabelledImage:
    """Return four pictures around a point of chance, the whole scaled by chance."""
    import cv2

    zoom = rng.uniform(1 - augmentation.scale, 1 + augmentation.scale) / 2
    centre_x, centre_y = (float(rng.uniform(0.25, 0.75)) * side for side in (frame.width, frame.height))
    canvas = np.full((*frame, 3), _GREY, np.uint8)
    parts = []
    for place, chosen in enumerate([number, *rng.integers(0, len(images), 3).tolist()]):
        picture, size = _decode(images, chosen), images.sizes[chosen]
        scale = 2 * zoom * min(frame.height / size.height, frame.width / size.width)
        # Each lies with one corner at the centre; what goes beyond the frame or its quarter is cut.
        left = centre_x - scale * size.width * (place in (0, 2))
        top = centre_y - scale * size.height * (place in (0, 1))
        x0, x1 = (0, round(centre_x)) if place in (0, 2) else (round(centre_x), frame.width)
        y0, y1 = (0, round(centre_y)) if place in (0, 1) else (round(centre_y), frame.height)
        matrix = np.array([[scale, 0, left], [0, scale, top]], np.float32)
        frame_wh = (frame.width, frame.height)
        drawn = cv2.warpAffine(picture, matrix, frame_wh, borderValue=(_GREY, _GREY, _GREY))
        canvas[y0:y1, x0:x1] = drawn[y0:y1, x0:x1]
        labels = images.objects(chosen)
        moved = labels.xyxy * np.float32(scale) + np.array([left, top] * 2, np.float32)
        parts.append(_cut(moved, labels.class_id, (x0, y0, x1, y1), augmentation.least_visible))
    return LabelledImage(np.ascontiguousarray(canvas.transpose(2, 0, 1)), Boxes.concatenate(parts))


def _cut(
    xyxy: NDArray[np.float32], class_id: NDArray[np.int64], part: tuple[int, int, int, int], least_visible: float
) -> Boxes:
    """Return the boxes cut to a part of the frame, those of which too little is left dropped."""
    inside = np.clip(xyxy, np.array([part[0], part[1]] * 2), np.array([part[2], part[3]] * 2))
    sides, whole = inside[:, 2:] - inside[:, :2], np.prod(xyxy[:, 2:] - xyxy[:, :2], axis=1)
    kept = (sides >= _LEAST_SIDE).all(1) & (sides.prod(1) >= least_visible * whole)
    return Boxes.from_xyxy(inside[kept], class_id=class_id[kept])


def _recoloured(pixels: Picture, augmentation: ImageAugmentation, rng: np.random.Generator) -> Picture:
    import cv2

    factors = 1 + rng.uniform(-1, 1, 3) * np.array(augmentation.hsv)
    if not any(augmentation.hsv):
        return pixels
    hue, saturation, value = cv2.split(cv2.cvtColor(pixels.transpose(1, 2, 0), cv2.COLOR_RGB2HSV))
    levels = np.arange(256, dtype=np.float64)
    # OpenCV's hue has 180 levels, so that it fits into a byte.
    tables = (levels * factors[0] % 180, *(np.clip(levels * factor, 0, 255) for factor in factors[1:]))
    changed = [
        cv2.LUT(plane, table.astype(np.uint8)) for plane, table in zip((hue, saturation, value), tables, strict=True)
    ]
    return np.ascontiguousarray(cv2.cvtColor(cv2.merge(changed), cv2.COLOR_HSV2RGB).transpose(2, 0, 1))


def _decode(images: CocoImages, number: int) -> Picture:
    import cv2

    path, size = images.paths[number], images.sizes[number]
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if picture is None:
        raise InputError(f"{path}: {'not a picture' if path.is_file() else 'no such picture'}")
    if picture.shape[:2] != tuple(size):
        height, width = picture.shape[:2]
        raise InputError(f"{path}: the picture is {width}x{height}, and the instances file says {size}")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
