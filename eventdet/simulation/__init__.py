"""Synthetic streets filmed by a synthetic event camera: recordings of Gen1's form with exact boxes."""

from .presets import PRESETS, ScenePreset
from .recorder import SimulatedRecording, WrittenRecording, iter_simulate, simulate, write_recording
from .renderer import Renderer
from .scene import Scene, make_scene
from .sensor import ATIS, NOISE_FREE, EventSensor, SensorModel

__all__ = [
    "ATIS",
    "NOISE_FREE",
    "PRESETS",
    "EventSensor",
    "Renderer",
    "Scene",
    "ScenePreset",
    "SensorModel",
    "SimulatedRecording",
    "WrittenRecording",
    "iter_simulate",
    "make_scene",
    "simulate",
    "write_recording",
]
