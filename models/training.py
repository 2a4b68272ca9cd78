"""Training: a plain loop whose every step depends on the step number, the seed and the data alone.

Batches are asked for by step number, so that a run that is stopped and resumed sees what an unbroken one would.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from eventdet.errors import OptionError, check_option

from ._layout import channels_last
from .checkpoint import load_checkpoint, save_checkpoint
from .detector import Detector
from .loss import DEFAULT_GAINS, DetectionLoss, LossGains, LossTerms, StepTargets

__all__ = ["Batch", "BatchSource", "TrainConfig", "TrainResult", "train"]


class Batch(NamedTuple):
    """What one step of training learns from."""

    counts: Tensor
    """Shape (T, B, C, H, W), uint8 event counts."""

    targets: StepTargets
    """T entries: rows (batch index, class, x1, y1, x2, y2) in input pixels, or None where nothing is labelled."""


BatchSource = Callable[[int], Batch]
"""Returns the batch of a step number; the same number gives the same batch."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train."""

    steps: int = 1000
    """Optimiser steps of the whole run; the learning rate falls along a cosine to its end."""

    optimizer: str = "adamw"
    """``adamw`` or ``sgd`` (Nesterov, momentum 0.937)."""

    learning_rate: float = 2e-3
    """Highest rate, reached after the warm-up; EMS-YOLO's SGD takes 1e-2."""

    final_rate: float = 0.05
    """Rate at the end, as a share of the highest."""

    warmup_steps: int = 100
    """Steps over which the rate rises linearly."""

    weight_decay: float = 5e-4
    """On convolution kernels only."""

    clip_norm: float = 10.0
    """Longest gradient; a longer one is shortened."""

    ema_decay: float = 0.998
    """Decay of the averaged weights, reached gradually."""

    readout: str = "steps"
    """Loss on the logits of every ``steps``, or of their ``mean``."""

    gains: LossGains = DEFAULT_GAINS
    """Weights of the loss."""

    bfloat16: bool = True
    """Convolutions in bfloat16 by autocast; weights, statistics and membranes stay float32."""

    seed: int = 0
    """Of torch, set before the first step."""

    device: str = "cpu"
    """Torch device."""

    time_budget_s: float = math.inf
    """Stop after this much wall time; with a checkpoint the run can be resumed."""

    checkpoint: Path | None = None
    """Where the run is saved, and resumed from if it exists."""

    checkpoint_every: int = 500
    """Steps between saves; the last step is always saved."""

    metrics: Path | None = None
    """JSON lines of losses, appended to."""

    log_every: int = 20
    """Steps between two lines of metrics."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises
        ------
        OptionError
            When a value is outside its rule.
        """
        check_option("optimizer", self.optimizer, ("adamw", "sgd"))
        check_option("readout", self.readout, ("steps", "mean"))
        for name in ("steps", "log_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be >= 1, got {getattr(self, name)}")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: a linear rise, then a cosine.

        Examples
        --------
        >>> config = TrainConfig(steps=1000, learning_rate=1.0, final_rate=0.1, warmup_steps=100)
        >>> [round(config.rate(step), 3) for step in (0, 99, 550, 1000)]
        [0.01, 1.0, 0.55, 0.1]
        """
        rise = min(1.0, (step + 1) / max(1, self.warmup_steps))
        progress = max(0.0, (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps))
        fall = self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        return self.learning_rate * (rise if step < self.warmup_steps else fall)


class TrainResult(NamedTuple):
    """How a run ended."""

    detector: Detector
    """With the averaged weights, in evaluation mode."""

    step: int
    """Steps done, those before a resume included."""

    loss: float
    """Of the last step."""

    finished: bool
    """False when the time budget ended the run."""


def train(
    batches: BatchSource,
    detector: Detector,
    config: TrainConfig,
    *,
    on_step: Callable[[int, LossTerms], None] | None = None,
) -> TrainResult:
    """Return the detector trained on `batches`; the one given holds the raw weights afterwards.

    Parameters
    ----------
    batches : BatchSource
        Batch by step number, from 0.
    detector : Detector
        Trained in place.
    config : TrainConfig
        How.
    on_step : callable, optional
        Called with the number of each step and its losses.

    Returns
    -------
    TrainResult
        The averaged detector and how far it came.

    Raises
    ------
    InputError
        When the checkpoint to resume from is broken or of another detector.
    """
    torch.manual_seed(config.seed)
    run = _Run(channels_last(detector.to(config.device).train()), config)
    started = time.monotonic()
    terms: LossTerms | None = None
    while run.step < config.steps and time.monotonic() - started < config.time_budget_s:
        terms = run.advance(batches(run.step))
        if on_step is not None:
            on_step(run.step, terms)
        if run.step % config.log_every == 0 or run.step == config.steps:
            run.log(terms, elapsed_s=time.monotonic() - started)
        if run.step % config.checkpoint_every == 0:
            run.save()
    run.save()
    loss = math.nan if terms is None else float(terms.total)
    return TrainResult(run.averaged(), run.step, loss, run.step >= config.steps)


class _Run:
    """The moving parts of a run: weights, their average, the optimiser and the step number."""

    def __init__(self, detector: Detector, config: TrainConfig) -> None:
        self.detector, self.config = detector, config
        self.loss = DetectionLoss(detector.config, config.gains)
        self.optimizer = _optimizer(detector, config)
        self.average = {name: value.detach().clone() for name, value in detector.state_dict().items()}
        self.step = 0
        if config.checkpoint is not None and config.checkpoint.exists():
            self.step, self.average = load_checkpoint(config.checkpoint, detector, self.optimizer)

    def advance(self, batch: Batch) -> LossTerms:
        """Return the losses of one step of the optimiser."""
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate(self.step)
        counts = batch.counts.to(config.device, non_blocking=True)
        with torch.autocast(torch.device(config.device).type, torch.bfloat16, enabled=config.bfloat16):
            logits = self.detector(counts, readout=config.readout).logits
        terms = self.loss(logits, batch.targets)
        self.optimizer.zero_grad(set_to_none=True)
        terms.total.backward()  # type: ignore[no-untyped-call] # torch is untyped here
        nn.utils.clip_grad_norm_(self.detector.parameters(), config.clip_norm)
        self.optimizer.step()
        self.step += 1
        self._average()
        return LossTerms(*(term.detach() for term in terms))

    @torch.no_grad()
    def _average(self) -> None:
        # A young average follows closely: early weights are not worth remembering.
        decay = self.config.ema_decay * (1 - math.exp(-self.step * (1 - self.config.ema_decay)))
        for name, value in self.detector.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:
                self.average[name].copy_(value)

    def averaged(self) -> Detector:
        """Return a detector with the averaged weights."""
        detector = Detector(self.detector.config).to(self.config.device)
        detector.load_state_dict(self.average)
        return detector.eval()

    def log(self, terms: LossTerms, *, elapsed_s: float) -> None:
        """Append a line of metrics."""
        if self.config.metrics is None:
            return
        values = {name: round(float(value), 6) for name, value in terms._asdict().items()}
        record = {
            "step": self.step,
            **values,
            "rate": self.config.rate(self.step - 1),
            "elapsed_s": round(elapsed_s, 3),
        }
        self.config.metrics.parent.mkdir(parents=True, exist_ok=True)
        with self.config.metrics.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")

    def save(self) -> None:
        """Write the checkpoint, if one is wanted."""
        if self.config.checkpoint is not None:
            save_checkpoint(self.config.checkpoint, self.detector, self.optimizer, self.average, step=self.step)


def _optimizer(detector: Detector, config: TrainConfig) -> torch.optim.Optimizer:
    kernels = [weights for weights in detector.parameters() if weights.ndim > 1]
    others = [weights for weights in detector.parameters() if weights.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.937, nesterov=True, fused=True)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
