"""Event files and label files: one module a format.

Importing this package loads NumPy alone; Numba comes in when the first event is decoded.
"""

from .dat import read_dat, write_dat
from .prophesee_boxes import find_boxes, read_boxes, write_boxes

__all__ = ["find_boxes", "read_boxes", "read_dat", "write_boxes", "write_dat"]
