"""A street and the drive along it, both drawn from a seed; at any time a list of surfaces before a camera."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.geometry import GEN1, SensorSize
from eventdet.units import MICROSECONDS_PER_SECOND

from . import _columns as column
from ._surfaces import place_surfaces
from ._town_surfaces import place_town
from .drive import Drive, draw_drive
from .presets import ScenePreset, pick_preset
from .reproducible import Draws, exp2, sine_at
from .route import Pose
from .town import Town, build_town
from .traffic import Objects, StreetPlan, populate

__all__ = ["Scene", "View", "make_scene"]

_LONGEST_US = 3_600_000_000
_STEP_PIXELS = 2.0
_STEP_DEPTH_M = 8.0
_OTHERS_PIXELS_PER_S = 100.0
_STEP_LIMITS_US = (1_000, 8_000)
_TOWN_STEP_PIXELS = 2.5
_TOWN_STEP_LIMITS_US = (1_000, 10_000)
_FLICKER_HZ = 100.0
_NO_CROSSING = (1e9, 1e9)

_BEHIND_CROSSING_M = 4.0
"""How far behind a crossing road the camera sees nothing of its marks any more: they end 5.4 m behind it, and a picture
begins 2 m ahead."""
_TURN_IN_VIEW_M = 90.0
_SMOOTHER = 0.35
"""Grain of the ground in built-up streets, where much else moves, against a plain one's."""


