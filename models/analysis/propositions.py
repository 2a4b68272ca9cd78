"""Propositions 1 and 2 of Su et al. (2023, supplement A) against measurements, with what is wrong in them.

Proposition 1 says that an EMS block has phi(J J^T) = 2 / alpha, alpha the second moment of its input. Its proof is on
second moments, out over in, and takes the neurons for a general linear transform, which they are not: a neuron's
gradient is that of a rectangle, and its output that of a step. So both are measured, and the closed form stands beside.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from eventdet.models.blocks import EMSBlock1, EMSBlock2, MSBlock

from .closed_forms import (
    consistent_concat_moment,
    predicted_chain_moment,
    predicted_moment,
    seed_concat_moment,
)
from .isometry import ChainGain, initialise, measure_block

__all__ = ["ERRATA", "ChainClaim", "MomentClaim", "check_blocks", "check_chains"]

ERRATA = (
    "Proposition 1 holds for the second moments of EMS-Block1 and MS-Block; phi(J J^T) itself is larger, since a "
    "neuron is no general linear transform",
    "EMS-Block2: a_bn = (2 c_out - a_max c_in) / (c_out - c_in) gives the shortcut the second moment 2 and the block "
    "3; (c_out - a_max c_in) / (c_out - c_in) would give 2, and is negative from alpha 1.29 on where widths double",
    "Proposition 2: 3 / alpha_0 is right for two blocks in the last stage (ResNet-18); by the same argument it is "
    "2 / alpha_0 for ResNet-10 and 4 / alpha_0 for ResNet-34",
    "a scale of 1 at the end of every branch explodes with depth; what keeps the chain near 1 is the 0.1 at the end of "
    "the residual branches, which the proofs do not mention",
)
"""What is wrong in the supplement, in the order of its statements."""

_CHANNELS, _PICTURES, _SIDE = 64, 8, 32
"""8 x 32 x 32 places a channel hold the error of a moment below 2 %."""


class MomentClaim(NamedTuple):
    """A block on normal input."""

    block: str
    """Kind of the block."""

    alpha_in: float
    """Second moment of the input."""

    claimed: float
    """Second moment of the output that Proposition 1 or its proof claims."""

    predicted: float
    """Second moment by the corrected form."""

    measured: float
    """Second moment that came out."""

    phi_claimed: float
    """phi(J J^T) that is claimed: ``claimed / alpha_in``."""

    phi_predicted: float
    """phi(J J^T) by the closed form."""

    phi: float
    """phi(J J^T) by probes."""


class ChainClaim(NamedTuple):
    """A backbone under the initialisation that Proposition 2 asks for."""

    network: str
    """Its name."""

    alpha_in: float
    """Second moment behind the encoding layer."""

    claimed: float
    """3 / alpha_0."""

    corrected: float
    """What the same argument gives for this depth."""

    moments: float
    """Second moment at the end over that at the start."""

    phi: float
    """phi(J J^T) of the chain by probes."""


def check_blocks(alphas: Sequence[float] = (1.0, 2.0, 3.0), *, probes: int = 8, seed: int = 0) -> list[MomentClaim]:
    """Return what Proposition 1 says of each kind of block, and what is."""
    claims = []
    generator = torch.Generator().manual_seed(seed)
    for alpha in alphas:
        x = torch.randn(_PICTURES, _CHANNELS, _SIDE, _SIDE, generator=generator) * alpha**0.5
        for name, claimed, predicted, block in _blocks(alpha, seed=seed):
            gain = measure_block(block, x, probes=probes, seed=seed, name=name)
            claims.append(
                MomentClaim(
                    block=name,
                    alpha_in=gain.alpha_in,
                    claimed=claimed,
                    predicted=predicted,
                    measured=gain.alpha_out,
                    phi_claimed=claimed / alpha,
                    phi_predicted=float("nan") if gain.predicted is None else gain.predicted,
                    phi=gain.phi,
                )
            )
    return claims


def check_chains(chains: Sequence[ChainGain]) -> list[ChainClaim]:
    """Return what Proposition 2 says of each chain that was measured under the initialisation it asks for."""
    return [
        ChainClaim(
            network=chain.network,
            alpha_in=chain.alpha_in,
            claimed=3.0 / chain.alpha_in,
            corrected=predicted_chain_moment(chain.last_stage_blocks) / chain.alpha_in,
            moments=chain.alpha_out / chain.alpha_in,
            phi=chain.phi,
        )
        for chain in chains
        if chain.initialisation == "unit"
    ]


def _blocks(alpha: float, *, seed: int) -> list[tuple[str, float, float, nn.Module]]:
    """Return name, claimed and corrected second moment, and the block, its branches ending at scale 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        blocks: list[tuple[str, float, float, nn.Module]] = [
            ("MS-Block", alpha + 1.0, predicted_moment("ms", alpha), MSBlock(_CHANNELS)),
            ("EMS-Block1", 2.0, predicted_moment("ems1", alpha), EMSBlock1(_CHANNELS, _CHANNELS // 2)),
            ("EMS-Block2, a_bn 1", 2.0, predicted_moment("ems2", alpha), EMSBlock2(_CHANNELS, 2 * _CHANNELS, stride=2)),
        ]
        for _, _, _, block in blocks:
            initialise(block, "unit")
        for name, moment in (("as claimed", seed_concat_moment(alpha)), ("corrected", consistent_concat_moment(alpha))):
            if moment > 0:
                block = EMSBlock2(_CHANNELS, 2 * _CHANNELS, stride=2)
                initialise(block, "unit")
                nn.init.constant_(block.shortcut.norm.get_parameter("weight"), moment**0.5)
                predicted = predicted_moment("ems2", alpha) + 0.5 * (moment - 1.0)
                blocks.append((f"EMS-Block2, a_bn {moment:.2f} {name}", 2.0, predicted, block))
    return blocks
