"""Detections as a Prophesee box array (``.npy``)."""

from eventdet.boxes import Boxes
from eventdet.formats import write_boxes

from .base import Sink, prepare_target
from .result import WindowResult

__all__ = ["BoxesSink"]


class BoxesSink(Sink):
    """Collect the boxes and write one array at the end: the length stands in the head of an ``.npy`` file.

    Parameters
    ----------
    target : str
        Path of the ``.npy`` file.

    Raises
    ------
    OptionError, InputError
        When the target cannot be written.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.note = ""
        self._path = prepare_target(target)
        self._parts: list[Boxes] = []
        self._is_open = True

    def write(self, result: WindowResult) -> None:
        """Keep the boxes of a window."""
        if len(result.boxes):
            self._parts.append(result.boxes)

    def close(self) -> None:
        """Write what came."""
        if self._is_open:
            self._is_open = False
            write_boxes(self._path, Boxes.concatenate(self._parts))
