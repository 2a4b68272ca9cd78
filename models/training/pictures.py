"""Pictures of COCO folders as batches of a training, and scores over those that are held out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from eventdet.errors import InputError, OptionError
from eventdet.models.coco_scores import PictureOptions, detect_pictures, score_pictures
from eventdet.models.config import DetectorConfig
from eventdet.models.detector import Detector, repeat_image
from eventdet.models.loss_terms import Targets
from eventdet.preprocessing.dataset.coco import CocoImages, find_instances, read_coco
from eventdet.preprocessing.dataset.images import ImageAugmentation, Letterbox, make_image

from .processes import Processes
from .recipe import Recipe
from .validation import evenly_spaced
from .values import Batch, Score

__all__ = ["PictureBatches", "check_classes", "open_pictures", "picture_scorer", "picture_sides"]


def open_pictures(source: str | Path, val: str) -> tuple[CocoImages, CocoImages | None]:
    """Return the pictures to learn from, and those held out: of `val`, else of the folder's own ``val`` file.

    Raises
    ------
    InputError
        When there is no instances file, it is broken, or it has no labels.
    """
    train = find_instances(source, "train")
    # Of the split train, a folder always has one or raises.
    training = read_coco(train or Path(source))
    if not any(len(training.objects(number)) for number in range(len(training))):
        raise InputError(f"{train}: no labels in {len(training)} pictures")
    held_out = find_instances(val or source, "val")
    return training, None if held_out in (None, train) and not val else read_coco(held_out or Path(val))


def check_classes(config: DetectorConfig, training: CocoImages, held_out: CocoImages | None) -> None:
    """Refuse categories that the detector does not know.

    Raises
    ------
    OptionError
        When there are more or fewer than the detector's classes, or those held out are other ones.
    """
    if config.classes != len(training.class_names):
        raise OptionError(f"model.classes must be {len(training.class_names)} as in the data, got {config.classes}")
    if held_out is not None and held_out.class_names != training.class_names:
        raise OptionError("categories of the validation data must be those of the training data")


def picture_sides(images: CocoImages, config: DetectorConfig) -> NDArray[np.float32]:
    """Return width and height of every label, shape (n, 2), in input pixels."""
    return np.concatenate(
        [
            images.objects(number).xywh[:, 2:] * np.float32(Letterbox.of(size, config.input_size).scale)
            for number, size in enumerate(images.sizes)
        ]
    )


class PictureBatches:
    """Batches of augmented pictures by number.

    Parameters
    ----------
    images : CocoImages
        To learn from.
    config : DetectorConfig
        Size of the input.
    recipe : Recipe
        Batch size, steps, augmentation, seed.
    processes : Processes
        This one among all; each has pictures of its own.

    Raises
    ------
    OptionError
        When there are fewer pictures than processes.
    """

    def __init__(self, images: CocoImages, config: DetectorConfig, recipe: Recipe, processes: Processes) -> None:
        if len(images) < processes.world_size:
            raise OptionError(f"each of {processes.world_size} processes needs a picture", hint="use fewer processes")
        self._images, self._size, self._data = images, config.input_size, recipe.data
        self._seed, self._rank = recipe.training.seed, processes.rank
        self._own = np.arange(processes.rank, len(images), processes.world_size)
        self._augmentation = ImageAugmentation(
            recipe.augmentation.flip,
            recipe.data.mosaic,
            recipe.data.hsv,
            least_visible=recipe.augmentation.least_visible,
        )
        most = -(-len(images) // processes.world_size)
        self.batches_per_epoch = -(-most // recipe.data.batch)
        """Batches in which every picture comes once."""

    def __call__(self, number: int) -> Batch:
        """Return a batch by its number."""
        epoch, place = divmod(number, self.batches_per_epoch)
        size = self._data.batch
        order = np.random.default_rng((self._seed, self._rank, epoch)).permutation(self._own)
        chosen = np.resize(order, self.batches_per_epoch * size)[place * size : (place + 1) * size]
        made = [
            make_image(
                self._images, image, self._size, self._augmentation,
                np.random.default_rng((self._seed, epoch, image, item)),
            )
            for item, image in enumerate(chosen.tolist())
        ]  # fmt: skip
        # The mean over the steps is held against the labels of the last; a picture is the same in all of them.
        last = self._data.num_steps - 1
        rows = [
            np.column_stack((np.full((len(each.labels), 2), (last, item)), each.labels.class_id, each.labels.xyxy))
            for item, each in enumerate(made)
        ]
        labelled = np.zeros((self._data.num_steps, size), np.bool_)
        labelled[last] = True
        pixels = torch.from_numpy(np.stack([each.pixels for each in made]))
        return Batch(
            repeat_image(pixels, self._data.num_steps), Targets(np.concatenate(rows).astype(np.float32), labelled)
        )


def picture_scorer(images: CocoImages, recipe: Recipe) -> Callable[[Detector], Score]:
    """Return what scores a detector on pictures, evenly spaced where not all are wanted."""
    options = PictureOptions(recipe.validation.conf, recipe.validation.iou, batch=recipe.data.batch)
    chosen = evenly_spaced(range(len(images)), recipe.validation.clips)

    def score(detector: Detector) -> Score:
        scores = score_pictures(detect_pictures(detector, images, chosen, options), images, chosen)
        return Score(scores.map50, scores.map50_95)

    return score
