"""How a picture looks and what its top bar says: the two values that every drawing function shares."""

from dataclasses import dataclass

from eventdet.errors import OptionError, check_option
from eventdet.geometry import SensorSize

from .palettes import PALETTES, Palette

__all__ = ["Caption", "Style"]

_WIDEST = 1280
"""Columns that fit common screens; sensors are enlarged up to it, never shrunk."""

_USUAL_SCALE = 3
"""Beyond it a pixel of a QVGA sensor becomes a tile, and files grow without showing more."""

_NARROWEST = 320
"""Columns that the top bar needs; only thumbnail-sized sensors are enlarged beyond the usual scale for it."""


@dataclass(frozen=True, slots=True)
class Style:
    """Look of a picture.

    Examples
    --------
    >>> from eventdet.geometry import GEN1
    >>> Style().scale_for(GEN1), Style(scale=2).scale_for(GEN1), Style().scale_for(SensorSize(720, 1280))
    (3, 2, 1)
    """

    palette: str = "dark"
    """Name of a palette: dark, light, coolwarm or gray."""

    scale: int | None = None
    """Picture pixels per sensor pixel and side; None chooses by the width of the sensor."""

    line_width: int = 2
    """Width of box lines in picture pixels."""

    text_scale: float = 0.5
    """Size of all text; 0.5 gives letters about 14 pixels high."""

    show_tags: bool = True
    """Whether boxes carry class name and score."""

    show_header: bool = True
    """Whether the top bar is drawn."""

    def __post_init__(self) -> None:
        """Check every field.

        Raises
        ------
        OptionError
            When the palette is unknown or a size is outside its range.
        """
        check_option("palette", self.palette, PALETTES)
        if self.scale is not None and not 1 <= self.scale <= 16:
            raise OptionError(f"scale must be in 1..16, got {self.scale}", hint="leave it out to choose by sensor size")
        if not 1 <= self.line_width <= 16:
            raise OptionError(f"line_width must be in 1..16, got {self.line_width}")
        if not 0.2 <= self.text_scale <= 4.0:
            raise OptionError(f"text_scale must be in 0.2..4, got {self.text_scale}")

    @property
    def colours(self) -> Palette:
        """The palette itself."""
        return PALETTES[self.palette]

    def scale_for(self, size: SensorSize) -> int:
        """Return the enlargement of a sensor: the given one, else up to 3 within 1280 columns.

        Parameters
        ----------
        size : SensorSize
            Rows and columns of the sensor.

        Returns
        -------
        int
            Picture pixels per sensor pixel and side, at least 1.
        """
        if self.scale is not None:
            return self.scale
        wanted = max(_USUAL_SCALE, -(-_NARROWEST // size.width))
        return max(1, min(wanted, _WIDEST // max(size)))


@dataclass(frozen=True, slots=True)
class Caption:
    """What the top bar says about a window."""

    title: str
    """Name of the source."""

    t_us: int
    """End of the window, microseconds on the clock of the recording."""

    window_us: int
    """Length of the window in microseconds."""

    num_events: int
    """Events in the window."""

    synthetic: bool = False
    """Whether the source is simulated; such pictures are marked, so that nobody takes them for a recording."""

    def __post_init__(self) -> None:
        """Check the window.

        Raises
        ------
        OptionError
            When the window has no length, since an event rate would not exist.
        """
        if self.window_us <= 0:
            raise OptionError(f"window_us must be > 0, got {self.window_us}")
