"""eventdet.preprocessing: events to tensors, and both to Zarr."""

from .representations import Representation, event_histogram, make_representation, voxel_grid

__all__ = ["Representation", "event_histogram", "make_representation", "voxel_grid"]
