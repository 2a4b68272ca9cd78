"""Kinds of streets: what a scene may hold, and how it is lit and driven."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypedDict

from eventdet.errors import check_option

from .reproducible import Draws

__all__ = ["PRESETS", "ScenePreset", "pick_preset"]

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePreset:
    """A kind of street; every range is drawn from evenly by the seed. The defaults are a plain street by day."""

    summary: str
    """One line for people."""

    brightness_octaves: Range = (-2.5, 0.5)
    """Light of a white surface, as a power of two; 0 is full daylight."""

    sky_light: Range = (1.0, 1.0)
    """Share of that light that comes from the whole sky."""

    sun: Range = (0.0, 0.0)
    """Light of the sun on a surface that faces it, where the sky's own is `sky_light`; it throws hard shadows."""

    sun_height: Range = (0.5, 0.9)
    """Sine of the sun's height over the horizon."""

    headlamps: Range = (0.0, 0.0)
    """Light of the camera car's headlamps on a white surface near the car; other cars have theirs on as well."""

    street_lamps: Range = (0.0, 0.0)
    """Light of a street lamp on a white road below it; it flickers at 100 Hz."""

    lit_windows: Range = (0.0, 0.0)
    """Light of a lit window."""

    bend_m: Range = (0.0, 0.0)
    """By how many metres the road swings to both sides on its way; 0 for a straight road."""

    lens: Range = (0.0, 0.0)
    """Radial distortion of the lens: by how much a ray one focal length off the axis is spread."""

    blur: Range = (0.0, 0.0)
    """Defocus: share of a pixel's light that goes to each neighbour along an axis, at most 0.25."""

    vignette: Range = (0.0, 0.0)
    """Loss of light in the corners of the picture, as a share."""

    shake: Range = (1.0, 1.0)
    """How much the car pitches, yaws and rolls on its springs, against a plain street's."""

    wet: Range = (0.0, 0.0)
    """How wet the ground is: share of the light that it mirrors at a grazing angle."""

    rain: Range = (0.0, 0.0)
    """Number of drops in the air before the camera."""

    people: Range = (1.0, 1.0)
    """Share of the people that a full street would have; some streets are empty."""

    vehicles: Range = (1.0, 1.0)
    """Share of the vehicles likewise."""

    built_up: bool = False
    """Crossing roads, turns, solid vehicles, wires, bridges, tunnels and bare trees."""

    members: tuple[str, ...] = ()
    """Names of the presets of which the seed takes one; this preset's own ranges are not used then."""


class _Town(TypedDict):
    bend_m: Range
    lens: Range
    blur: Range
    vignette: Range
    shake: Range
    people: Range
    vehicles: Range
    built_up: bool


_TOWN: _Town = {
    "bend_m": (2.0, 22.0),
    "lens": (-0.04, 0.04),
    "blur": (0.0, 0.2),
    "vignette": (0.0, 0.4),
    "shake": (0.4, 2.0),
    "people": (0.0, 0.35),
    "vehicles": (0.1, 0.8),
    "built_up": True,
}

PRESETS: Mapping[str, ScenePreset] = MappingProxyType(
    {
        "plain": ScenePreset(summary="straight roads by day; the bundled weights were trained on these"),
        "gen1": ScenePreset(summary="by day: bends, crossings, every kind of object", **_TOWN),
        "low-sun": ScenePreset(
            summary="long hard shadows", sky_light=(0.15, 0.35), sun=(1.5, 2.5), sun_height=(0.2, 0.42), **_TOWN
        ),
        "dusk": ScenePreset(
            summary="headlamps and street lamps under a fading sky",
            brightness_octaves=(-2.0, 0.0),
            sky_light=(0.08, 0.25),
            headlamps=(0.1, 0.3),
            street_lamps=(0.02, 0.1),
            lit_windows=(0.1, 0.3),
            **_TOWN,
        ),
        "night": ScenePreset(
            summary="headlamps, flickering street lamps, lit windows",
            brightness_octaves=(-1.5, 0.5),
            sky_light=(0.004, 0.02),
            headlamps=(0.25, 0.8),
            street_lamps=(0.06, 0.3),
            lit_windows=(0.05, 0.3),
            **_TOWN,
        ),
        "rain": ScenePreset(
            summary="drops in the air, a wet road that mirrors, headlamps on",
            brightness_octaves=(-2.5, -0.5),
            sky_light=(0.5, 1.0),
            headlamps=(0.05, 0.3),
            wet=(0.3, 0.9),
            rain=(100.0, 900.0),
            **_TOWN,
        ),
        "mixed": ScenePreset(
            summary="one of gen1, low-sun, dusk, night and rain, by the seed",
            members=("gen1", "gen1", "low-sun", "dusk", "night", "rain"),
        ),
    }
)
"""Every preset by its name."""


def pick_preset(name: str, seed: int) -> ScenePreset:
    """Return the preset of a name; for one with members the member that the seed draws.

    Raises
    ------
    OptionError
        When there is no such preset.
    """
    preset = PRESETS[check_option("preset", name, PRESETS)]
    return PRESETS[Draws(seed, "preset").choice(preset.members)] if preset.members else preset
