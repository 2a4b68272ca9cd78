"""Text on pictures, measured and drawn in one font.

``cv2.putText`` with a Hershey font draws a smooth outline font since OpenCV 5 and plain strokes before: one call serves
both, and places are always measured, never assumed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from .palettes import Colour

__all__ = ["cell_height", "draw_text", "shorten_text", "text_width"]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE_HEIGHT = 36.0
"""Rows of a line with room for descenders at text scale 1."""

_BASELINE = 0.72
"""Share of a line above its baseline."""


def cell_height(text_scale: float) -> int:
    """Return the rows of one line of text."""
    return round(_LINE_HEIGHT * text_scale)


def text_width(text: str, text_scale: float) -> int:
    """Return the columns that a text takes."""
    (width, _), _ = cv2.getTextSize(text, _FONT, text_scale, 1)
    return int(width)


def draw_text(image: NDArray[np.uint8], text: str, *, x: int, y: int, colour: Colour, text_scale: float) -> None:
    """Write a line of text into a picture, in place.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        Changed where the letters are.
    text : str
        One line.
    x, y : int
        Left and top of the line, whose height is `cell_height`.
    colour : tuple of int
        RGB.
    text_scale : float
        Size, as in `Style`.
    """
    baseline = y + round(_BASELINE * cell_height(text_scale))
    cv2.putText(image, text, (x, baseline), _FONT, text_scale, colour, 1, cv2.LINE_AA)


def shorten_text(text: str, text_scale: float, width: int) -> str:
    """Return the text cut in its middle so that it takes at most `width` columns; empty when nothing fits.

    The middle goes first: the end of a file name holds the part that tells recordings apart.
    """
    if text_width(text, text_scale) <= width:
        return text
    for kept in range(len(text) - 1, 3, -1):
        shorter = f"{text[: kept // 2]}...{text[len(text) - (kept - kept // 2) :]}"
        if text_width(shorter, text_scale) <= width:
            return shorter
    return ""
