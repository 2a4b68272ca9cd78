"""eventdet.preprocessing: events to tensors, and both to Zarr.

Importing this package loads NumPy alone; Numba and Zarr come in when the first tensor is filled or stored.
"""

from .conversion import ConvertFailure, ConvertProgress, ConvertSummary
from .convert import convert
from .executors import DaskExecutor, ProcessExecutor
from .options import ConvertOptions
from .planning import Shard
from .representations import REPRESENTATIONS, Representation, event_histogram, representation, voxel_grid
from .store import StoredFrames, StoredRecording, find_stored_recordings, is_store, open_stored_recording

__all__ = [
    "REPRESENTATIONS",
    "ConvertFailure",
    "ConvertOptions",
    "ConvertProgress",
    "ConvertSummary",
    "DaskExecutor",
    "ProcessExecutor",
    "Representation",
    "Shard",
    "StoredFrames",
    "StoredRecording",
    "convert",
    "event_histogram",
    "find_stored_recordings",
    "is_store",
    "open_stored_recording",
    "representation",
    "voxel_grid",
]
