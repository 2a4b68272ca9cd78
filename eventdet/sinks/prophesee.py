"""Detections as a Prophesee box array (``.npy``)."""

from eventdet.boxes import Boxes
from eventdet.formats import write_boxes

from ._files import check_target, make_folder, writing
from .base import Sink
from .result import StreamTotals, WindowResult

__all__ = ["BoxesSink"]


class BoxesSink(Sink):
    """Collect the boxes and write one array at the end: the length stands in the head of an ``.npy`` file.

    Parameters
    ----------
    target : str
        Path of the ``.npy`` file.

    Raises
    ------
    OptionError, OutputError
        When the target cannot be written.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.note = ""
        self._path = check_target(target)
        make_folder(self._path)
        self._parts: list[Boxes] = []
        self._is_open = True

    def write(self, result: WindowResult) -> None:
        """Keep the boxes of a window."""
        if len(result.boxes):
            self._parts.append(result.boxes)

    def conclude(self, totals: StreamTotals) -> None:
        """Do nothing: the layout has no place for totals."""

    def close(self) -> None:
        """Write what came."""
        if self._is_open:
            self._is_open = False
            with writing(self.target):
                write_boxes(self._path, Boxes.concatenate(self._parts))

    def discard(self) -> None:
        """Forget what came."""
        self._is_open = False
