"""Encoders of video files, one a class: take pictures, finish the file.

MP4 goes through PyAV's x264: browsers play it and it is the smallest. Without PyAV, OpenCV's MPEG-4 part 2 is the
fallback. GIF goes through PyAV as well: OpenCV's own GIF writer dithers flat backgrounds, which makes files several
times larger, and it holds all pictures in memory until the end.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from eventdet.drawing import Palette
from eventdet.errors import OutputError

__all__ = ["CvEncoder", "Encoder", "GifEncoder", "X264Encoder"]

_X264_OPTIONS = {"crf": "18", "preset": "veryfast"}
"""Single-pixel events survive at this quality."""

_CONTAINER_OPTIONS = {"movflags": "+faststart"}
"""The index in front lets browsers start before the file is loaded."""

_LARGEST_RATE_TERM = 1 << 16
"""Bound for numerator and denominator of a picture rate; encoders count time in 32 bits."""

_GIF_CLOCK = Fraction(1, 100)
"""Seconds; GIF counts the time of a picture in these."""

_GIF_SHORTEST = 2
"""Ticks of the GIF clock; browsers slow down what is shorter."""

_COLOUR_BITS = 5
"""Bits kept a channel to look a colour up in the GIF palette."""


class Encoder(Protocol):
    """Encodes pictures of one size into a file; what the system says against writing comes as an OSError."""

    def encode(self, picture: NDArray[np.uint8]) -> None:
        """Append an RGB picture of shape (H, W, 3), uint8, both sides even."""

    def finish(self) -> None:
        """Write what is pending and close the file."""

    def abandon(self) -> None:
        """Close the file as it is."""


class _AvEncoder(Encoder):
    """What the encoders of PyAV share: packets to the container, and its end."""

    _container: Any
    _stream: Any

    def finish(self) -> None:
        """Flush the encoder, write the index and close the file."""
        with _system_errors():
            try:
                self._container.mux(self._stream.encode(None))
            finally:
                self._container.close()

    def abandon(self) -> None:
        """Close the file without flushing: FFmpeg crashes on a container whose file has refused a packet."""
        with suppress(OSError), _system_errors():
            self._container.close()


@contextmanager
def _system_errors() -> Iterator[None]:
    """Turn errors of FFmpeg into the OSError that most of them are."""
    import av

    try:
        yield
    except av.FFmpegError as error:
        raise OSError(error.errno, error.strerror) from error


class X264Encoder(_AvEncoder):
    """H.264 in MP4 by PyAV, with BT.709 colours written in the file so that players show the palette as it is."""

    def __init__(self, path: Path, size_wh: tuple[int, int], *, rate: Fraction) -> None:
        import av

        with _system_errors():
            self._container = av.open(str(path), "w", format="mp4", container_options=_CONTAINER_OPTIONS)
        bounded = rate.limit_denominator(_LARGEST_RATE_TERM)
        self._stream: Any = self._container.add_stream("libx264", rate=bounded, options=dict(_X264_OPTIONS))
        self._stream.width, self._stream.height = size_wh
        self._stream.pix_fmt = "yuv420p"
        colours = av.video.reformatter
        self._stream.codec_context.colorspace = int(colours.Colorspace.ITU709)
        self._stream.codec_context.color_primaries = int(colours.ColorPrimaries.BT709)
        self._stream.codec_context.color_trc = int(colours.ColorTrc.BT709)
        self._stream.codec_context.color_range = int(colours.ColorRange.MPEG)

    def encode(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        converted = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        with _system_errors():
            self._container.mux(self._stream.encode(converted))


class CvEncoder(Encoder):
    """MPEG-4 part 2 in MP4 by OpenCV."""

    def __init__(self, path: Path, size_wh: tuple[int, int], *, rate: Fraction) -> None:
        fourcc = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(str(path), fourcc, float(rate), size_wh)
        if not self._writer.isOpened():
            raise OutputError(
                f"output {path}: OpenCV cannot write MP4 video here", hint='pip install "eventdet[video]"'
            )

    def encode(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture."""
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def finish(self) -> None:
        """Write the index."""
        self._writer.release()

    def abandon(self) -> None:
        """Close the file; OpenCV cannot do so without writing the index."""
        self._writer.release()


class GifEncoder(_AvEncoder):
    """GIF by PyAV with one fixed palette: flat colours stay exact and nothing flickers.

    Above 50 pictures a second some are left out, so that the animation keeps its speed.
    """

    def __init__(self, path: Path, size_wh: tuple[int, int], *, rate: Fraction, palette: Palette) -> None:
        import av

        self._ticks_per_picture = 1 / (rate * _GIF_CLOCK)
        # A picture lasts until the next one; the last has no next and needs its time said.
        final_delay = max(_GIF_SHORTEST, round(self._ticks_per_picture))
        options = {"final_delay": str(final_delay)}
        with _system_errors():
            self._container = av.open(str(path), "w", format="gif", container_options=options)
        self._stream: Any = self._container.add_stream("gif", rate=int(1 / _GIF_CLOCK))
        self._stream.width, self._stream.height = size_wh
        self._stream.pix_fmt = "pal8"
        self._stream.codec_context.time_base = _GIF_CLOCK
        self._count = 0
        self._last_tick = -_GIF_SHORTEST
        self._lookup = _palette_lookup(palette.swatch())
        self._argb = np.zeros((256, 4), np.uint8)
        self._argb[:, 0] = 255
        self._argb[: len(palette.swatch()), 1:] = palette.swatch()

    def encode(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture, or leave it out when it would be too short to show."""
        import av

        tick = int(self._count * self._ticks_per_picture)
        self._count += 1
        if tick - self._last_tick < _GIF_SHORTEST:
            return
        self._last_tick = tick
        indices = self._lookup[_colour_keys(picture)]
        frame = av.VideoFrame.from_ndarray(
            (indices, self._argb),  # type: ignore[arg-type]  # PyAV's stub lacks the pair that pal8 takes
            format="pal8",
        )
        frame.pts, frame.time_base = tick, _GIF_CLOCK
        with _system_errors():
            self._container.mux(self._stream.encode(frame))


def _colour_keys(colours: NDArray[np.uint8]) -> NDArray[np.uint16]:
    high = (colours >> (8 - _COLOUR_BITS)).astype(np.uint16)
    shifts = np.array([2 * _COLOUR_BITS, _COLOUR_BITS, 0], np.uint16)
    keys: NDArray[np.uint16] = np.bitwise_or.reduce(high << shifts, axis=-1, dtype=np.uint16)
    return keys


def _palette_lookup(swatch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the index of the nearest palette colour for every coarse colour."""
    steps = 1 << _COLOUR_BITS
    centres = (np.arange(steps, dtype=np.int64) << (8 - _COLOUR_BITS)) + (1 << (7 - _COLOUR_BITS))
    red, green, blue = (axis[..., None] for axis in np.meshgrid(centres, centres, centres, indexing="ij"))
    wanted = swatch.astype(np.int64)
    distance = (red - wanted[:, 0]) ** 2 + (green - wanted[:, 1]) ** 2 + (blue - wanted[:, 2]) ** 2
    lookup: NDArray[np.uint8] = np.argmin(distance, axis=-1).astype(np.uint8).reshape(-1)
    # Two palette colours may share a cell; the first, a flat one, is written last and keeps it.
    lookup[_colour_keys(swatch)[::-1]] = np.arange(len(swatch), dtype=np.uint8)[::-1]
    return lookup
