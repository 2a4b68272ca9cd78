"""Synthetic streets filmed by a synthetic event camera: recordings of Gen1's form with exact boxes."""

from .config import SimulationConfig
from .filming import film, to_grey
from .labels import ground_truth
from .presets import PRESETS, ScenePreset
from .recorder import SimulatedRecording, iter_simulate, simulate
from .recording_files import WrittenRecording, write_recording
from .renderer import Renderer
from .scene import Scene, make_scene
from .sensor import EventSensor, Sensor, make_sensor
from .sensor_models import (
    ATIS,
    ATIS_NOISY,
    NOISE_FREE,
    SENSORS,
    VOLTMETER,
    CameraModel,
    ReadoutModel,
    SensorModel,
    VoltmeterModel,
    pick_sensor,
)
from .truth import GroundTruth
from .voltmeter import VoltmeterSensor

__all__ = [
    "ATIS",
    "ATIS_NOISY",
    "NOISE_FREE",
    "PRESETS",
    "SENSORS",
    "VOLTMETER",
    "CameraModel",
    "EventSensor",
    "GroundTruth",
    "ReadoutModel",
    "Renderer",
    "Scene",
    "ScenePreset",
    "Sensor",
    "SensorModel",
    "SimulatedRecording",
    "SimulationConfig",
    "VoltmeterModel",
    "VoltmeterSensor",
    "WrittenRecording",
    "film",
    "ground_truth",
    "iter_simulate",
    "make_scene",
    "make_sensor",
    "pick_sensor",
    "simulate",
    "to_grey",
    "write_recording",
]
