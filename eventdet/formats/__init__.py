"""Event files and label files: one module a format.

Importing this package loads NumPy alone; Numba comes in when the first event is decoded.
"""

from ._dat_records import pack_dat
from ._windows import OnRead, Window, WindowCutter, WindowGrid, check_grid, cut_windows, parse_windows, timed
from .aedat2 import AEDAT2_DAVIS, AEDAT2_DVS128, read_aedat2
from .aedat4 import AEDAT4, read_aedat4, write_aedat4
from .aer40 import AER40, read_aer40, write_aer40
from .columns import recording_of_batches
from .dat import DAT, DAT1, read_dat, write_dat
from .dat_recording import DatRecording
from .decoder import Decoder, Encoding
from .es import ES, read_es, write_es
from .evt2 import EVT2, read_evt2, write_evt2
from .evt3 import EVT3, read_evt3, write_evt3
from .evt4 import EVT4, read_evt4
from .evt21 import EVT21, EVT21_SWAPPED, read_evt21, write_evt21
from .hdf5 import write_hdf5
from .inspect import RecordingInfo, inspect_recording
from .npy import write_npy, write_npz
from .policy import DUPLICATES, POLICIES, ReadPolicy
from .prophesee_boxes import find_boxes, read_boxes, write_boxes
from .recording import Recording
from .registry import FORMATS, READERS, EventFormat, detect_format, open_recording
from .rosbag import is_rosbag_folder
from .structured import from_structured, recording_from_structured, to_structured
from .text import write_text
from .transcode import EventOrigin, Region, TranscodeSummary, output_format, transcode, write_events

__all__ = [
    "AEDAT2_DAVIS",
    "AEDAT2_DVS128",
    "AEDAT4",
    "AER40",
    "DAT",
    "DAT1",
    "DUPLICATES",
    "ES",
    "EVT2",
    "EVT3",
    "EVT4",
    "EVT21",
    "EVT21_SWAPPED",
    "FORMATS",
    "POLICIES",
    "READERS",
    "DatRecording",
    "Decoder",
    "Encoding",
    "EventFormat",
    "EventOrigin",
    "OnRead",
    "ReadPolicy",
    "Recording",
    "RecordingInfo",
    "Region",
    "TranscodeSummary",
    "Window",
    "WindowCutter",
    "WindowGrid",
    "check_grid",
    "cut_windows",
    "detect_format",
    "find_boxes",
    "from_structured",
    "inspect_recording",
    "is_rosbag_folder",
    "open_recording",
    "output_format",
    "pack_dat",
    "parse_windows",
    "read_aedat2",
    "read_aedat4",
    "read_aer40",
    "read_boxes",
    "read_dat",
    "read_es",
    "read_evt2",
    "read_evt3",
    "read_evt4",
    "read_evt21",
    "recording_from_structured",
    "recording_of_batches",
    "timed",
    "to_structured",
    "transcode",
    "write_aedat4",
    "write_aer40",
    "write_boxes",
    "write_dat",
    "write_es",
    "write_events",
    "write_evt2",
    "write_evt3",
    "write_evt21",
    "write_hdf5",
    "write_npy",
    "write_npz",
    "write_text",
]
