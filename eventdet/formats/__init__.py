"""Event files and label files: one module a format.

Importing this package loads NumPy alone; Numba comes in when the first event is decoded.
"""

from ._dat_records import pack_dat
from ._windows import Window, WindowCutter, WindowGrid, cut_windows
from .dat import DAT, read_dat, write_dat
from .decoder import Decoder, Encoding
from .evt2 import EVT2, read_evt2, write_evt2
from .evt3 import EVT3, read_evt3, write_evt3
from .inspect import RecordingInfo, inspect_recording
from .policy import DUPLICATES, POLICIES, ReadPolicy
from .prophesee_boxes import find_boxes, read_boxes, write_boxes
from .recording import DatRecording, Recording
from .registry import FORMATS, detect_format, open_recording

__all__ = [
    "DAT",
    "DUPLICATES",
    "EVT2",
    "EVT3",
    "FORMATS",
    "POLICIES",
    "DatRecording",
    "Decoder",
    "Encoding",
    "ReadPolicy",
    "Recording",
    "RecordingInfo",
    "Window",
    "WindowCutter",
    "WindowGrid",
    "cut_windows",
    "detect_format",
    "find_boxes",
    "inspect_recording",
    "open_recording",
    "pack_dat",
    "read_boxes",
    "read_dat",
    "read_evt2",
    "read_evt3",
    "write_boxes",
    "write_dat",
    "write_evt2",
    "write_evt3",
]
