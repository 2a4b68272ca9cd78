"""Colours of the pictures.

Background, ON and OFF are those that users of Prophesee's software know (the table of OpenEB's ``colors_impl.h``, as
numbers). Boxes are amber and magenta: they stay apart from each other and from blue and white events for people with
deuteranopia too, and class never rests on colour alone, since every box carries its name. Light backgrounds take darker
tones of the same hues.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["PALETTES", "Colour", "Palette"]

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, each 0..255."""

_RAMP_STEPS = 5
"""Shades between two flat colours that `Palette.swatch` keeps for the soft edges of text."""

_BRIGHT: tuple[Colour, ...] = (
    (255, 176, 0), (255, 111, 207), (64, 210, 150), (255, 132, 84), (240, 228, 96), (190, 156, 255),
)  # fmt: skip
_DEEP: tuple[Colour, ...] = ((166, 88, 0), (168, 0, 122), (0, 112, 76), (184, 48, 8), (112, 100, 0), (98, 58, 190))


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one look."""

    background: Colour
    """A pixel without events."""

    on: Colour
    """A pixel whose last event was ON (brighter)."""

    off: Colour
    """A pixel whose last event was OFF (darker)."""

    bar: Colour
    """Ground of the top bar."""

    text: Colour
    """What matters in the top bar."""

    muted: Colour
    """Everything else in the top bar."""

    casing: Colour
    """Thin rim around box lines, and the ink on tags filled with a class colour."""

    class_colours: tuple[Colour, ...]
    """Box colour by class id, starting over after the last one."""

    def class_colour(self, class_id: int) -> Colour:
        """Return the box colour of a class."""
        return self.class_colours[class_id % len(self.class_colours)]

    def swatch(self) -> NDArray[np.uint8]:
        """Return every colour that a picture of this look is made of.

        Returns
        -------
        ndarray, shape (n, 3), uint8
            The flat colours first, then shades between each pair that meets at the edge of a letter; n <= 256.
        """
        flat = [self.background, self.on, self.off, self.bar, self.text, self.muted, self.casing, *self.class_colours]
        pairs = [(self.bar, self.text), (self.bar, self.muted), (self.bar, self.off)]
        pairs += [(self.casing, colour) for colour in self.class_colours]
        weights = np.linspace(0.0, 1.0, _RAMP_STEPS + 2)[1:-1, None]
        ramps = [np.asarray(a) * (1.0 - weights) + np.asarray(b) * weights for a, b in pairs]
        colours: NDArray[np.uint8] = np.rint(np.concatenate([np.asarray(flat), *ramps])).astype(np.uint8)
        _, first = np.unique(colours, axis=0, return_index=True)
        return np.asarray(colours[np.sort(first)], np.uint8)


PALETTES = {
    "dark": Palette(
        background=(30, 37, 52), on=(255, 255, 255), off=(64, 126, 201),
        bar=(18, 22, 32), text=(236, 240, 247), muted=(150, 162, 184), casing=(12, 15, 22), class_colours=_BRIGHT,
    ),
    "light": Palette(
        background=(255, 255, 255), on=(64, 126, 201), off=(30, 37, 52),
        bar=(236, 240, 246), text=(24, 30, 44), muted=(92, 102, 122), casing=(255, 255, 255), class_colours=_DEEP,
    ),
    "coolwarm": Palette(
        background=(217, 224, 237), on=(255, 113, 117), off=(87, 123, 198),
        bar=(200, 209, 226), text=(24, 30, 44), muted=(76, 86, 108), casing=(248, 250, 253), class_colours=_DEEP,
    ),
    "gray": Palette(
        background=(128, 128, 128), on=(255, 255, 255), off=(0, 0, 0),
        bar=(40, 40, 40), text=(240, 240, 240), muted=(176, 176, 176), casing=(12, 12, 12), class_colours=_BRIGHT,
    ),
}  # fmt: skip
"""Every look by name."""
