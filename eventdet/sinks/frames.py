"""Pictures to a video or to numbered files."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from eventdet.drawing import Palette
from eventdet.errors import MissingExtraError, OptionError, OutputError

from ._files import PartFile, check_target, writing
from .encoders import CvEncoder, Encoder, GifEncoder, X264Encoder

__all__ = [
    "FRAME_SUFFIXES",
    "NOTHING_WRITTEN",
    "FrameWriter",
    "check_frame_target",
    "check_numbered",
    "numbered_path",
    "open_frame_writer",
    "write_png",
]

FRAME_SUFFIXES = (".mp4", ".gif", ".png")
"""Suffixes that `open_frame_writer` knows; ``.png`` needs a number field such as ``%06d``."""

NOTHING_WRITTEN = "there was no picture to write, so no file was written"
"""Note of an output for a span without windows, such as a recording of nothing but a header."""


class FrameWriter(Protocol):
    """Takes pictures of one size, at a constant rate."""

    note: str
    """What the user should know about the output; empty when all is as expected."""

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Append an RGB picture of shape (H, W, 3), uint8."""

    def close(self) -> None:
        """Finalise the output; a second call does nothing."""

    def discard(self) -> None:
        """Give the output up and leave an earlier file of the same name; whole pictures stay."""


def check_frame_target(target: str) -> str:
    """Return the suffix of a target for pictures after finding that it could be written.

    Parameters
    ----------
    target : str
        ``.mp4``, ``.gif``, or ``.png`` with or without a number field.

    Raises
    ------
    OptionError
        When the suffix is unknown, the number field is broken, or the target is a folder.
    OutputError
        When the target cannot be written.
    MissingExtraError
        For a GIF without PyAV.
    """
    suffix = Path(target).suffix.lower()
    if suffix not in FRAME_SUFFIXES:
        raise OptionError(
            f"output must end in {', '.join(FRAME_SUFFIXES)}, got {target!r}", hint="use -o clip.mp4 or frames/%06d.png"
        )
    if suffix == ".gif" and not _has_av():
        raise MissingExtraError("writing GIF", extra="video")
    check_target(numbered_path(target, 0) if suffix == ".png" else target)
    return suffix


def numbered_path(pattern: str, number: int) -> Path:
    """Return the file of a picture; without a number field all have the same.

    Raises
    ------
    OptionError
        When the field is not one that takes an integer.
    """
    if "%" not in pattern:
        return Path(pattern)
    try:
        return Path(pattern % number)
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"output {pattern} must hold one number field, {error}", hint="use frames/%06d.png"
        ) from error


def check_numbered(pattern: str) -> None:
    """Refuse a pattern that gives many pictures one name.

    Raises
    ------
    OptionError
        When it holds no number field, or one that does not take an integer.
    """
    if numbered_path(pattern, 0) == numbered_path(pattern, 1):
        raise OptionError(
            f"output {pattern} names one picture for many", hint="number them: frames/%06d.png, or write clip.mp4"
        )


def _has_av() -> bool:
    return importlib.util.find_spec("av") is not None


def open_frame_writer(target: str, *, rate: Fraction, palette: Palette) -> FrameWriter:
    """Return the writer that the suffix of the target asks for.

    Parameters
    ----------
    target : str
        ``.mp4``, ``.gif``, or ``.png`` with a number field, e.g. ``frames/%06d.png``.
    rate : Fraction
        Pictures a second, > 0.
    palette : Palette
        Colours that the pictures are made of; a GIF has no others.

    Returns
    -------
    FrameWriter
        Ready to take pictures.

    Raises
    ------
    OptionError
        When suffix, number field or rate are not as described.
    OutputError
        When the target cannot be written.
    MissingExtraError
        For a GIF without PyAV.
    """
    if rate <= 0:
        raise OptionError(f"rate must be > 0 pictures a second, got {rate}")
    suffix = check_frame_target(target)
    if suffix == ".png":
        return PngSequenceWriter(target)
    part = PartFile(target)
    if suffix == ".gif":
        return VideoWriter(part, partial(GifEncoder, rate=rate, palette=palette))
    if _has_av():
        return VideoWriter(part, partial(X264Encoder, rate=rate))
    note = 'MPEG-4 part 2, which browsers do not play; for H.264: pip install "eventdet[video]"'
    return VideoWriter(part, partial(CvEncoder, rate=rate), note=note)


class PngSequenceWriter(FrameWriter):
    """Write each picture to a file of its own, numbered from 0."""

    def __init__(self, pattern: str) -> None:
        check_numbered(pattern)
        self.note = ""
        self._pattern = pattern
        self._count = 0

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Write the next file."""
        write_png(numbered_path(self._pattern, self._count), picture)
        self._count += 1

    def close(self) -> None:
        """Say so when no picture came; each file is whole once written."""
        if not self._count:
            self.note = NOTHING_WRITTEN

    def discard(self) -> None:
        """Do nothing: each file is whole once written."""


def write_png(path: str | Path, picture: NDArray[np.uint8]) -> None:
    """Write one RGB picture.

    Parameters
    ----------
    path : str or Path
        File, whose folder is made when missing.
    picture : ndarray, shape (H, W, 3), uint8
        RGB.

    Raises
    ------
    OptionError, OutputError
        When the file cannot be written.
    """
    encoded, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not encoded:
        raise OutputError(f"output {path}: OpenCV could not encode a picture of shape {picture.shape}")
    part = PartFile(path)
    try:
        with writing(path):
            part.path.write_bytes(data.tobytes())
    except OutputError:
        part.discard()
        raise
    part.keep()


class VideoWriter(FrameWriter):
    """Write pictures to one file, which appears when closed; the first one sets the size, and without any none is made.

    Parameters
    ----------
    part : PartFile
        Output file.
    open_encoder : callable
        Makes the encoder from the path and (width, height), both even.
    note : str
        What the user should know about the output.
    """

    def __init__(
        self, part: PartFile, open_encoder: Callable[[Path, tuple[int, int]], Encoder], *, note: str = ""
    ) -> None:
        self.note = note
        self._part = part
        self._open_encoder = open_encoder
        self._encoder: Encoder | None = None
        self._size_wh = (0, 0)
        self._is_open = True

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture; odd sizes are extended by a row or column, since 4:2:0 video needs even ones."""
        height, width = picture.shape[:2]
        even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        size_wh = (even.shape[1], even.shape[0])
        with self._discarded_on_failure():
            if self._encoder is None:
                self._size_wh = size_wh
                self._encoder = self._open_encoder(self._part.path, size_wh)
            if size_wh != self._size_wh:
                raise OptionError(f"pictures of a video must have one size, got {size_wh} after {self._size_wh}")
            self._encoder.encode(even)

    def close(self) -> None:
        """Finalise the file, or leave none when no picture came."""
        if not self._is_open:
            return
        if self._encoder is None:
            self.discard()
            self.note = NOTHING_WRITTEN
            return
        with self._discarded_on_failure():
            self._encoder.finish()
        self._is_open = False
        self._part.keep()

    def discard(self) -> None:
        """Remove what was written."""
        if self._is_open:
            self._is_open = False
            if self._encoder is not None:
                self._encoder.abandon()
            self._part.discard()

    @contextmanager
    def _discarded_on_failure(self) -> Iterator[None]:
        """Discard the file when the system refuses to write: a video without its end does not play."""
        try:
            with writing(self._part.target):
                yield
        except OutputError:
            self.discard()
            raise
