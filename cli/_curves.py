"""Precision over recall: a picture and a table for each protocol that ``eventdet evaluate`` scores."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ._report import check_targets, save_figure

if TYPE_CHECKING:
    from eventdet.evaluation import Evaluation

__all__ = ["CURVE_COLUMNS", "check_curves", "write_curves"]

CURVE_COLUMNS = ("protocol", "class", "iou", "recall", "precision")
"""Of the table: the highest precision at a recall of 0, 0.01, ... 1, or beyond."""

_DRAWN_IOUS = (0.5, 0.75)


def check_curves(folder: Path) -> None:
    """Find out before the work begins whether curves could be written; raises as `check_targets` does."""
    from eventdet.sinks._files import make_folder

    check_targets(None, folder / "curves.png")
    make_folder(folder / "curves.png")


def write_curves(folder: Path, evaluations: Sequence["Evaluation"], class_names: Sequence[str], *, title: str) -> None:
    """Write ``precision_recall_PROTOCOL.png`` and ``.csv`` for each protocol; classes without labels have no curve.

    Raises
    ------
    OutputError
        When a file cannot be written.
    MissingExtraError
        When matplotlib is not installed.
    """
    from eventdet.formats._atomic import atomic_writer

    for evaluation in evaluations:
        path = folder / f"precision_recall_{evaluation.protocol.name}.csv"
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(CURVE_COLUMNS)
        for name, iou, precision in _curves(evaluation, class_names):
            for recall, value in zip(np.linspace(0, 1, len(precision)), precision, strict=True):
                rows.writerow((evaluation.protocol.name, name, f"{iou:.2f}", f"{recall:.2f}", f"{value:.6f}"))
        with atomic_writer(path) as stream:
            stream.write(text.getvalue().encode())
        _draw(path.with_suffix(".png"), evaluation, class_names, title=title)


def _curves(
    evaluation: "Evaluation", class_names: Sequence[str]
) -> "list[tuple[str, float, np.ndarray[tuple[int], np.dtype[np.float64]]]]":
    """Return class, least overlap and 101 precisions of each curve."""
    scores = evaluation.scores
    return [
        (name, iou, scores.precision[place, :, class_id, 0])
        for class_id, name in enumerate(class_names)
        if scores.num_labels[class_id]
        for place, iou in enumerate(scores.metric.iou_thresholds)
    ]


def _draw(path: Path, evaluation: "Evaluation", class_names: Sequence[str], *, title: str) -> None:
    from eventdet.models.analysis.figures import new_figure

    figure, (axes,) = new_figure(1, title=f"{title}, protocol {evaluation.protocol.name}", width=6.0)
    colors = {name: f"C{class_id}" for class_id, name in enumerate(class_names)}
    for name, iou, precision in _curves(evaluation, class_names):
        if any(np.isclose(iou, drawn) for drawn in _DRAWN_IOUS):
            style = "-" if np.isclose(iou, _DRAWN_IOUS[0]) else "--"
            recall = np.linspace(0, 1, len(precision))
            axes.plot(recall, precision, style, color=colors[name], label=f"{name}, overlap {iou:.2f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    if axes.lines:
        axes.legend(fontsize=8)
    else:
        axes.text(0.5, 0.5, "no labels", ha="center")
    save_figure(path, figure)
