"""How a network is trained, as values: what the optimiser does in which step."""

import math
from dataclasses import dataclass

from eventdet.errors import OptionError, check_option

__all__ = ["OPTIMIZERS", "PRECISIONS", "READOUTS", "TrainConfig"]

OPTIMIZERS = {"adamw": 2e-3, "sgd": 1e-2}
"""Optimisers, and the learning rate that each takes by default; that of SGD is EMS-YOLO's."""

READOUTS = ("mean", "steps")
"""Loss on the mean of the logits over the steps, held against the labels of the last one, or on those of every step."""

PRECISIONS = ("auto", "float32", "bfloat16")
"""``auto`` is bfloat16 where the device multiplies it in hardware, else float32."""

_AT_LEAST_ONE = ("steps", "accumulate", "checkpoint_every", "log_every", "validate_every")
_NOT_NEGATIVE = ("epochs", "warmup_steps", "warmup_bias_rate", "weight_decay", "patience", "time_budget_s")
_SHARES = ("final_rate", "momentum", "warmup_momentum", "ema_decay")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How to train.

    Raises
    ------
    OptionError
        When a value is outside its rule.
    """

    steps: int = 1000
    """Optimiser steps of the whole run; the learning rate falls along a cosine to its end."""

    epochs: int = 0
    """Passes over the data in the place of `steps`; 0: `steps` counts."""

    accumulate: int = 1
    """Batches whose gradients make one step."""

    optimizer: str = "adamw"
    """One of `OPTIMIZERS`; ``sgd`` is with Nesterov's momentum."""

    learning_rate: float | None = None
    """Highest rate, reached after the warm-up; None: that of `OPTIMIZERS`."""

    final_rate: float = 0.05
    """Rate at the end, as a share of the highest."""

    warmup_steps: int = 100
    """Steps over which the rate rises linearly."""

    warmup_bias_rate: float = 0.1
    """With SGD, the rate of biases before the warm-up, over which it falls to the others'."""

    warmup_momentum: float = 0.8
    """With SGD, the momentum before the warm-up."""

    momentum: float = 0.937
    """With SGD, the momentum after it."""

    weight_decay: float = 5e-4
    """On convolution kernels only."""

    clip_norm: float = 10.0
    """Longest gradient; a longer one is shortened."""

    ema_decay: float = 0.998
    """Decay of the averaged weights, reached gradually."""

    readout: str = "mean"
    """One of `READOUTS`."""

    objectness_gain: float | None = None
    """Gain of the objectness in the loss with anchors; None: EMS-YOLO's, as for the next two."""

    box_gain: float | None = None
    """Gain of the boxes."""

    class_gain: float | None = None
    """Gain of the classes."""

    precision: str = "auto"
    """Of the convolutions, one of `PRECISIONS`; weights, statistics and membranes stay float32."""

    seed: int = 0
    """Of first weights, order and augmentation."""

    device: str = "cpu"
    """Torch device."""

    time_budget_s: float = math.inf
    """Stop before this much wall time has gone; the run can be resumed."""

    checkpoint_every: int = 500
    """Steps between saves; the last step is always saved."""

    log_every: int = 20
    """Steps between two lines of metrics."""

    validate_every: int = 500
    """Steps between validations; the last step is always validated."""

    patience: int = 0
    """Validations without a better score after which the run ends early; 0: it does not."""

    tensorboard: bool = False
    """Write the metrics for TensorBoard as well."""

    def __post_init__(self) -> None:
        """Check every value, see `Raises`."""
        check_option("optimizer", self.optimizer, OPTIMIZERS)
        check_option("readout", self.readout, READOUTS)
        check_option("precision", self.precision, PRECISIONS)
        for name in _AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be >= 1, got {getattr(self, name)}")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise OptionError(f"{name} must be >= 0, got {getattr(self, name)}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} must be in 0..1, got {getattr(self, name)}")
        for name in ("learning_rate", "clip_norm", "objectness_gain", "box_gain", "class_gain"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise OptionError(f"{name} must be > 0 and finite, got {value}")

    @property
    def highest_rate(self) -> float:
        """Learning rate after the warm-up."""
        return OPTIMIZERS[self.optimizer] if self.learning_rate is None else self.learning_rate

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: a linear rise, then a cosine.

        Examples
        --------
        >>> config = TrainConfig(steps=1000, learning_rate=1.0, final_rate=0.1, warmup_steps=100)
        >>> [round(config.rate(step), 3) for step in (0, 99, 550, 1000)]
        [0.01, 1.0, 0.55, 0.1]
        """
        if step < self.warmup_steps:
            return self.highest_rate * self._rise(step)
        progress = min(1.0, (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps))
        return self.highest_rate * (self.final_rate + (1 - self.final_rate) * 0.5 * (1 + math.cos(math.pi * progress)))

    def bias_rate(self, step: int) -> float:
        """Return the learning rate of biases: with SGD it falls over the warm-up, later it is that of the others.

        Examples
        --------
        >>> config = TrainConfig(optimizer="sgd", learning_rate=0.01, warmup_steps=2, warmup_bias_rate=0.1)
        >>> [round(config.bias_rate(step), 3) for step in (0, 1, 2)]
        [0.055, 0.01, 0.01]
        """
        if self.optimizer != "sgd" or step >= self.warmup_steps:
            return self.rate(step)
        return self.warmup_bias_rate + (self.highest_rate - self.warmup_bias_rate) * self._rise(step)

    def momentum_of(self, step: int) -> float:
        """Return the momentum of SGD in a step."""
        return self.warmup_momentum + (self.momentum - self.warmup_momentum) * self._rise(step)

    def _rise(self, step: int) -> float:
        return min(1.0, (step + 1) / max(1, self.warmup_steps))
