"""Detections as a Prophesee box array (``.npy``)."""

from typing import BinaryIO

import numpy as np

from eventdet.formats.prophesee_boxes import BOX_DTYPE, pack_boxes

from ._files import PartFile, writing
from .base import Sink
from .result import StreamTotals, WindowResult

__all__ = ["BoxesSink"]


class BoxesSink(Sink):
    """Write boxes as they come; the file appears when it is whole.

    The length stands in the head of an ``.npy`` file, which NumPy pads so that it can be written anew at the end.

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
        self._part = PartFile(target)
        self._num_boxes = 0
        self._is_open = True
        with writing(target):
            self._file = self._part.path.open("wb")
            _write_head(self._file, 0)

    def write(self, result: WindowResult) -> None:
        """Append the boxes of a window."""
        with writing(self.target):
            self._file.write(pack_boxes(result.boxes).tobytes())
        self._num_boxes += len(result.boxes)

    def conclude(self, totals: StreamTotals) -> None:
        """Do nothing: the layout has no place for totals."""

    def close(self) -> None:
        """Complete the head, and give the file its name."""
        if not self._is_open:
            return
        try:
            with writing(self.target):
                self._file.seek(0)
                _write_head(self._file, self._num_boxes)
                self._file.close()
        except OSError:
            self.discard()
            raise
        self._is_open = False
        self._part.keep()

    def discard(self) -> None:
        """Remove what was written."""
        if self._is_open:
            self._is_open = False
            with writing(self.target):
                self._file.close()
            self._part.discard()


def _write_head(file: BinaryIO, num_boxes: int) -> None:
    description = np.lib.format.dtype_to_descr(BOX_DTYPE)
    head = {"descr": description, "fortran_order": False, "shape": (num_boxes,)}
    np.lib.format.write_array_header_1_0(file, head)
