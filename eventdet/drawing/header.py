"""The bar above a picture: what is shown, when, and how busy it was."""

import re

import numpy as np
from numpy.typing import NDArray

from eventdet.units import MICROSECONDS_PER_SECOND

from .style import Caption, Style
from .text import cell_height, draw_text, shorten_text, text_width

__all__ = ["draw_header"]

_MARGIN = 10
"""Columns at the ends of the bar and between its texts, before `text_scale` moves them apart."""

_SMALLEST_TITLE = 60
"""Columns below which a shortened title says nothing and leaves its place to the numbers."""

_MARK = "SYNTHETIC"
_LEGEND = "solid: prediction   dashed: label"


def draw_header(
    image: NDArray[np.uint8], caption: Caption, *, legend: bool = False, style: Style | None = None
) -> NDArray[np.uint8]:
    """Return the picture with a bar above it.

    The bar says source, time, window and event rate, as far as they fit; the mark of a synthetic source always stays.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB picture.
    caption : Caption
        What to say.
    legend : bool
        Whether to explain solid and dashed lines, where there is room.
    style : Style, optional
        Look; the default one when left out.

    Returns
    -------
    ndarray, shape (H + bar, W, 3), uint8
        A new picture; the bar's height is even and depends on the style alone.
    """
    look = style or Style()
    palette, text_scale = look.colours, look.text_scale
    line = cell_height(text_scale)
    height = 2 * ((line + 11) // 2)
    top = (height - line) // 2
    width = image.shape[1]
    bar = np.full((height, width, 3), palette.bar, np.uint8)
    right = width - _MARGIN
    if caption.synthetic:
        right -= text_width(_MARK, text_scale)
        draw_text(bar, _MARK, x=right, y=top, colour=palette.class_colour(0), text_scale=text_scale)
        right -= 2 * _MARGIN
    fields = _fitting_fields(caption, room=right - _MARGIN - _SMALLEST_TITLE, text_scale=text_scale)
    title_room = right - _MARGIN - sum(_slot_width(field, text_scale) for field in fields)
    title = shorten_text(caption.title, text_scale, title_room)
    draw_text(bar, title, x=_MARGIN, y=top, colour=palette.text, text_scale=text_scale)
    x = _MARGIN + (text_width(title, text_scale) + 2 * _MARGIN if title else 0)
    for field in fields:
        draw_text(bar, field, x=x, y=top, colour=palette.muted, text_scale=text_scale)
        x += _slot_width(field, text_scale)
    legend_x = right - text_width(_LEGEND, text_scale)
    if legend and legend_x >= x:
        draw_text(bar, _LEGEND, x=legend_x, y=top, colour=palette.muted, text_scale=text_scale)
    return np.concatenate([bar, image])


def _fitting_fields(caption: Caption, *, room: int, text_scale: float) -> list[str]:
    rate = caption.num_events / caption.window_us
    fields = [
        f"t = {caption.t_us / MICROSECONDS_PER_SECOND:.3f} s",
        f"window {caption.window_us / 1000:g} ms",
        f"{rate:.2f} Mev/s",
    ]
    while fields and sum(_slot_width(field, text_scale) for field in fields) > room:
        fields.pop()
    return fields


def _slot_width(field: str, text_scale: float) -> int:
    # Digits differ in width: a slot as wide as its zeros keeps the texts still while numbers run.
    return text_width(re.sub(r"\d", "0", field), text_scale) + 2 * _MARGIN
