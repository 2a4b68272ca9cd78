"""Pictures to a video or to numbered files."""

import importlib.util
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from eventdet.drawing import Palette
from eventdet.errors import InputError, MissingExtraError, OptionError

from .base import prepare_target
from .encoders import CvEncoder, Encoder, GifEncoder, X264Encoder

__all__ = ["FRAME_SUFFIXES", "FrameWriter", "check_frame_target", "open_frame_writer", "write_png"]

FRAME_SUFFIXES = (".mp4", ".gif", ".png")
"""Suffixes that `open_frame_writer` knows; ``.png`` needs a number field such as ``%06d``."""


class FrameWriter(Protocol):
    """Takes pictures of one size, at a constant rate."""

    note: str
    """What the user should know about the output; empty when all is as expected."""

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Append an RGB picture of shape (H, W, 3), uint8."""

    def close(self) -> None:
        """Finalise the output; a second call does nothing."""


def check_frame_target(target: str) -> str:
    """Return the suffix of a target for pictures.

    Raises
    ------
    OptionError
        When the suffix is unknown.
    """
    suffix = Path(target).suffix.lower()
    if suffix not in FRAME_SUFFIXES:
        raise OptionError(
            f"output must end in {', '.join(FRAME_SUFFIXES)}, got {target!r}", hint="use -o clip.mp4 or frames/%06d.png"
        )
    return suffix


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
    InputError
        When the target cannot be written.
    MissingExtraError
        For a GIF without PyAV.
    """
    if rate <= 0:
        raise OptionError(f"rate must be > 0 pictures a second, got {rate}")
    suffix = check_frame_target(target)
    if suffix == ".png":
        return PngSequenceWriter(target)
    has_av = importlib.util.find_spec("av") is not None
    if suffix == ".gif":
        if not has_av:
            raise MissingExtraError("writing GIF", extra="video")
        return VideoWriter(prepare_target(target), partial(GifEncoder, rate=rate, palette=palette))
    if has_av:
        return VideoWriter(prepare_target(target), partial(X264Encoder, rate=rate))
    note = 'MPEG-4 part 2, which browsers do not play; for H.264: pip install "eventdet[video]"'
    return VideoWriter(prepare_target(target), partial(CvEncoder, rate=rate), note=note)


class PngSequenceWriter(FrameWriter):
    """Write each picture to a file of its own, numbered from 0."""

    def __init__(self, pattern: str) -> None:
        self.note = ""
        self._pattern = pattern
        self._count = 0
        if self._path(0) == self._path(1):
            raise OptionError(
                f"output {pattern} names one picture for many", hint="number them: frames/%06d.png, or write clip.mp4"
            )

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Write the next file."""
        write_png(self._path(self._count), picture)
        self._count += 1

    def close(self) -> None:
        """Do nothing: each file is whole once written."""

    def _path(self, number: int) -> Path:
        if "%" not in self._pattern:
            return Path(self._pattern)
        try:
            return Path(self._pattern % number)
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"output {self._pattern} must hold one number field, {error}", hint="use frames/%06d.png"
            ) from error


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
    OptionError, InputError
        When the file cannot be written.
    """
    target = prepare_target(path)
    encoded, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not encoded:
        raise InputError(f"output {target}: OpenCV could not encode a picture of shape {picture.shape}")
    target.write_bytes(data.tobytes())


class VideoWriter(FrameWriter):
    """Write pictures to one file; the first one sets the size, and without any no file is left.

    Parameters
    ----------
    path : Path
        Output file, known to be writable.
    open_encoder : callable
        Makes the encoder from the path and (width, height), both even.
    note : str
        What the user should know about the output.
    """

    def __init__(self, path: Path, open_encoder: Callable[[Path, tuple[int, int]], Encoder], *, note: str = "") -> None:
        self.note = note
        self._path = path
        self._open_encoder = open_encoder
        self._encoder: Encoder | None = None
        self._size_wh = (0, 0)
        self._is_open = True

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture; odd sizes are extended by a row or column, since 4:2:0 video needs even ones."""
        height, width = picture.shape[:2]
        even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        size_wh = (even.shape[1], even.shape[0])
        if self._encoder is None:
            self._size_wh = size_wh
            self._encoder = self._open_encoder(self._path, size_wh)
        if size_wh != self._size_wh:
            raise OptionError(f"pictures of a video must have one size, got {size_wh} after {self._size_wh}")
        self._encoder.encode(even)

    def close(self) -> None:
        """Finalise the file, or remove it when no picture came."""
        if not self._is_open:
            return
        self._is_open = False
        if self._encoder is not None:
            self._encoder.finish()
        else:
            self._path.unlink(missing_ok=True)
            self.note = "there was no picture to write, so no file was left"
