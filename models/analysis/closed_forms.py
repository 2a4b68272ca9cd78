"""What theory says of a block at the start of training: how it scales second moments and gradients.

With the rectangular surrogate a neuron passes gradients where its membrane is in (0, 1). For a membrane of mean m and
deviation s the neuron fires with p = 1 - F((1/2 - m) / s) and passes gradients with q = F((1 - m) / s) - F(-m / s), F
the normal distribution. A convolution and its normalisation to deviation gamma on such spikes then have
phi(J J^T) = gamma^2 q / (p (1 - p)): the kernel's norm cancels between gradient and variance.
"""

import math

import torch
from torch import Tensor

__all__ = [
    "MAX_OF_FOUR",
    "Membrane",
    "consistent_concat_moment",
    "lcb_gain",
    "predicted_chain_moment",
    "predicted_moment",
    "seed_concat_moment",
]

MAX_OF_FOUR = 1.0 + math.sqrt(3.0) / math.pi
"""Second moment of the largest of four independent standard normal values (2 x 2 pooling), 1.5513."""


class Membrane:
    """The first membranes of a layer, as a normal distribution a channel.

    Parameters
    ----------
    mean, variance : Tensor, shape (C,), float
        Of each channel; a channel without variance is taken for a very narrow one.
    """

    def __init__(self, mean: Tensor, variance: Tensor) -> None:
        self.mean, self.deviation = mean.double(), variance.double().clamp_min(1e-12).sqrt()

    @classmethod
    def normal(cls, alpha: float) -> "Membrane":
        """Return a single channel of mean 0 and second moment `alpha`."""
        return cls(torch.zeros(1), torch.tensor([alpha]))

    @classmethod
    def of(cls, x: Tensor) -> "Membrane":
        """Return the channels of currents, shape (N, C, H, W)."""
        return cls(x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0))

    @property
    def variance(self) -> float:
        """Mean over the channels."""
        return float(self.deviation.square().mean())

    def below(self, level: float, *, of: int = 1) -> Tensor:
        """Return how likely the largest of `of` independent membranes is below a level, shape (C,)."""
        below: Tensor = torch.special.ndtr((level - self.mean) / self.deviation) ** of
        return below

    def fires(self, *, of: int = 1) -> Tensor:
        """Return p, shape (C,), behind pooling over `of` places."""
        return 1.0 - self.below(0.5, of=of)

    def passes(self, *, of: int = 1) -> Tensor:
        """Return q, shape (C,), behind pooling over `of` places."""
        return self.below(1.0, of=of) - self.below(0.0, of=of)


def lcb_gain(membrane: Membrane, gamma: float, *, of: int = 1) -> float:
    """Return phi(J J^T) of neurons, convolution and normalisation, behind pooling over `of` places.

    Examples
    --------
    >>> [round(lcb_gain(Membrane.normal(alpha), 1.0), 3) for alpha in (0.25, 1.0, 2.0, 3.0)]
    [3.575, 1.6, 1.127, 0.92]
    """
    p, q = membrane.fires(of=of), membrane.passes(of=of)
    return gamma**2 * float(q.mean() / (p * (1.0 - p)).mean().clamp_min(1e-12))


def predicted_moment(kind: str, alpha: float) -> float:
    """Return the second moment behind a block whose last normalisations have deviation 1, for normal input.

    Proposition 1 of Su et al. (2023, supplement A) as a statement on second moments. It holds for ``ms`` and ``ems1``.
    ``ems2``: the concatenation of ``c_in`` pooled channels and as many new ones, widths doubling.

    Examples
    --------
    >>> [round(predicted_moment(kind, 1.0), 2) for kind in ("ms", "ems1", "ems2")]
    [2.0, 2.0, 2.28]
    """
    if kind == "ms":
        return alpha + 1.0
    return 2.0 if kind == "ems1" else 1.0 + 0.5 * (MAX_OF_FOUR * alpha + 1.0)


def seed_concat_moment(alpha: float) -> float:
    """Return a_bn of the proof of Proposition 1 for widths that double: (2 c_out - a_max c_in) / (c_out - c_in).

    With it the shortcut of an EMS-Block2 has the second moment 2 and the block 3, not the 2 that is claimed.
    """
    return 4.0 - MAX_OF_FOUR * alpha


def consistent_concat_moment(alpha: float) -> float:
    """Return the a_bn that would give the block the second moment 2; negative, so impossible, from alpha 1.29 on."""
    return 2.0 - MAX_OF_FOUR * alpha


def predicted_chain_moment(last_stage_blocks: int) -> float:
    """Return the second moment behind the last stage by the argument of Proposition 2: 2, and 1 for each MS-Block.

    The 3 that is claimed for every network is that of two blocks a stage, ResNet-18 alone.
    """
    return 2.0 + (last_stage_blocks - 1)
