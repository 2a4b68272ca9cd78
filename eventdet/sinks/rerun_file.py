"""Events and detections as a recording of rerun (``.rrd``), on the clock of the events.

The events of a window are an image of three classes (none, OFF, ON), which packs to a few kilobytes and is coloured
by the viewer; boxes carry names and scores, and the plots are of events, latency and dropped windows.
"""

from typing import Any

import numpy as np

from eventdet.drawing import Style
from eventdet.errors import MissingExtraError, OutputError

from ._files import PartFile
from .base import Sink
from .result import StreamHeader, StreamTotals, WindowResult

__all__ = ["RerunSink", "import_rerun"]

_NONE, _OFF, _ON = range(3)
_FIRST_CLASS = 3
"""Ids below are what pixels show; boxes have those from here on."""

_FLUSH_S = 30.0
"""Longest wait for the file at the end."""

_TIMELINE = "recorded"


def import_rerun() -> Any:
    """Return the package.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    try:
        import rerun
    except ImportError as error:
        raise MissingExtraError("writing .rrd", extra="rerun") from error
    return rerun


class RerunSink(Sink):
    """Write a recording for the viewer of rerun; the file appears when it is whole.

    Parameters
    ----------
    target : str
        Path of the ``.rrd`` file.
    header : StreamHeader
        Sensor size, class names and what is said about the stream.

    Raises
    ------
    OptionError, OutputError
        When the target cannot be written.
    MissingExtraError
        When rerun is not installed.
    """

    def __init__(self, target: str, *, header: StreamHeader) -> None:
        self.target = target
        self.note = ""
        self._rerun = import_rerun()
        self._header = header
        self._part = PartFile(target)
        self._is_open = True
        # Not the wall clock of the machine: a recording has its own.
        self._stream = self._rerun.RecordingStream("eventdet")
        self._stream.set_log_time_enabled(False)
        self._stream.set_log_tick_enabled(False)
        self._stream.save(str(self._part.path))
        self._log_header()

    def write(self, result: WindowResult) -> None:
        """Append a window at its end."""
        rerun, stream = self._rerun, self._stream
        stream.set_time(_TIMELINE, duration=result.t_us / 1e6)
        if result.events is not None:
            size = self._header.sensor_size
            picture = np.zeros((size.height, size.width), np.uint8)
            picture[result.events.y, result.events.x] = np.where(result.events.p, _ON, _OFF)
            stream.log("camera/events", rerun.SegmentationImage(picture))
        boxes = result.boxes
        stream.log(
            "camera/boxes",
            rerun.Boxes2D(
                array=boxes.xyxy,
                array_format=rerun.Box2DFormat.XYXY,
                class_ids=(boxes.class_id + _FIRST_CLASS).astype(np.uint16),
                labels=self._labels(result),
            ),
        )
        stream.log("plots/events", rerun.Scalars(result.num_events))
        stream.log("plots/dropped", rerun.Scalars(result.dropped))
        if "total" in result.latency_ms:
            stream.log("plots/latency_ms", rerun.Scalars(result.latency_ms["total"]))

    def conclude(self, totals: StreamTotals) -> None:
        """Do nothing: the plots have said it."""

    def close(self) -> None:
        """Write what is on its way, and give the file its name.

        Raises
        ------
        OutputError
            When rerun could not write it.
        """
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._stream.flush(timeout_sec=_FLUSH_S)
            self._stream.disconnect()
        except (RuntimeError, ValueError) as error:
            self._part.discard()
            raise OutputError(f"output {self.target} cannot be written: {error}") from error
        self._part.keep()

    def discard(self) -> None:
        """Remove what was written."""
        if self._is_open:
            self._is_open = False
            self._stream.disconnect()
            self._part.discard()

    def _labels(self, result: WindowResult) -> list[str]:
        names = self._header.class_names
        boxes = result.boxes
        labels = []
        for class_id, score, track_id in zip(
            boxes.class_id.tolist(), boxes.score.tolist(), boxes.track_id.tolist(), strict=True
        ):
            name = names[class_id] if 0 <= class_id < len(names) else str(class_id)
            labels.append(f"{name} {score:.2f}" + (f" #{track_id}" if track_id >= 0 else ""))
        return labels

    def _log_header(self) -> None:
        rerun, header = self._rerun, self._header
        palette = Style().colours
        pixels = [(_NONE, "none", palette.background), (_OFF, "OFF", palette.off), (_ON, "ON", palette.on)]
        classes = [(number + _FIRST_CLASS, name) for number, name in enumerate(header.class_names)]
        self._stream.log("camera", rerun.AnnotationContext([*pixels, *classes]), static=True)
        kind = "synthetic" if header.synthetic else header.format
        text = f"{header.source} ({kind}), {header.model} {header.weights_hash}, windows of {header.window_us} us"
        self._stream.log("header", rerun.TextDocument(text), static=True)
