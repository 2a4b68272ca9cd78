"""Kinds of streets: what a scene may hold, and how it is lit and driven."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

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

    headlamps: Range = (0.0, 0.0)
    """Light of the camera car's headlamps on a white surface near the car; other cars have theirs on as well."""

    street_lamps: Range = (0.0, 0.0)
    """Light of a street lamp on a white road below it; it flickers at 100 Hz."""

    lit_windows: Range = (0.0, 0.0)
    """Light of a lit window."""

    members: tuple[str, ...] = ()
    """Names of the presets of which the seed takes one; this preset's own ranges are not used then."""


PRESETS: Mapping[str, ScenePreset] = MappingProxyType(
    {
        "plain": ScenePreset(summary="straight roads by day; the bundled weights were trained on these"),
        "night": ScenePreset(
            summary="headlamps, flickering street lamps, lit windows",
            brightness_octaves=(-1.5, 0.5),
            sky_light=(0.004, 0.02),
            headlamps=(0.25, 0.8),
            street_lamps=(0.06, 0.3),
            lit_windows=(0.05, 0.3),
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
