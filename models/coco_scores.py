"""A detector of still pictures over a COCO folder: each picture repeated for T steps, scored as COCO scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.evaluation import AveragePrecision, LabelRegions, average_precision
from eventdet.geometry import SensorSize
from eventdet.preprocessing.dataset.coco import CocoImages
from eventdet.preprocessing.dataset.images import Letterbox, load_image

from ._layout import channels_last
from .detector import Detector, repeat_image
from .postprocess import boxes_from_logits

__all__ = ["PictureOptions", "detect_pictures", "picture_frames", "score_pictures"]

_PIXEL_CHANNELS = 3


@dataclass(frozen=True, slots=True)
class PictureOptions:
    """How pictures are detected in."""

    conf: float = 0.001
    """Lowest score of a detection."""

    iou: float = 0.6
    """Overlap that suppresses."""

    max_det: int = 300
    """Most detections a picture."""

    batch: int = 8
    """Pictures at once."""


def picture_frames(images: CocoImages, chosen: Sequence[int], size: SensorSize, *, num_steps: int) -> Tensor:
    """Return some pictures, letterboxed into a size and repeated, shape (T, B, 3, H, W), uint8.

    Raises
    ------
    InputError
        When a picture cannot be read.
    """
    pixels = np.stack([load_image(images, number, size).pixels for number in chosen])
    return repeat_image(torch.from_numpy(pixels), num_steps)


@torch.inference_mode()
def detect_pictures(
    detector: Detector,
    images: CocoImages,
    chosen: Sequence[int],
    options: PictureOptions,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Boxes]:
    """Return the detections of some pictures, in their pixels, after as many steps as the detector reads out.

    Parameters
    ----------
    detector : Detector
        With three input channels.
    images : CocoImages
        Where the pictures are.
    chosen : sequence of int
        Their numbers.
    options : PictureOptions
        How.
    advance : callable, optional
        Called with the number of pictures done.

    Raises
    ------
    InputError
        When a picture cannot be read.
    OptionError
        When the detector takes no pictures.
    """
    config = detector.config
    if config.channels != _PIXEL_CHANNELS:
        raise OptionError(f"pictures need a detector with {_PIXEL_CHANNELS} input channels, got {config.channels}")
    network, device = channels_last(detector.eval()), next(detector.parameters()).device
    found: list[Boxes] = []
    for begin in range(0, len(chosen), options.batch):
        part = chosen[begin : begin + options.batch]
        frames = picture_frames(images, part, config.input_size, num_steps=config.readout_steps).to(device)
        logits = [np.ascontiguousarray(scale.float().cpu().numpy()) for scale in network(frames).logits]
        boxes = boxes_from_logits(logits, config, conf=options.conf, iou=options.iou, max_det=options.max_det)
        for number, own in zip(part, boxes, strict=True):
            size = images.sizes[number]
            placed = replace(own, xyxy=Letterbox.of(size, config.input_size).out_of_frame(own.xyxy, size))
            found.append(placed.clipped(size))
        advance(len(found))
    return found


def score_pictures(found: Sequence[Boxes], images: CocoImages, chosen: Sequence[int]) -> AveragePrecision:
    """Return COCO's scores of detections of some pictures: sizes by outline, crowds neither missed nor false."""
    return average_precision(
        found,
        [images.labels[number] for number in chosen],
        num_classes=len(images.class_names),
        regions=[LabelRegions(images.areas[number], images.is_crowd[number]) for number in chosen],
    )
