"""Pictures for people: event frames, boxes on them, and the bar that says what is shown.

Everything is a function from values to a new uint8 RGB array. OpenCV is loaded with the first picture, not with the
package.
"""

import importlib
from typing import TYPE_CHECKING

from .palettes import PALETTES, Palette
from .style import Caption, Style

if TYPE_CHECKING:
    from .annotations import draw_boxes
    from .frames import enlarge, event_frame
    from .header import draw_header
    from .render import render_frame

__all__ = [
    "PALETTES",
    "Caption",
    "Palette",
    "Style",
    "draw_boxes",
    "draw_header",
    "enlarge",
    "event_frame",
    "render_frame",
]

_LAZY = {
    "draw_boxes": ".annotations",
    "draw_header": ".header",
    "enlarge": ".frames",
    "event_frame": ".frames",
    "render_frame": ".render",
}


def __getattr__(name: str) -> object:
    """Load a drawing function on first use, and OpenCV with it."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
