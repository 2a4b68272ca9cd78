"""Detections as one COCO document (``.json``): an image a window, an annotation a box.

Images go to the file as they come and annotations beside it, so that a run of days does not grow in memory; both
become one document at the end.
"""

import json
import shutil
import tempfile

from ._files import PartFile, writing
from .base import Sink
from .jsonl import PIXEL_DIGITS, SCORE_DIGITS
from .result import StreamHeader, StreamTotals, WindowResult

__all__ = ["CocoSink"]


class CocoSink(Sink):
    """Write a COCO document; the file appears when it is whole.

    An image is named like the picture that ``dir/%06d.png`` makes of its window. Category ids count from 1.

    Parameters
    ----------
    target : str
        Path of the ``.json`` file.
    header : StreamHeader
        Sensor size, class names and what is said about the stream.

    Raises
    ------
    OptionError, OutputError
        When the target cannot be written.
    """

    def __init__(self, target: str, *, header: StreamHeader) -> None:
        self.target = target
        self.note = ""
        self._header = header
        self._part = PartFile(target)
        self._num_images = 0
        self._num_boxes = 0
        self._is_open = True
        with writing(target):
            self._images = self._part.path.open("wb")
            # Unnamed: nothing is left of it whatever happens to the process.
            self._annotations = tempfile.TemporaryFile(dir=self._part.path.parent)  # noqa: SIM115 - closed in `_end`
            self._images.write(_opening(header))

    def write(self, result: WindowResult) -> None:
        """Append a window."""
        image = {
            "id": result.seq + 1,
            "file_name": f"{result.seq:06d}.png",
            "height": self._header.sensor_size.height,
            "width": self._header.sensor_size.width,
            "t0_us": result.t0_us,
            "t_us": result.t_us,
        }
        boxes = result.boxes
        columns = (boxes.xywh.tolist(), boxes.score.tolist(), boxes.class_id.tolist(), boxes.track_id.tolist())
        with writing(self.target):
            self._images.write(_item(image, is_first=not self._num_images))
            self._num_images += 1
            for xywh, score, class_id, track_id in zip(*columns, strict=True):
                annotation = {
                    "id": self._num_boxes + 1,
                    "image_id": result.seq + 1,
                    "category_id": class_id + 1,
                    "bbox": [round(value, PIXEL_DIGITS) for value in xywh],
                    "area": round(xywh[2] * xywh[3], PIXEL_DIGITS),
                    "iscrowd": 0,
                    "score": round(score, SCORE_DIGITS),
                }
                if track_id >= 0:
                    annotation["track_id"] = track_id
                self._annotations.write(_item(annotation, is_first=not self._num_boxes))
                self._num_boxes += 1

    def conclude(self, totals: StreamTotals) -> None:
        """Do nothing: the layout has no place for totals."""

    def close(self) -> None:
        """Put the document together and give it its name."""
        if not self._is_open:
            return
        try:
            with writing(self.target):
                self._images.write(b'],"annotations":[')
                self._annotations.seek(0)
                shutil.copyfileobj(self._annotations, self._images)
                self._images.write(b"]}\n")
                self._images.flush()
        except OSError:
            self.discard()
            raise
        self._end()
        self._part.keep()

    def discard(self) -> None:
        """Remove what was written."""
        if self._is_open:
            self._end()
            self._part.discard()

    def _end(self) -> None:
        self._is_open = False
        with writing(self.target):
            self._annotations.close()
            self._images.close()


def _opening(header: StreamHeader) -> bytes:
    info = {
        "description": f"detections of {header.model} in {header.source}",
        "version": header.eventdet_version,
        "synthetic": header.synthetic,
        "window_us": header.window_us,
        "stride_us": header.stride_us,
        "weights_hash": header.weights_hash,
    }
    categories = [{"id": number, "name": name} for number, name in enumerate(header.class_names, start=1)]
    return f'{{"info":{_plain(info)},"licenses":[],"categories":{_plain(categories)},"images":['.encode()


def _item(value: object, *, is_first: bool) -> bytes:
    return (("" if is_first else ",") + "\n" + _plain(value)).encode()


def _plain(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
