"""What is known of the objects in a source: exact boxes of a simulation, or labels beside a recording."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from eventdet.boxes import Boxes
from eventdet.filters import move_boxes
from eventdet.filters.recording import FilteredRecording
from eventdet.formats import Recording, find_boxes
from eventdet.formats.prophesee_boxes import read_label_file
from eventdet.preprocessing import is_store, open_stored_recording

from ._protocol import EventSource
from .synthetic import SyntheticSource

__all__ = ["KnownLabels", "known_labels"]


class KnownLabels(NamedTuple):
    """Labels of a source."""

    boxes: Boxes
    """In the order in which they are kept, moved as the filters of the source move events."""

    origin: str
    """The file, store or address that they come from."""

    num_unsound: int = 0
    """Rows of the file that are no boxes, and were left out."""


def known_labels(source: EventSource, place: str | Path | None = None) -> KnownLabels | None:
    """Return the labels of a source; None where nobody knows any.

    Parameters
    ----------
    source : EventSource
        A simulated source, a stored recording with labels, or an event file with a ``_bbox.npy`` beside it; others,
        live ones too, have none.
    place : str or Path, optional
        What the source was opened by, where that is the URL of a store; by default its path.

    Raises
    ------
    InputError, FormatError
        When there are labels that cannot be read.
    OptionError
        When a filter of the source cannot move them.
    """
    if isinstance(source, SyntheticSource):
        return KnownLabels(source.labels, source.name)
    if not isinstance(source, Recording):
        return None
    known = _beside(source.path if place is None else place)
    if known is None or not isinstance(source, FilteredRecording):
        return known
    return known._replace(boxes=move_boxes(source.filters, known.boxes, source.unfiltered_size))


def _beside(path: str | Path) -> KnownLabels | None:
    if is_store(path):
        boxes = open_stored_recording(path).labels()
        return KnownLabels(boxes, str(path)) if len(boxes) else None
    labels = find_boxes(path)
    if labels is None:
        return None
    file = read_label_file(labels)
    return KnownLabels(file.sound, str(labels), int(np.sum(~file.is_sound)))
