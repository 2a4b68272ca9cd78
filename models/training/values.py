"""What goes into a training and what comes out, as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

from eventdet.models.detector import Detector
from eventdet.models.loss_terms import LossTerms, Targets

__all__ = ["Batch", "BatchSource", "Hooks", "Score", "StepReport", "TrainResult"]


class Batch(NamedTuple):
    """What a network learns from at once."""

    counts: Tensor
    """Shape (T, B, C, H, W), uint8: event counts, or pixels."""

    targets: Targets
    """Labels in input pixels."""

    is_first: Tensor | None = None
    """Shape (B,), bool: where the membranes that the batch before has left are forgotten; None: everywhere."""


BatchSource = Callable[[int], Batch]
"""Returns the batch of a number, from 0; the same number gives the same batch."""


class Score(NamedTuple):
    """Of a validation."""

    map50: float
    """Mean average precision at overlap 0.5."""

    map50_95: float
    """Mean over overlaps too: what decides which weights are the best."""


class StepReport(NamedTuple):
    """What a run tells after a step."""

    step: int
    """Steps done."""

    terms: LossTerms
    """Losses of the step, over all processes."""

    score: Score | None
    """Of the averaged weights, when they were validated."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a run calls; everything is left out by default."""

    validate: Callable[[Detector], Score] | None = None
    """Scores a detector; called in the first process alone."""

    watch: Callable[[StepReport], None] | None = None
    """Called after each step in the first process."""

    keep_best: Callable[[Detector, int, Score], None] | None = None
    """Takes the averaged detector, its step and its score whenever it is the best so far."""

    should_stop: Callable[[], bool] | None = None
    """Asked before each step; the run is saved when it says yes."""

    about: Mapping[str, Any] = field(default_factory=dict)
    """Goes into the checkpoint; a run is resumed with the same alone."""


class TrainResult(NamedTuple):
    """How a run ended."""

    detector: Detector
    """With the averaged weights, in evaluation mode."""

    step: int
    """Steps done, those before a resume included."""

    loss: float
    """Of the last step; NaN when there was none."""

    ended_by: str
    """``steps``, ``patience``, ``time budget`` or ``request``."""

    best: Score | None
    """Best score of all validations."""

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.ended_by in ("steps", "patience")
