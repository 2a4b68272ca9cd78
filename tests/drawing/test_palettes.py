"""The palettes: exact numbers, contrast, and the colours a GIF needs."""

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.drawing import PALETTES
from eventdet.drawing.palettes import Colour


def luminance(colour: Colour) -> float:
    """Relative luminance, WCAG 2.1."""
    channels = [c / 255 / 12.92 if c / 255 <= 0.03928 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio, WCAG 2.1, 1..21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def under_deuteranopia(colour: Colour) -> NDArray[np.float64]:
    """Linear RGB as seen without green cones: Machado, Oliveira and Fernandes (2009), severity 1."""
    matrix = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]])
    linear = np.array([luminance((c, c, c)) for c in colour])
    return np.asarray(matrix @ linear, np.float64)


@pytest.mark.parametrize(
    ("name", "background", "on", "off"),
    [
        ("dark", (30, 37, 52), (255, 255, 255), (64, 126, 201)),
        ("light", (255, 255, 255), (64, 126, 201), (30, 37, 52)),
        ("coolwarm", (217, 224, 237), (255, 113, 117), (87, 123, 198)),
        ("gray", (128, 128, 128), (255, 255, 255), (0, 0, 0)),
    ],
)
def test_palette_has_the_colours_known_from_event_cameras(
    name: str, background: Colour, on: Colour, off: Colour
) -> None:
    palette = PALETTES[name]
    assert (palette.background, palette.on, palette.off) == (background, on, off)


@pytest.mark.parametrize("name", PALETTES)
def test_text_and_tags_reach_the_contrast_of_readable_text(name: str) -> None:
    # WCAG 2.1 asks 4.5 of normal text.
    palette = PALETTES[name]
    assert contrast(palette.text, palette.bar) >= 4.5
    assert contrast(palette.muted, palette.bar) >= 3.0
    assert all(contrast(colour, palette.casing) >= 4.5 for colour in palette.class_colours)


@pytest.mark.parametrize("name", PALETTES)
def test_car_and_pedestrian_stay_apart_under_deuteranopia(name: str) -> None:
    car, pedestrian = (under_deuteranopia(PALETTES[name].class_colour(class_id)) for class_id in (0, 1))
    # Confusable colours coincide; these differ by a large share of the whole range, mostly in blue.
    assert np.linalg.norm(car - pedestrian) > 0.15


def test_class_colours_start_over_after_the_last() -> None:
    palette = PALETTES["dark"]
    assert palette.class_colour(len(palette.class_colours)) == palette.class_colour(0)


@pytest.mark.parametrize("name", PALETTES)
def test_swatch_begins_with_the_flat_colours_and_fits_a_gif(name: str) -> None:
    palette = PALETTES[name]
    swatch = palette.swatch()
    rows = [tuple(row) for row in swatch.tolist()]
    assert swatch.dtype == np.uint8
    assert len(rows) == len(set(rows)) <= 256
    flat = {palette.background, palette.on, palette.off, palette.bar, palette.text, palette.muted, palette.casing}
    flat |= set(palette.class_colours)
    assert set(rows[: len(flat)]) == flat
