"""Filters of events: noise, regions, geometry, rate. Each carries its state from batch to batch.

Importing this package loads NumPy alone; Numba comes in when the first event passes a filter that needs it.
"""

from .base import EventFilter, Run, filtered_size, move_boxes, start_filters
from .moves import Crop, Downsample, Flip, Rotate, Scale, Transpose
from .noise import Background, HotPixels, RateLimit, Refractory
from .parse import FILTERS, parse_filter
from .pixels import Mask, Polarity, Region
from .recording import FilteredRecording, with_filters
from .tonic import TonicTransform, parse_tonic_transform

__all__ = [
    "FILTERS",
    "Background",
    "Crop",
    "Downsample",
    "EventFilter",
    "FilteredRecording",
    "Flip",
    "HotPixels",
    "Mask",
    "Polarity",
    "RateLimit",
    "Refractory",
    "Region",
    "Rotate",
    "Run",
    "Scale",
    "TonicTransform",
    "Transpose",
    "filtered_size",
    "move_boxes",
    "parse_filter",
    "parse_tonic_transform",
    "start_filters",
    "with_filters",
]
