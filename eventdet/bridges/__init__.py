"""Bridges to tonic: our recordings as its datasets, its samples as our recordings, its transforms on our events.

tonic is GPL and comes with the extra ``interop``. It is imported when one of its transforms is asked for by name;
everything else here works without it. Arrays of other libraries are in `eventdet.formats.structured`.
"""

from .tonic_dataset import TonicDataset, recording_from_tonic
from .tonic_transforms import apply_transform, load_transforms, to_tonic_size

__all__ = ["TonicDataset", "apply_transform", "load_transforms", "recording_from_tonic", "to_tonic_size"]
