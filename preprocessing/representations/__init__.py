"""Events of one time window as a tensor: one register of representations, each with its formula and its source.

Bins are cut by the edges of the window, in integers, never by the first and last event: so a tensor does not depend
on how the stream around it was cut, and the live loop gives the same bits as the offline conversion. The exceptions
say so: what other tools compute otherwise is repeated bit for bit under their name (`rvt_…`, `openeb_…`).
"""

# The definitions register themselves when they are imported.
from . import frames, openeb, rvt, surfaces, voxels
from .frames import event_histogram
from .registry import REPRESENTATIONS, Representation, Tensor, representation
from .voxels import voxel_grid

__all__ = [
    "REPRESENTATIONS",
    "Representation",
    "Tensor",
    "event_histogram",
    "frames",
    "openeb",
    "representation",
    "rvt",
    "surfaces",
    "voxel_grid",
    "voxels",
]
