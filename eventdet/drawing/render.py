"""A whole picture of a window in one call."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import GEN1_CLASSES, Boxes
from eventdet.events import Events
from eventdet.geometry import SensorSize

from .annotations import Rectangle, outline_boxes, tag_boxes
from .frames import enlarge, event_frame
from .header import draw_header
from .style import Caption, Style

__all__ = ["render_frame"]


def render_frame(
    events: Events,
    size: SensorSize,
    *,
    boxes: Boxes | None = None,
    labels: Boxes | None = None,
    class_names: Sequence[str] = GEN1_CLASSES,
    caption: Caption | None = None,
    style: Style | None = None,
) -> NDArray[np.uint8]:
    """Return the picture of a window: events, labels below predictions, and the top bar.

    Parameters
    ----------
    events : Events
        Events of the window, in time order.
    size : SensorSize
        Rows and columns of the sensor.
    boxes, labels : Boxes, optional
        Predictions and labels to show, whatever their stamps.
    class_names : sequence of str
        Names by class id.
    caption : Caption, optional
        Text of the top bar; no bar without it.
    style : Style, optional
        Look; the default one when left out.

    Returns
    -------
    ndarray, shape (H * scale + bar, W * scale, 3), uint8
        RGB; the shape is the same for every window of a source.

    Raises
    ------
    OptionError
        When an event lies outside the sensor.

    Examples
    --------
    >>> from eventdet.geometry import GEN1
    >>> render_frame(Events.empty(), GEN1).shape
    (720, 912, 3)
    """
    look = style or Style()
    scale = look.scale_for(size)
    picture = enlarge(event_frame(events, size, palette=look.palette), scale)
    layers = [(kind, layer) for kind, layer in (("label", labels), ("prediction", boxes)) if layer is not None]
    for kind, layer in layers:
        outline_boxes(picture, layer, kind=kind, scale=scale, style=look)
    taken: list[Rectangle] = []
    for kind, layer in layers:
        tag_boxes(picture, layer, kind=kind, class_names=class_names, scale=scale, style=look, taken=taken)
    if caption is None or not look.show_header:
        return picture
    return draw_header(picture, caption, legend=len(layers) == 2, style=look)
