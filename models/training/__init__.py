"""Training: recipes, the loop, its data and its validation.

:func:`fit` is the whole of it, from a folder to a weights file; :func:`train` is the loop alone, on any batches.
"""

from .loop import train
from .options import TrainConfig
from .recipe import DataOptions, Recipe, ValidationOptions, read_recipe
from .runs import FitResult, fit
from .values import Batch, BatchSource, Hooks, Score, StepReport, TrainResult

__all__ = [
    "Batch",
    "BatchSource",
    "DataOptions",
    "FitResult",
    "Hooks",
    "Recipe",
    "Score",
    "StepReport",
    "TrainConfig",
    "TrainResult",
    "ValidationOptions",
    "fit",
    "read_recipe",
    "train",
]
