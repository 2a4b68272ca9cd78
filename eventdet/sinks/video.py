"""Detections drawn on the events of their windows, as a video or numbered pictures."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.drawing import Caption, Style, render_frame
from eventdet.errors import OptionError
from eventdet.units import MICROSECONDS_PER_SECOND

from .base import Sink
from .frames import open_frame_writer
from .result import StreamHeader, StreamTotals, WindowResult

__all__ = ["VideoSink"]


class VideoSink(Sink):
    """Draw one picture a window and play them at recorded speed.

    Where windows were dropped the last picture stands still for their time, so that the video keeps the clock.

    Parameters
    ----------
    target : str
        ``.mp4``, ``.gif``, or numbered ``.png``.
    header : StreamHeader
        Sensor size, class names and rate.
    style : Style, optional
        Look; the default one when left out.

    Raises
    ------
    OptionError, OutputError, MissingExtraError
        When the target cannot be written.
    """

    def __init__(self, target: str, *, header: StreamHeader, style: Style | None = None) -> None:
        self.target = target
        self._header = header
        self._style = style or Style()
        # A file goes by its name, an address such as synthetic://?seed=1 has none.
        self._title = header.source if "://" in header.source else Path(header.source).name
        rate = Fraction(MICROSECONDS_PER_SECOND, header.stride_us)
        self._writer = open_frame_writer(target, rate=rate, palette=self._style.colours)
        self.note = self._writer.note
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def write(self, result: WindowResult) -> None:
        """Draw a window.

        Raises
        ------
        OptionError
            When the result comes without its events.
        """
        if result.events is None:
            raise OptionError(f"{self.target}: window {result.seq} came without its events, which a video shows")
        picture = render_frame(
            result.events,
            self._header.sensor_size,
            boxes=result.boxes,
            class_names=self._header.class_names,
            caption=Caption(
                title=self._title,
                t_us=result.t_us,
                window_us=self._header.window_us,
                num_events=result.num_events,
                synthetic=self._header.synthetic,
            ),
            style=self._style,
        )
        if self._last is not None:
            last_seq, last_picture = self._last
            for _ in range(last_seq + 1, result.seq):
                self._writer.write(last_picture)
        self._writer.write(picture)
        self._last = (result.seq, picture)

    def conclude(self, totals: StreamTotals) -> None:
        """Do nothing: each picture has said what it shows."""

    def close(self) -> None:
        """Finalise the video."""
        self._writer.close()
        self.note = self._writer.note

    def discard(self) -> None:
        """Give the video up; numbered pictures stay."""
        self._writer.discard()
