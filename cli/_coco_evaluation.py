"""``eventdet evaluate --format coco``: COCO's twelve figures of a detector over a folder of pictures."""

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ._progress import progress_bar

if TYPE_CHECKING:
    from eventdet.evaluation import AveragePrecision

__all__ = ["evaluate_pictures"]


def evaluate_pictures(
    source: str, weights: str, *, conf: float, iou: float, max_det: int, json: Path | None, quiet: bool
) -> str:
    """Return the table of scores of a detector over a COCO folder's ``val`` file, or its only one.

    Raises
    ------
    InputError
        When folder or weights cannot be read.
    OptionError
        When the detector has other classes than the folder, or takes no pictures.
    """
    from eventdet.errors import OptionError
    from eventdet.models import load_detector
    from eventdet.models.coco_scores import PictureOptions, detect_pictures, score_pictures
    from eventdet.preprocessing.dataset.coco import find_instances, read_coco

    instances = find_instances(source, "val") or find_instances(source)
    images = read_coco(instances or Path(source))
    detector = load_detector(weights)
    if detector.config.class_names != images.class_names:
        raise OptionError(
            f"{weights}: classes of the detector must be those of {instances}",
            hint=f"it knows {', '.join(detector.config.class_names[:6])}",
        )
    chosen = list(range(len(images)))
    options = PictureOptions(conf, iou, max_det)
    with progress_bar("evaluate", len(chosen), unit="pictures", quiet=quiet) as advance:
        found = detect_pictures(detector, images, chosen, options, advance=advance)
    scores = score_pictures(found, images, chosen)
    figures = _figures(scores)
    if json is not None:
        _write(
            json,
            {
                "instances": str(instances),
                "weights_sha256": detector.weights_hash,
                "pictures": len(images),
                "steps": detector.config.readout_steps,
                "classes": _by_class(scores, images.class_names),
            }
            | figures,
        )
    lines = [f"{instances}: {len(images)} pictures, {scores.num_labels.sum():,} labels, COCO's metric"]
    return "\n".join(lines + [f"{name:<12} {_percent(value)}" for name, value in figures.items()])


def _figures(scores: "AveragePrecision") -> dict[str, float | None]:
    """Return what COCO's own evaluation prints, by its names; None where nothing is labelled."""
    recall = scores.average_recall()
    values = {
        "AP": scores.map50_95,
        "AP50": scores.map50,
        "AP75": scores.map_at(0.75),
        **{f"AP {size}": scores.size_map(size) for size in ("small", "medium", "large")},
        **{f"AR {limit}": recall[limit] for limit in recall},
    }
    return {name: None if np.isnan(value) else round(value, 6) for name, value in values.items()}


def _by_class(scores: "AveragePrecision", names: tuple[str, ...]) -> dict[str, float | None]:
    means = scores.per_class.mean(axis=0)
    return {name: None if np.isnan(value) else round(float(value), 6) for name, value in zip(names, means, strict=True)}


def _percent(value: float | None) -> str:
    return f"{'-' if value is None else format(100 * value, '.1f'):>6}"


def _write(path: Path, record: dict[str, object]) -> None:
    from eventdet.errors import OutputError

    try:
        path.write_text(json_format.dumps(record, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