class View(NamedTuple):
    """What the renderer needs for one picture."""

    camera: NDArray[np.float64]
    """Shape (NUM_CAMERA,): see `_columns`."""

    surfaces: NDArray[np.float64]
    """Shape (n, NUM_COLUMNS), nearest first: see `_columns`."""

    throwers: NDArray[np.float64]
    """Shape (m, NUM_COLUMNS): what may throw shadows into the picture; none where no sun shines."""

    light: NDArray[np.float64]
    """Shape (NUM_LIGHT,): see `_columns`."""

    bend: NDArray[np.float64]
    """Shape (BEND_LENGTH,): metres by which the road lies to the right, a metre ahead an entry."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """A synthetic street as a function of time. Made by :func:`make_scene`."""

    seed: int
    """What it was drawn from."""

    duration_us: int
    """How long the street lasts, in microseconds."""

    size: SensorSize
    """Rows and columns of its pictures."""

    brightness: float
    """Light of a white surface."""

    ground: NDArray[np.float64]
    """Shape (NUM_GROUND,): see `_columns`."""

    light: NDArray[np.float64]
    """Shape (NUM_LIGHT,): see `_columns`; street lamps at their mean."""

    flicker: float
    """By how much street lamps swing around their mean, as a share of it."""

    tile: NDArray[np.float32]
    """Shape (64, 64): noise for every texture."""

    objects: Objects
    """Everything that stands or moves."""

    crossings: tuple[tuple[float, float], ...]
    """Crossing roads: near and far edge, metres along the road."""

    cover: tuple[float, float]
    """Where a bridge or a tunnel covers the road, metres along it; equal where none does."""

    built_up: bool
    """Whether planes may stand at any angle."""

    drive: Drive
    """Motion of the camera."""

    @property
    def flickers(self) -> bool:
        """Whether street lamps are lit."""
        return bool(self.light[column.STREET_LAMPS] > 0.0)

    def lamp_swing(self, t_us: int) -> float:
        """Return the strength of the street lamps at a time, 1 at their mean."""
        return 1.0 + self.flicker * sine_at(_FLICKER_HZ * t_us / MICROSECONDS_PER_SECOND)

    def step_us(self, t_us: int) -> int:
        """Return how long the next picture may wait: until a house front 8 m away has moved by two pixels or so."""
        drive = self.drive
        speed = drive.speed_at(t_us / MICROSECONDS_PER_SECOND)
        pixels_per_s = drive.focal * speed / _STEP_DEPTH_M + _OTHERS_PIXELS_PER_S
        if (
            drive.turn is not None
            and drive.turn.start_m < drive.place_m(t_us / MICROSECONDS_PER_SECOND) < drive.turn.stop_m
        ):
            # While the camera turns, everything moves by the focal length times the angle.
            pixels_per_s += drive.focal * speed / drive.turn.radius_m
        low, high = _TOWN_STEP_LIMITS_US if self.built_up else _STEP_LIMITS_US
        pixels = _TOWN_STEP_PIXELS if self.built_up else _STEP_PIXELS
        return min(high, max(low, int(pixels / pixels_per_s * MICROSECONDS_PER_SECOND)))

    def view(self, t_us: int) -> View:
        """Return camera and surfaces at a time.

        Parameters
        ----------
        t_us : int
            Microseconds from the start.

        Returns
        -------
        View
            Input of the renderer.
        """
        t_s = t_us / MICROSECONDS_PER_SECOND
        drive = self.drive
        shake = drive.speed_at(t_s) / (drive.speed_at(t_s) + 5.0)
        camera = np.empty(column.NUM_CAMERA)
        camera[column.FOCAL] = drive.focal
        camera[column.CENTER_X] = 0.5 * self.size.width + drive.focal * shake * drive.yaw.at(t_s)
        camera[column.CENTER_Y] = drive.horizon + drive.focal * shake * drive.pitch.at(t_s)
        camera[column.ROLL] = shake * drive.roll.at(t_s)
        camera[column.CAMERA_HEIGHT] = drive.height_m
        poses = drive.poses(t_s, shake * drive.lateral.at(t_s))
        camera[column.CAMERA_X], camera[column.CAMERA_Z] = poses[0].x, poses[0].z
        camera[column.YAW_COS], camera[column.YAW_SIN] = poses[0].cosine, poses[0].sine
        camera[column.LENS] = drive.lens
        camera[column.BLUR], camera[column.VIGNETTE] = drive.blur, drive.vignette
        camera[column.HEADING] = drive.heading_at(t_s) + poses[0].sine
        self._set_crossing(camera)
        camera[column.COVER_START], camera[column.COVER_STOP] = self.cover
        light = self._turned_light(poses[0])
        if self.built_up:
            surfaces, throwers = place_town(self.objects, camera, light, drive=drive, poses=poses, t_s=t_s)
        else:
            surfaces = place_surfaces(self.objects, camera, light, t_s=t_s)
            throwers = surfaces[:0]
        return View(camera, surfaces, throwers, light, drive.bend_m(np.arange(float(column.BEND_LENGTH)), t_s))

    def _set_crossing(self, camera: NDArray[np.float64]) -> None:
        behind_m = camera[column.CAMERA_Z] - _BEHIND_CROSSING_M
        ahead = ((start, stop) for start, stop in self.crossings if stop > behind_m)
        turn = self.drive.turn
        if turn is not None and camera[column.CAMERA_Z] > turn.start_m - _TURN_IN_VIEW_M:
            ahead = (road for road in self.crossings if road[0] < turn.lane_m < road[1])
        start, stop = next(ahead, _NO_CROSSING)
        side = 1.0 if turn is None else turn.side
        right = float(self.ground[column.ROAD_RIGHT])
        camera[column.CROSS_START], camera[column.CROSS_STOP] = start, stop
        camera[column.CROSS_LANE], camera[column.CROSS_SIDE] = start + right if side > 0.0 else stop - right, side

    def _turned_light(self, pose: Pose) -> NDArray[np.float64]:
        """Return the light with the way to the sun as the camera sees it."""
        if self.drive.turn is None:
            return self.light
        light = self.light.copy()
        sun_x, sun_z = float(light[column.SUN_X]), float(light[column.SUN_Z])
        light[column.SUN_X] = sun_x * pose.cosine - sun_z * pose.sine
        light[column.SUN_Z] = sun_x * pose.sine + sun_z * pose.cosine
        return light


def make_scene(seed: int, duration_us: int, *, preset: str = "plain", size: SensorSize = GEN1) -> Scene:
    """Return the street of a seed.

    Parameters
    ----------
    seed : int
        Chooses everything: street, light, traffic, drive.
    duration_us : int
        How long it shall last in microseconds, at most an hour.
    preset : str
        Kind of street, a name of `PRESETS`.
    size : SensorSize
        Rows and columns of the pictures.

    Returns
    -------
    Scene
        The same for the same arguments on every machine.

    Raises
    ------
    OptionError
        When the duration is not between 1 us and an hour, or the preset is unknown.

    Examples
    --------
    >>> make_scene(1, 1_000_000).view(500_000).camera.shape
    (7,)
    """
    if not 0 < duration_us <= _LONGEST_US:
        raise OptionError(f"duration_us must be in [1, {_LONGEST_US}], got {duration_us}")
    draw = Draws(seed, "scene")
    kind = pick_preset(preset, seed)
    drive = draw_drive(draw, size, kind=kind, road=Draws(seed, "road"))
    ground = _draw_ground(draw)
    plan = _plan(drive, ground, duration_us / MICROSECONDS_PER_SECOND)
    brightness = exp2(draw.uniform(*kind.brightness_octaves))
    side = column.TILE_SIDE
    tile = np.array([draw.uniform() for _ in range(side * side)], np.float32).reshape(side, side)
    lighting = Draws(seed, "lighting")
    light = _draw_light(lighting, kind)
    items = populate(plan, Draws(seed, "traffic"))
    town = Town(items)
    if kind.built_up:
        town = build_town(items, plan, drive, kind=kind, lamp_spacing_m=float(light[column.LAMP_SPACING]), seed=seed)
        drive = drive if town.turn is None else drive.with_turn(town.turn)
        ground[column.ROAD_GRAIN] *= _SMOOTHER
        ground[column.VERGE_GRAIN] *= _SMOOTHER
        ground[column.WEAR], ground[column.SKYLINE] = lighting.uniform(0.1, 1.0), lighting.uniform(0.0, 0.07)
    return Scene(
        seed=seed,
        duration_us=duration_us,
        size=size,
        brightness=brightness,
        ground=ground,
        light=light,
        flicker=lighting.uniform(0.05, 0.5),
        tile=tile,
        objects=Objects.of(town.items),
        crossings=tuple(town.crossings),
        cover=town.cover,
        built_up=kind.built_up,
        drive=drive,
    )


def _plan(drive: Drive, ground: NDArray[np.float64], duration_s: float) -> StreetPlan:
    return StreetPlan(
        left_m=float(ground[column.ROAD_LEFT]),
        right_m=float(ground[column.ROAD_RIGHT]),
        travel_m=drive.place_m(duration_s),
        duration_s=duration_s,
        speed_m_s=drive.speed_m_s,
        stops=drive.stops(duration_s),
    )


def _draw_ground(draw: Draws) -> NDArray[np.float64]:
    ground = np.zeros(column.NUM_GROUND)
    ground[column.ROAD_LEFT] = -draw.uniform(5.4, 8.2)
    ground[column.ROAD_RIGHT] = draw.uniform(1.9, 4.6)
    ground[column.ROAD_ALBEDO] = draw.uniform(0.1, 0.28)
    ground[column.ROAD_GRAIN] = draw.uniform(0.2, 0.7)
    ground[column.MARK_ALBEDO] = draw.uniform(0.4, 0.8)
    ground[column.VERGE_ALBEDO] = draw.uniform(0.08, 0.22)
    ground[column.VERGE_GRAIN] = draw.uniform(0.4, 1.2)
    ground[column.SKY] = draw.uniform(0.6, 1.2)
    ground[column.CLOUDS] = draw.uniform(0.0, 0.3)
    return ground


def _draw_light(draw: Draws, kind: ScenePreset) -> NDArray[np.float64]:
    light = np.empty(column.NUM_LIGHT)
    light[column.SKY_LIGHT] = draw.uniform(*kind.sky_light)
    light[column.HEADLAMPS] = draw.uniform(*kind.headlamps)
    light[column.STREET_LAMPS] = draw.uniform(*kind.street_lamps)
    light[column.LAMP_SPACING] = draw.uniform(22.0, 45.0)
    light[column.LIT_WINDOWS] = draw.uniform(*kind.lit_windows)
    light[column.WET], light[column.RAIN] = draw.uniform(*kind.wet), draw.uniform(*kind.rain)
    light[column.SUN] = draw.uniform(*kind.sun)
    # Neither along nor across the road: a plane that the sun only grazes throws no shadow.
    up, aside = draw.uniform(*kind.sun_height), draw.choice((-1.0, 1.0)) * draw.uniform(0.4, 0.9)
    ahead = draw.choice((-1.0, 1.0)) * math.sqrt(1.0 - aside * aside)
    flat = math.sqrt(1.0 - up * up)
    light[column.SUN_X : column.SUN_Z + 1] = flat * aside, up, flat * ahead
    return light
