"""eventdet.models: the spiking detectors, their training and their weights.

Importing this package is cheap: torch is loaded when a name that needs it is first used.
"""

import importlib
from typing import TYPE_CHECKING

from .config import DetectorConfig

if TYPE_CHECKING:
    from .detector import Detector, DetectorOutput, build_detector, repeat_image
    from .export_onnx import export_onnx
    from .inference import StreamingDetector
    from .postprocess import boxes_from_logits
    from .training import Recipe, fit
    from .zoo import bundled_names, load_detector, save_detector

__all__ = [
    "Detector",
    "DetectorConfig",
    "DetectorOutput",
    "Recipe",
    "StreamingDetector",
    "boxes_from_logits",
    "build_detector",
    "bundled_names",
    "export_onnx",
    "fit",
    "load_detector",
    "repeat_image",
    "save_detector",
]

_LAZY = {
    "Recipe": ".training",
    "Detector": ".detector",
    "DetectorOutput": ".detector",
    "StreamingDetector": ".inference",
    "boxes_from_logits": ".postprocess",
    "build_detector": ".detector",
    "bundled_names": ".zoo",
    "export_onnx": ".export_onnx",
    "fit": ".training",
    "load_detector": ".zoo",
    "repeat_image": ".detector",
    "save_detector": ".zoo",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
