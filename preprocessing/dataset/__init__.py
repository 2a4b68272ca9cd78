"""Clips of recordings as batches for torch, from stores and event files; importing this package loads torch."""

from .augment import Augmentation
from .batch import ClipBatch, SparseFrames
from .clips import ClipDataset, ClipOptions, clip_loader
from .sampling import ClipSampler, StreamSampler, balanced_weights
from .sources import ClipRef, ClipSource, event_sources, frame_sources

__all__ = [
    "Augmentation",
    "ClipBatch",
    "ClipDataset",
    "ClipOptions",
    "ClipRef",
    "ClipSampler",
    "ClipSource",
    "SparseFrames",
    "StreamSampler",
    "balanced_weights",
    "clip_loader",
    "event_sources",
    "frame_sources",
]
