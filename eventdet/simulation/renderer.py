"""Pictures and labels of a scene."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.units import MICROSECONDS_PER_SECOND

from . import _columns as column
from ._canvas import Canvas
from ._surfaces import footprints
from .scene import Scene, View
from .truth import GroundTruth

if TYPE_CHECKING:
    from ._shadow_kernels import Throwers

__all__ = ["MIN_BOX_DIAGONAL", "MIN_BOX_SIDE", "MIN_VISIBLE_SHARE", "Renderer"]

MIN_BOX_DIAGONAL = 30.0
"""Pixels; the evaluation of Gen1 leaves smaller boxes out."""

MIN_BOX_SIDE = 10.0
"""Pixels, likewise."""

MIN_VISIBLE_SHARE = 0.25
"""An object of which others hide more than the rest of this gets no box."""


_FLICKER_STEP_US = 2_000
"""Longest time between pictures where lamps flicker at 100 Hz."""


class _Outline(NamedTuple):
    """Where the objects of a scene are in a picture, by their number; number 0 is nobody."""

    extent: NDArray[np.int64]
    """Shape (n, 4): left, top, right, bottom of the visible part."""

    visible: NDArray[np.int64]
    """Shape (n,): pixels in view."""

    reach: NDArray[np.int64]
    """Shape (n,): pixels in the picture, hidden ones too."""

    def is_label(self) -> NDArray[np.bool_]:
        """Return who gets a box, shape (n,)."""
        sides = self.extent[:, 2:] - self.extent[:, :2]
        large = (sides.min(axis=1) >= MIN_BOX_SIDE) & ((sides**2).sum(axis=1) >= MIN_BOX_DIAGONAL**2)
        shown: NDArray[np.bool_] = large & (self.visible > 0) & (self.visible >= MIN_VISIBLE_SHARE * self.reach)
        return shown


class Renderer:
    """Draws a scene at any time.

    Parameters
    ----------
    scene : Scene
        What to draw.

    Examples
    --------
    >>> from eventdet.simulation import make_scene
    >>> light = Renderer(make_scene(1, 1_000_000)).light(0)
    >>> light.shape, light.dtype, bool(light.min() >= 0)
    ((240, 304), dtype('float32'), True)
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        shape = tuple(scene.size)
        self._canvas = Canvas(
            image=np.empty(shape, np.float32),
            lamps=np.zeros(shape if scene.flickers else (0, 0), np.float32),
            through=np.empty(shape, np.float32),
            owner=np.empty(shape, np.int32),
            reach=np.empty(len(scene.objects) + 1, np.int64),
        )
        self._scratch = np.empty(shape, np.float32)
        self._dim = np.zeros(shape if scene.built_up else (0, 0), np.float32)

    def light(self, t_us: int) -> NDArray[np.float32]:
        """Return the picture at a time.

        Parameters
        ----------
        t_us : int
            Microseconds from the start of the scene.

        Returns
        -------
        ndarray, shape (height, width), float32
            Linear light, 1 is white in full daylight. A new array.
        """
        steady, lamps = self._layers(t_us)
        return self._mixed(steady, lamps, t_us) if lamps.size else steady

    def pictures(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (time, picture) over the duration of the scene, the first at 0, the last not before its end.

        Where street lamps flicker, more pictures are needed than what moves would ask for: there both layers of light
        run straight from one drawing to the next, and only the strength of the lamps follows every picture.
        """
        scene, t_us = self._scene, 0
        before = self._layers(0)
        yield 0, self._mixed(*before, 0) if scene.flickers else before[0]
        while t_us < scene.duration_us:
            step_us = scene.step_us(t_us)
            layers = self._layers(t_us + step_us)
            if not scene.flickers:
                yield t_us + step_us, layers[0]
            else:
                num_steps = -(-step_us // _FLICKER_STEP_US)
                for k in range(1, num_steps + 1):
                    now_us = t_us + step_us * k // num_steps
                    # From the later drawing back, so that the last picture is that drawing to the bit.
                    left = np.float32((num_steps - k) / num_steps)
                    steady, lamps = (b - left * (b - a) for a, b in zip(before, layers, strict=True))
                    yield now_us, self._mixed(steady, lamps, now_us)
            t_us, before = t_us + step_us, layers

    def _mixed(self, steady: NDArray[np.float32], lamps: NDArray[np.float32], t_us: int) -> NDArray[np.float32]:
        return steady + np.float32(self._scene.lamp_swing(t_us)) * lamps

    def _layers(self, t_us: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the steady light, and that of lamps which flicker where there are any, as new arrays."""
        from ._ground_kernels import draw_background
        from ._shadow_kernels import draw_contacts
        from ._weather_kernels import draw_rain, pass_lens

        view = self._scene.view(t_us)
        corners, throwers = self._draw(view, count_hidden=False)
        if self._dim.size:
            self._dim[:] = 0.0
            draw_contacts(view.surfaces, corners, view.camera, self._canvas.through, self._dim)
        draw_background(
            view.camera,
            view.bend,
            self._scene.ground,
            view.light,
            self._scene.tile,
            throwers,
            self._canvas,
            self._dim,
        )
        if view.light[column.RAIN] > 0.0:
            glare = 1.3 * self._scene.ground[column.SKY] * view.light[column.SKY_LIGHT]
            draw_rain(
                self._canvas.image, self._scene.tile, view.camera, view.light, t_us / MICROSECONDS_PER_SECOND, glare
            )
        if view.camera[column.BLUR] > 0.0 or view.camera[column.VIGNETTE] > 0.0:
            for layer in filter(np.size, (self._canvas.image, self._canvas.lamps)):
                pass_lens(layer, self._scratch, view.camera)
        brightness = np.float32(self._scene.brightness)
        return self._canvas.image * brightness, self._canvas.lamps * brightness

    def owners(self, t_us: int) -> NDArray[np.int32]:
        """Return whose each pixel is at a time.

        Parameters
        ----------
        t_us : int
            Microseconds from the start of the scene.

        Returns
        -------
        ndarray, shape (height, width), int32
            The track id of a car or pedestrian, 0 elsewhere. A new array.
        """
        self._draw(self._scene.view(t_us), count_hidden=False)
        return self._canvas.owner.copy()

    def boxes(self, t_us: int) -> Boxes:
        """Return the labels at a time: what a person would draw around the visible part of each object.

        Parameters
        ----------
        t_us : int
            Microseconds from the start of the scene.

        Returns
        -------
        Boxes
            Cars (0) and pedestrians (1) with diagonal >= 30, both sides >= 10 pixels, and a quarter or more of what
            lies in the picture in view. `track_id` is the object's own number for the whole recording.
        """
        outline = self._measure(self._scene.view(t_us))
        keep = np.flatnonzero(outline.is_label())
        classes = self._scene.objects.class_id[keep - 1].astype(np.int64)
        return Boxes.from_xyxy(outline.extent[keep], t=t_us, class_id=classes, track_id=keep.astype(np.int64))

    def truth(self, t_us: int) -> GroundTruth:
        """Return every car and pedestrian that reaches into the picture at a time, hidden and small ones too.

        Parameters
        ----------
        t_us : int
            Microseconds from the start of the scene.

        Returns
        -------
        GroundTruth
            One row an object, by its number.
        """
        view = self._scene.view(t_us)
        outline = self._measure(view)
        present = 1 + np.flatnonzero(outline.reach[1:] > 0)
        identity = view.surfaces[:, column.IDENTITY]
        alone = [self._measure(view._replace(surfaces=view.surfaces[identity == track])) for track in present]
        amodal = [one.extent[track] for one, track in zip(alone, present, strict=True)]
        return GroundTruth(
            t=np.full(len(present), t_us, np.int64),
            track_id=present.astype(np.int64),
            class_id=self._scene.objects.class_id[present - 1].astype(np.int64),
            visible=(outline.extent * (outline.visible > 0)[:, None])[present].astype(np.float32),
            amodal=np.array(amodal, np.float32).reshape(-1, 4),
            visible_share=(outline.visible[present] / outline.reach[present]).astype(np.float32),
            is_label=outline.is_label()[present],
        )

    def _measure(self, view: View) -> _Outline:
        from ._render_kernels import measure_owners

        self._draw(view, count_hidden=True)
        extent = np.zeros((len(self._canvas.reach), 4), np.int64)
        extent[:, :2] = max(self._scene.size)
        visible = np.zeros(len(self._canvas.reach), np.int64)
        measure_owners(self._canvas.owner, extent, visible)
        return _Outline(extent, visible, self._canvas.reach.copy())

    def _draw(self, view: View, *, count_hidden: bool) -> "tuple[NDArray[np.float64], Throwers]":
        """Draw the surfaces, and return their footprints and what throws shadows."""
        from ._render_kernels import draw_surfaces
        from ._shadow_kernels import sort_throwers

        self._canvas.clear()
        corners = np.stack(footprints(view.surfaces), axis=1)
        throwers = sort_throwers(view.throwers, np.stack(footprints(view.throwers), axis=1), view.light)
        draw_surfaces(
            view.surfaces,
            corners,
            view.camera,
            self._scene.ground,
            view.light,
            self._scene.tile,
            throwers,
            self._canvas,
            count_hidden,
        )
        return corners, throwers
