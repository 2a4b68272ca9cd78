"""Boxes on a picture: predictions as solid lines with score, labels as dashed lines.

A prediction's line runs inside the edge of its box and a label's outside it, so both stay visible when they agree.
Predictions carry their tag above, labels below.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import GEN1_CLASSES, Boxes
from eventdet.errors import check_option

from .palettes import Colour
from .style import Style
from .text import cell_height, draw_text, text_width

__all__ = ["BOX_KINDS", "Rectangle", "draw_boxes", "outline_boxes", "tag_boxes"]

BOX_KINDS = ("prediction", "label")
"""What a box is; it decides the line."""

_DASH = 9
_GAP = 6
"""Columns or rows of a dash and of the space after it."""

_RIM = 1
"""Width of the dark casing on each side of a line."""

_SMALLEST_TAGGED = 24
"""A box whose longer side on screen is below this carries no tag, which would hide it."""

_TAG_MARGIN = 4
"""Columns left and right of the text in its tag."""

_MARGIN_OUTSIDE = 64
"""How far beyond the picture a box is followed; a box of any size then costs a bounded number of dashes."""


class Rectangle(NamedTuple):
    """Picture pixels ``x0 <= x < x1``, ``y0 <= y < y1``."""

    x0: int
    y0: int
    x1: int
    y1: int

    def grown(self, by: int) -> "Rectangle":
        """Return the rectangle with every side moved outwards."""
        return Rectangle(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def overlaps(self, other: "Rectangle") -> bool:
        """Return whether the two share a pixel."""
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1


def draw_boxes(
    image: NDArray[np.uint8],
    boxes: Boxes,
    *,
    kind: str = "prediction",
    class_names: Sequence[str] = GEN1_CLASSES,
    scale: int = 1,
    style: Style | None = None,
) -> NDArray[np.uint8]:
    """Return the picture with boxes and their tags on it.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB picture, enlarged already.
    boxes : Boxes
        In sensor pixels.
    kind : {"prediction", "label"}
        Solid lines with score, or dashed ones without.
    class_names : sequence of str
        Names by class id; a class beyond them is written as its number.
    scale : int
        Picture pixels per sensor pixel.
    style : Style, optional
        Look; the default one when left out.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        A new picture.

    Raises
    ------
    OptionError
        When `kind` is unknown.

    Examples
    --------
    >>> blank = np.zeros((40, 60, 3), np.uint8)
    >>> drawn = draw_boxes(blank, Boxes.from_xywh([[10, 10, 20, 20]]), style=Style(show_tags=False))
    >>> drawn[10, 15].tolist(), drawn[20, 20].tolist()
    ([255, 176, 0], [0, 0, 0])
    """
    look = style or Style()
    picture = image.copy()
    outline_boxes(picture, boxes, kind=kind, scale=scale, style=look)
    tag_boxes(picture, boxes, kind=kind, class_names=class_names, scale=scale, style=look)
    return picture


def outline_boxes(image: NDArray[np.uint8], boxes: Boxes, *, kind: str, scale: int, style: Style) -> None:
    """Draw the lines of boxes into a picture, in place; arguments as in `draw_boxes`."""
    check_option("kind", kind, BOX_KINDS)
    palette, width = style.colours, style.line_width
    by_score = boxes[np.argsort(boxes.score, kind="stable")]
    for box, class_id in zip(_screen_boxes(by_score, scale, image.shape), by_score.class_id.tolist(), strict=True):
        if kind == "prediction":
            strokes = list(_edges(box, width))
        else:
            outside = box.grown(width + _RIM)
            strokes = [dash for edge in _edges(outside, width) for dash in _dashes(edge)]
        for stroke in strokes:
            _fill(image, stroke.grown(_RIM), palette.casing)
        for stroke in strokes:
            _fill(image, stroke, palette.class_colour(class_id))


def tag_boxes(
    image: NDArray[np.uint8],
    boxes: Boxes,
    *,
    kind: str,
    class_names: Sequence[str],
    scale: int,
    style: Style,
    taken: list[Rectangle] | None = None,
) -> None:
    """Draw the tags of boxes into a picture, in place.

    Parameters
    ----------
    image, boxes, kind, class_names, scale, style
        As in `draw_boxes`.
    taken : list of Rectangle, optional
        Where tags are already; those drawn here are added to it.
    """
    check_option("kind", kind, BOX_KINDS)
    if not style.show_tags:
        return
    occupied = [] if taken is None else taken
    # The best box chooses its place first.
    ranked = boxes[np.argsort(-boxes.score, kind="stable")]
    for index, box in enumerate(_screen_boxes(ranked, scale, image.shape)):
        class_id = int(ranked.class_id[index])
        text = class_names[class_id] if 0 <= class_id < len(class_names) else f"class {class_id}"
        if kind == "prediction":
            text += f" {ranked.score[index]:.2f}"
        place = _tag_place(box, text, kind=kind, style=style, shape=image.shape, taken=occupied)
        if place is None:
            continue
        occupied.append(place)
        _draw_tag(
            image, place, text, colour=style.colours.class_colour(class_id), filled=kind == "prediction", style=style
        )


def _screen_boxes(boxes: Boxes, scale: int, shape: tuple[int, ...]) -> list[Rectangle]:
    limit = np.array([shape[1], shape[0]] * 2, np.float64) + _MARGIN_OUTSIDE
    # Coordinates may come from a file: a NaN or a huge number must not reach an integer.
    edges = np.nan_to_num(boxes.xyxy.astype(np.float64) * scale)
    whole = np.rint(np.clip(edges, -_MARGIN_OUTSIDE, limit)).astype(np.int64)
    return [Rectangle(*row) for row in whole.tolist()]


def _edges(box: Rectangle, width: int) -> Iterator[Rectangle]:
    x0, y0, x1, y1 = box
    yield Rectangle(x0, y0, x1, min(y0 + width, y1))
    yield Rectangle(x0, max(y1 - width, y0), x1, y1)
    yield Rectangle(x0, y0, min(x0 + width, x1), y1)
    yield Rectangle(max(x1 - width, x0), y0, x1, y1)


def _dashes(edge: Rectangle) -> Iterator[Rectangle]:
    """Cut an edge into dashes that begin and end at its corners, so that corners are always closed."""
    is_row = edge.x1 - edge.x0 >= edge.y1 - edge.y0
    length = edge.x1 - edge.x0 if is_row else edge.y1 - edge.y0
    count = max(1, round((length - _DASH) / (_DASH + _GAP)))
    for start in np.linspace(0, max(0, length - _DASH), count + 1).astype(np.int64).tolist():
        stop = min(start + _DASH, length)
        if is_row:
            yield Rectangle(edge.x0 + start, edge.y0, edge.x0 + stop, edge.y1)
        else:
            yield Rectangle(edge.x0, edge.y0 + start, edge.x1, edge.y0 + stop)


def _tag_place(
    box: Rectangle, text: str, *, kind: str, style: Style, shape: tuple[int, ...], taken: list[Rectangle]
) -> Rectangle | None:
    """Return where the tag of a box goes: beside it, flipped inside at the border, moved off other tags."""
    rows, columns = shape[:2]
    is_outside = box.x1 <= 0 or box.y1 <= 0 or box.x0 >= columns or box.y0 >= rows
    if is_outside or max(box.x1 - box.x0, box.y1 - box.y0) < _SMALLEST_TAGGED:
        return None
    width = text_width(text, style.text_scale) + 2 * _TAG_MARGIN
    height = cell_height(style.text_scale)
    if width > columns or height > rows:
        return None
    rim = _RIM if kind == "prediction" else style.line_width + 2 * _RIM
    above, below = box.y0 - height - rim, box.y1 + rim
    tops = [above, box.y0, below, box.y1 - height]
    if kind == "label":
        tops = [below, box.y1 - height, above, box.y0]
    tops += [box.y0 + step * height for step in range(1, rows // height)]
    lefts = [min(max(left, 0), columns - width) for left in (box.x0, box.x1 - width)]
    places = [Rectangle(x, y, x + width, y + height) for y in tops if 0 <= y <= rows - height for x in lefts]
    free = [place for place in places if not any(place.overlaps(other) for other in taken)]
    return next(iter(free or places), None)


def _draw_tag(
    image: NDArray[np.uint8], place: Rectangle, text: str, *, colour: Colour, filled: bool, style: Style
) -> None:
    casing = style.colours.casing
    ground, ink = (colour, casing) if filled else (casing, colour)
    _fill(image, place, ground)
    draw_text(image, text, x=place.x0 + _TAG_MARGIN, y=place.y0, colour=ink, text_scale=style.text_scale)


def _fill(image: NDArray[np.uint8], area: Rectangle, colour: Colour) -> None:
    # A negative slice bound would count from the end.
    image[max(area.y0, 0) : max(area.y1, 0), max(area.x0, 0) : max(area.x1, 0)] = colour
