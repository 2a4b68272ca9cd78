"""Folders in the form of COCO: pictures, and a JSON file of instances with boxes, areas and crowds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.errors import InputError
from eventdet.geometry import SensorSize
from eventdet.preprocessing._json import parse_json

__all__ = ["CocoImages", "find_instances", "read_coco"]

_LARGEST_SIDE = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class CocoImages:
    """Pictures of one instances file with their labels; nothing is decoded yet."""

    class_names: tuple[str, ...]
    """By class id, in the order of the categories' ids, which may have gaps."""

    category_ids: tuple[int, ...]
    """The file's id of each class."""

    image_ids: tuple[int, ...]
    """The file's id of each picture."""

    paths: tuple[Path, ...]
    """Of the pictures."""

    sizes: tuple[SensorSize, ...]
    """Rows and columns of the pictures, as the file tells them."""

    labels: tuple[Boxes, ...]
    """Of each picture, crowds included, in its pixels."""

    areas: tuple[NDArray[np.float64], ...]
    """Of each picture's labels: square pixels of the outlines."""

    is_crowd: tuple[NDArray[np.bool_], ...]
    """Of each picture's labels: whether one stands for many objects."""

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.paths)

    def objects(self, image: int) -> Boxes:
        """Return the labels of a picture to learn from: those that are no crowd."""
        return self.labels[image][~self.is_crowd[image]]


def find_instances(folder: str | Path, split: str = "") -> Path | None:
    """Return the instances file of a folder, None when it has none of that split.

    Parameters
    ----------
    folder : str or Path
        With ``instances*.json`` in it or in ``annotations``; or such a file itself.
    split : {"", "train", "val"}
        What the name of the file must hold, where there are several.

    Raises
    ------
    InputError
        When there is no instances file at all, or several and none or more than one of that split is meant.
    """
    root = Path(folder)
    if root.is_file():
        return root
    files = sorted({*root.glob("*.json"), *root.glob("annotations/*.json")})
    files = [file for file in files if file.name.startswith("instances")] or files
    if not files:
        raise InputError(f"{root}: no COCO instances file", hint="put it at annotations/instances_train.json")
    named = [file for file in files if split and split in file.stem]
    if len(named) == 1:
        return named[0]
    if split == "val":
        return None
    if len(files) > 1:
        listed = ", ".join(file.name for file in files)
        raise InputError(f"{root}: several instances files: {listed}", hint="name one of them")
    return files[0]


def read_coco(instances: Path) -> CocoImages:
    """Return what an instances file tells; pictures lie beside it, in ``images`` or in a folder of its split's name.

    Raises
    ------
    InputError
        When the file cannot be read, is no instances file, or names pictures, categories or boxes that are none.
    """
    try:
        content = parse_json(instances.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{instances}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        categories = sorted((int(each["id"]), str(each["name"])) for each in content["categories"])
        images = [(int(each["id"]), str(each["file_name"]), _size(each)) for each in content["images"]]
        rows = _rows(content["annotations"], instances)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{instances}: not a COCO instances file: {error}", hint="it needs images, annotations and categories"
        ) from error
    if not categories or not images:
        raise InputError(f"{instances}: no {'categories' if images else 'images'}")
    class_of = {number: place for place, (number, _) in enumerate(categories)}
    place_of = {number: place for place, (number, _, _) in enumerate(images)}
    by_image: list[list[_Row]] = [[] for _ in images]
    for row in rows:
        if row.image not in place_of or row.category not in class_of:
            what = "image" if row.image not in place_of else "category"
            raise InputError(f"{instances}: annotation {row.number} is of an unknown {what} {getattr(row, what)}")
        by_image[place_of[row.image]].append(row)
    return CocoImages(
        tuple(name for _, name in categories),
        tuple(number for number, _ in categories),
        tuple(number for number, _, _ in images),
        tuple(_find_picture(instances, name) for _, name, _ in images),
        tuple(size for _, _, size in images),
        tuple(
            Boxes.from_xywh([row.box for row in own], class_id=[class_of[row.category] for row in own])
            for own in by_image
        ),
        tuple(np.array([row.area for row in own], np.float64) for own in by_image),
        tuple(np.array([row.is_crowd for row in own], np.bool_) for own in by_image),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One annotation."""

    number: int
    image: int
    category: int
    box: tuple[float, ...]
    area: float
    is_crowd: bool


def _rows(annotations: list[dict[str, Any]], instances: Path) -> list[_Row]:
    rows = []
    for place, each in enumerate(annotations):
        box = tuple(float(value) for value in each["bbox"])
        if len(box) != 4 or not np.isfinite(box).all():
            raise InputError(f"{instances}: bbox of annotation {place} must be four numbers, got {each['bbox']}")
        # COCO itself has a few boxes without an area, which no detection can match.
        if box[2] > 0 and box[3] > 0:
            area = float(each.get("area", box[2] * box[3]))
            rows.append(
                _Row(place, int(each["image_id"]), int(each["category_id"]), box, area, bool(each.get("iscrowd", 0)))
            )
    return rows


def _size(image: dict[str, Any]) -> SensorSize:
    size = SensorSize(int(image["height"]), int(image["width"]))
    if not all(0 < side <= _LARGEST_SIDE for side in size):
        raise ValueError(f"image {image['id']} is {size.width}x{size.height} pixels")
    return size


def _find_picture(instances: Path, name: str) -> Path:
    root = instances.parent.parent if instances.parent.name == "annotations" else instances.parent
    split = instances.stem.removeprefix("instances").strip("_-")
    folders = (root, root / "images", root / split, root / "images" / split)
    # Where it is missing its first place is named when it is read.
    return next((folder / name for folder in folders if (folder / name).is_file()), root / name)
